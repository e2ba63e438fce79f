"""What pruning removes, and what it never does, on a real disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from snapshot_runs import CATALOGUE, claim, run_id, sealed_night

from pipeline import snapshot
from pipeline.errors import StoredDataDamaged
from pipeline.model import Response
from pipeline.settings import Storage
from pipeline.snapshot import Began, accepted_runs, begin, parts_of, sealed_runs
from pipeline.upkeep import Pruning, plan_pruning, prune, prune_generations

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
RESUME_S = 3 * 86_400


def generations(data_dir: Path, nights: range, current: int) -> None:
    """Warehouse files of these nights, as old as their runs, and the pointer to one of them."""
    folder = data_dir / "warehouse"
    folder.mkdir(parents=True, exist_ok=True)
    for night in nights:
        path = folder / f"{run_id(night)}.duckdb"
        path.write_bytes(b"x" * night)
        began = datetime(2026, 11, night, 2, tzinfo=UTC).timestamp()
        os.utime(path, (began, began))
    (data_dir / "warehouse.duckdb").unlink(missing_ok=True)
    (data_dir / "warehouse.duckdb").symlink_to(f"warehouse/{run_id(current)}.duckdb")


def left_generations(data_dir: Path) -> list[int]:
    return sorted(int(path.name[6:8]) for path in (data_dir / "warehouse").iterdir())


def planned(data_dir: Path, now: datetime = AT, **storage: object) -> Pruning:
    return plan_pruning(data_dir, Storage(data_dir, **storage), now, resume_within_s=RESUME_S)


# ---- generations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("current", "keep", "left"),
    [
        (23, 7, [17, 18, 19, 20, 21, 22, 23]),
        (23, 3, [21, 22, 23]),
        (12, 3, [11, 12, 21, 22, 23]),
        (10, 3, [10, 21, 22, 23]),
    ],
    ids=["by-count", "fewest", "rolled-back", "rolled-back-to-the-first"],
)
def test_the_newest_generations_stay_and_what_readers_open(tmp_path, current, keep, left):
    """Beyond the count everything goes but the pointer's target and the one before it."""
    generations(tmp_path, range(10, 24), current)
    went = prune_generations(tmp_path, keep, AT)
    assert left_generations(tmp_path) == left
    assert len(went) == 14 - len(left)
    assert sum(one.size_bytes for one in went) == sum(range(10, 24)) - sum(left)
    assert prune_generations(tmp_path, keep, AT) == ()


def test_no_generation_younger_than_48_hours_goes(tmp_path):
    """Whatever the count: neither by the run's start nor, where a clock was wrong, by the file's own time."""
    generations(tmp_path, range(10, 24), 23)
    prune_generations(tmp_path, 3, datetime(2026, 11, 14, 1, tzinfo=UTC))
    assert left_generations(tmp_path) == [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
    os.utime(tmp_path / "warehouse" / f"{run_id(13)}.duckdb", (AT.timestamp(), AT.timestamp()))
    prune_generations(tmp_path, 3, AT)
    assert left_generations(tmp_path) == [13, 21, 22, 23]


def test_without_a_pointer_no_generation_goes(tmp_path):
    """Which one readers should have is not known then."""
    generations(tmp_path, range(10, 24), 23)
    (tmp_path / "warehouse.duckdb").unlink()
    assert prune_generations(tmp_path, 3, AT) == ()
    assert len(left_generations(tmp_path)) == 14


# ---- snapshots ------------------------------------------------------------------------------------------------------


def chain(data_dir: Path) -> None:
    """Six accepted nights of which the first and the fourth are full, and a refused one between."""
    sealed_night(data_dir, 1, [claim(1), claim(2)])
    sealed_night(data_dir, 2, [claim(1, summary="b")], base=1, full=False, deleted=["2"])
    sealed_night(data_dir, 3, [claim(9)], base=2, accepted=False)
    sealed_night(data_dir, 4, [claim(1)], base=2)
    sealed_night(data_dir, 5, [claim(3)], base=4, full=False)
    sealed_night(data_dir, 6, [claim(4)], base=5, full=False)


def nights_in_place(data_dir: Path) -> set[int]:
    return {int(path.name[10:12]) for path in (data_dir / "snapshots").glob("*/run=*")}


def test_snapshots_stay_unless_told_otherwise(tmp_path):
    """Without `keep_days` nothing accepted ever goes."""
    chain(tmp_path)
    found = planned(tmp_path, AT + timedelta(days=9_999))
    assert {one.why for one in found.doomed} == {"its run was refused a fortnight ago or more"}
    assert (found.begins_at, {part.path.split("=")[1][:8] for _, part in found.parts}) == (None, {"20261103"})


def test_old_snapshots_go_where_a_full_run_stands_for_them(tmp_path):
    """Everything before the newest full run that is old enough goes; the chain begins there and is still verified."""
    chain(tmp_path)
    now = datetime(2026, 11, 23, 3, tzinfo=UTC)  # nights say that they began on the 23rd: see `snapshot_runs.AT`
    assert planned(tmp_path, now, keep_days=1).begins_at is None
    now += timedelta(days=30)
    found = planned(tmp_path, now, keep_days=30)
    assert found.begins_at == run_id(4)
    assert nights_in_place(tmp_path) == {1, 2, 3, 4, 5, 6}
    size = sum(path.stat().st_size for path in tmp_path.glob("snapshots/*/run=2026110[123]*/*"))
    assert found.size_bytes == size
    prune(tmp_path, found)
    assert nights_in_place(tmp_path) == {4, 5, 6}
    assert [one["run_id"] for one in accepted_runs(tmp_path)] == [run_id(4), run_id(5), run_id(6)]
    assert len(sealed_runs(tmp_path)) == 6
    first = snapshot.manifest_of(tmp_path, run_id(1))
    assert not any(parts_of(tmp_path, first).values())
    assert snapshot.verify(tmp_path, CATALOGUE).findings == ()
    again = planned(tmp_path, now, keep_days=30)
    assert (again.doomed, again.begins_at) == ((), None)
    sealed_night(tmp_path, 7, [claim(5)], base=6, full=False)
    assert accepted_runs(tmp_path)[0]["run_id"] == run_id(4)


def test_nothing_goes_while_the_chain_is_broken(tmp_path):
    """A damaged manifest could be the one that says what is needed."""
    chain(tmp_path)
    (tmp_path / "runs" / run_id(2) / "manifest.json").unlink()
    with pytest.raises(StoredDataDamaged):
        planned(tmp_path, AT + timedelta(days=99), keep_days=1)
    assert nights_in_place(tmp_path) == {1, 2, 3, 4, 5, 6}


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from pipeline.settings import Storage
from pipeline.upkeep import plan_pruning, prune
data_dir, at = Path(sys.argv[1]), int(sys.argv[2])
found = plan_pruning(data_dir, Storage(data_dir, keep_days=30), datetime(2026, 12, 24, tzinfo=UTC), resume_within_s=1)
steps = 0
def step(event, arguments):
    global steps
    if event in ("os.remove", "os.rename", "os.rmdir") or (event == "open" and arguments[1] is None):
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
prune(data_dir, found)
print(steps)
"""


def killed_at(data_dir: Path, step: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(data_dir), str(step)], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode


def test_a_kill_at_any_step_of_pruning_needs_no_repair(tmp_path):
    """Before and after each file operation: what is left is either as before or as after, and pruning again ends it."""
    chain(tmp_path / "whole")
    step, codes = 0, []
    while not codes or codes[-1]:
        step += 1
        data_dir = tmp_path / str(step)
        shutil.copytree(tmp_path / "whole", data_dir)
        codes.append(killed_at(data_dir, step))
        accepted = [one["run_id"] for one in accepted_runs(data_dir)]
        assert accepted[-3:] == [run_id(4), run_id(5), run_id(6)]
        assert len(accepted) in (3, 5)
        assert not [one for one in snapshot.verify(data_dir, CATALOGUE).findings if one.is_damage], step
        now = datetime(2026, 12, 24, tzinfo=UTC)
        prune(data_dir, planned(data_dir, now, keep_days=30))
        assert nights_in_place(data_dir) == {4, 5, 6}, step
        assert snapshot.verify(data_dir, CATALOGUE).findings == (), step
    assert step > 10


# ---- left-overs -----------------------------------------------------------------------------------------------------


def test_pages_go_when_no_run_may_go_on_from_them(tmp_path):
    """Young pages stay for the next run, and those that wait for calls; old ones and those that cannot be read go."""
    for name, last_at, paused_until in (
        ("20261122T020000Z", AT - timedelta(days=1), None),
        ("20261119T020000Z", AT - timedelta(days=4), None),
        ("20261101T020000Z", AT - timedelta(days=22), AT - timedelta(days=1)),
        ("20261102T020000Z", AT - timedelta(days=21), AT - timedelta(days=4)),
    ):
        kept = begin(tmp_path / "staging" / name, Began(name, last_at, "what is read"), max_bytes=10**6)
        kept._append(1, Response(b"{}", AT))
        if paused_until is not None:
            kept.pause_until(paused_until)
        kept.close()
        os.utime(kept.path, (last_at.timestamp(), last_at.timestamp()))
    torn = tmp_path / "staging" / "20261121T020000Z" / "pages.kept"
    torn.parent.mkdir()
    torn.write_bytes(b"\0" * 50)
    found = planned(tmp_path)
    assert [one.where.split("/")[1] for one in found.doomed] == [
        "20261102T020000Z", "20261119T020000Z", "20261121T020000Z",
    ]  # fmt: skip
    prune(tmp_path, found)
    left = sorted(path.parent.name for path in tmp_path.glob("staging/*/pages.kept"))
    assert left == ["20261101T020000Z", "20261122T020000Z"]


def test_records_of_failed_runs_go_after_400_days(tmp_path):
    """Folders without a manifest only: manifests stay for ever, and so does what belongs to a generation."""
    sealed_night(tmp_path, 1, [claim(1)])
    generations(tmp_path, range(2, 3), 2)
    for night in (2, 3, 20):
        (tmp_path / "runs" / run_id(night)).mkdir()
        (tmp_path / "runs" / run_id(night) / "report.json").write_text("{}")
    found = planned(tmp_path, datetime(2026, 11, 10, tzinfo=UTC) + timedelta(days=400))
    assert [(one.where, one.kind) for one in found.doomed] == [(f"runs/{run_id(3)}", "record")]
    prune(tmp_path, found)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [run_id(1), run_id(2), run_id(20)]
