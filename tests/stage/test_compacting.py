"""Putting small parts of many nights together: which, what they hold afterwards, and what a kill leaves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snapshot_runs import CATALOGUE, claim, run_id, sealed_night

from pipeline import snapshot
from pipeline.errors import StoredDataDamaged
from pipeline.settings import Storage
from pipeline.snapshot import parts_of, read_deleted, read_pages, read_quarantine
from pipeline.upkeep import Pruning, plan_pruning, prune

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIGHTS = 16
FULL = (1, 6, 13)  # of the nights below, those that read everything


def planned(data_dir: Path, now: datetime = AT, **storage: object) -> Pruning:
    return plan_pruning(data_dir, Storage(data_dir, **storage), now, resume_within_s=3600)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen accepted nights, three of them full; some have deletions, one a record that did not fit."""
    data_dir = tmp_path_factory.mktemp("lived") / "data"
    for night in range(1, NIGHTS + 1):
        claims = [claim(night), claim(night + 100)] + ([b'{"id": "bad", "approvers": 7}'] if night == 3 else [])
        deleted = [str(night)] if night in (2, 3, 4, 5) else []
        sealed_night(data_dir, night, claims, base=night - 1 or None, full=night in FULL, deleted=deleted)
    return data_dir


@pytest.fixture
def data_dir(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lived, tmp_path / "data"))


def files_in(data_dir: Path, name: str) -> list[str]:
    return sorted(path.parent.name for path in (data_dir / "snapshots" / name).rglob("*.parquet"))


def nights_told(data_dir: Path) -> list[object]:
    """Everything that any reader of snapshots gets, run by run."""
    told: list[object] = []
    for night in range(1, NIGHTS + 1):
        name = run_id(night)
        held = parts_of(data_dir, snapshot.manifest_of(data_dir, name))
        files = {one: [data_dir / part.path for part in parts] for one, parts in held.items()}
        tables = [pq.read_table(path, partitioning=None) for path in files["claim"]]
        rows = [row for table in tables for row in table.to_pylist() if row["_run_id"] == name]
        assert len(rows) == sum(part.rows for part in held["claim"])
        proofs = [tuple(read_pages(files.get("_pages", ()), name)), read_deleted(files.get("_deleted", ()), name)]
        told += [rows, proofs, read_quarantine(files.get("_quarantine", ()), name)]
    return told


def test_small_parts_of_older_nights_become_one_file_between_two_full_runs(data_dir: Path):
    """The newest three nights stay; every night still has the very rows and proofs that it had."""
    before = nights_told(data_dir)
    found = planned(data_dir)
    assert {(one.file.name, one.run_count) for one in found.together} == {
        *((name, count) for name in ("claim", "company", "_pages") for count in (5, 7)),
        ("_deleted", 4),
    }
    assert (found.doomed, (data_dir / "rewrites").exists()) == ((), False)
    prune(data_dir, found)
    assert files_in(data_dir, "claim") == ["rewrite=1"] * 2 + [f"run={run_id(night)}" for night in range(13, 17)]
    assert files_in(data_dir, "_deleted") == ["rewrite=1"]
    assert files_in(data_dir, "_quarantine") == [f"run={run_id(3)}"]
    assert nights_told(data_dir) == before
    assert snapshot.verify(data_dir, CATALOGUE).findings == ()
    assert planned(data_dir).together == ()


def test_rows_of_a_run_stay_together_in_order(data_dir: Path):
    """One row group a run, written as the parts were: whoever reads one run skips the others, checksums hold."""
    part = data_dir / "snapshots/claim" / f"run={run_id(16)}" / "part-00000.parquet"
    prune(data_dir, planned(data_dir))
    path = data_dir / "snapshots/claim/rewrite=1/part-00000.parquet"
    with pq.ParquetFile(path, page_checksum_verification=True) as file, pq.ParquetFile(part) as as_before:
        assert file.schema_arrow.equals(as_before.schema_arrow, check_metadata=True)
        groups = [file.read_row_group(group) for group in range(file.num_row_groups)]
        columns = [file.metadata.row_group(0).column(place) for place in range(file.metadata.num_columns)]
        was = [as_before.metadata.row_group(0).column(place) for place in range(as_before.metadata.num_columns)]
    assert [pa.compute.unique(one["_run_id"]).to_pylist() for one in groups] == [[run_id(n)] for n in range(1, 6)]
    assert [one["_record"].to_pylist() for one in groups] == [[0, 1]] * 5
    assert [(one.compression, one.has_dictionary_page) for one in columns] == [
        (one.compression, one.has_dictionary_page) for one in was
    ]
    assert path.stat().st_mode & 0o777 == 0o440


def test_what_was_put_together_goes_with_its_full_run(data_dir: Path):
    """Retention removes whole eras; a file with rows of any night that stays is left."""
    prune(data_dir, planned(data_dir))
    now = AT + timedelta(days=40)  # all nights say that they began on the 23rd: the newest full run stands for the rest
    prune(data_dir, planned(data_dir, now, keep_days=30))
    assert files_in(data_dir, "claim") == [f"run={run_id(night)}" for night in range(13, 17)]
    assert snapshot.verify(data_dir, CATALOGUE).findings == ()


def test_new_small_parts_join_a_small_file(data_dir: Path):
    """Pruned each week, the files of an era are put together again when there are enough of them."""
    prune(data_dir, planned(data_dir))
    for night in range(17, 21):
        sealed_night(data_dir, night, [claim(night)], base=night - 1, full=False)
    prune(data_dir, planned(data_dir))  # nights 13 to 17
    for night in range(21, 24):
        sealed_night(data_dir, night, [claim(night)], base=night - 1, full=False)
    (more,) = [one for one in planned(data_dir).together if one.file.name == "claim"]
    assert (more.run_count, len(more.file.of)) == (8, 4)
    assert nights_told(data_dir)
    prune(data_dir, planned(data_dir))
    assert files_in(data_dir, "claim")[:3] == ["rewrite=1", "rewrite=1", "rewrite=3"]
    assert snapshot.verify(data_dir, CATALOGUE).findings == ()


def test_a_damaged_part_is_never_written_anew(data_dir: Path):
    """A changed byte would get a hash that holds: the part is refused, and all stays as it was."""
    path = data_dir / "snapshots/claim" / f"run={run_id(2)}" / "part-00000.parquet"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(StoredDataDamaged, match="not what was sealed"):
        prune(data_dir, planned(data_dir))
    assert not (data_dir / "rewrites").exists()
    assert len([one for one in files_in(data_dir, "claim") if one.startswith("run=")]) == NIGHTS


def test_damage_to_a_shared_file_is_found_by_its_runs(data_dir: Path):
    """Its hash is compared once, its amounts with the manifest of every run that has rows in it."""
    prune(data_dir, planned(data_dir))
    path = data_dir / "snapshots/claim/rewrite=1/part-00000.parquet"
    content = path.read_bytes()
    path.chmod(0o640)
    path.write_bytes(content[:50] + b"\0" + content[51:])
    (found,) = [one for one in snapshot.verify(data_dir, CATALOGUE).findings if one.is_damage]
    assert found.where == "snapshots/claim/rewrite=1/part-00000.parquet"


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from pipeline.settings import Storage
from pipeline.upkeep import plan_pruning, prune
data_dir, at = Path(sys.argv[1]), int(sys.argv[2])
found = plan_pruning(data_dir, Storage(data_dir), datetime(2026, 11, 23, 12, tzinfo=UTC), resume_within_s=3600)
steps = 0
def step(event, arguments):
    global steps
    if event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod") or (
        event == "open" and arguments[1] is None
    ):
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
prune(data_dir, found)
print(steps)
"""


def steps_until_killed(data_dir: Path, step: int) -> tuple[int, int]:
    command = [sys.executable, "-c", _KILLED, str(data_dir), str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, int(done.stdout or 0)


def test_a_kill_anywhere_leaves_the_old_files_or_the_new(lived: Path, tmp_path: Path):
    """At some steps of writing, telling and removing: every night has its rows, and the next pruning ends it."""
    before = nights_told(lived)
    _, count = steps_until_killed(Path(shutil.copytree(lived, tmp_path / "whole")), 0)
    assert count > 60
    for step in range(1, count + 1, count // 8):
        data_dir = Path(shutil.copytree(lived, tmp_path / str(step)))
        assert steps_until_killed(data_dir, step)[0] == -9
        assert nights_told(data_dir) == before, step
        assert not [one for one in snapshot.verify(data_dir, CATALOGUE).findings if one.is_damage], step
        snapshot.sweep(data_dir)
        assert snapshot.verify(data_dir, CATALOGUE).findings == (), step
        prune(data_dir, planned(data_dir))
        assert nights_told(data_dir) == before, step
        assert files_in(data_dir, "claim") == files_in(tmp_path / "whole", "claim"), step
        shutil.rmtree(data_dir)
