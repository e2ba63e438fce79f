"""The switch from one generation to the next, seen by readers, by intruders and by whoever pulls the plug."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from warehouse_parts import CHECKS, RUN_ID, build, claim, facts, published

from pipeline import warehouse
from pipeline.errors import LocalAccess, LocalResource, StoredDataDamaged

NEXT = "20261124T020000Z"
ROOT = Path(__file__).parents[2]
STAGE = Path(__file__).parent


def finished(folder: Path, run_id: str) -> Path:
    """A finished, unpublished file with as many claims as the run id's last day digit says."""
    built = build(folder, claims=[claim(str(n)) for n in range(int(run_id[7]))], run=facts(run_id))
    warehouse.finish(built, CHECKS)
    return built.path


def shown(pointer: Path) -> str:
    with warehouse.connect(pointer) as connection:
        return warehouse.snapshot_info(connection).run_id


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process of its own that can import the package."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(STAGE)))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_published_file_is_immutable_and_reached_by_a_relative_link(tmp_path: Path):
    """The generation lies under its run id, read-only, and the whole data folder can be moved."""
    pointer = published(tmp_path)
    generation = tmp_path / "warehouse" / f"{RUN_ID}.duckdb"
    assert generation.stat().st_mode & 0o777 == 0o440
    assert pointer.readlink() == Path(f"warehouse/{RUN_ID}.duckdb")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "spill", "warehouse", "warehouse.duckdb"]
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    shutil.copytree(tmp_path, moved, symlinks=True)
    assert shown(moved / "warehouse.duckdb") == RUN_ID


def test_an_open_reader_keeps_its_night_and_a_new_connection_sees_the_new_one(tmp_path: Path):
    """Both within one process and at the same time: the old connection works on, the new one shows the new data."""
    pointer = published(tmp_path, claims=[claim("1")])
    with warehouse.connect(pointer) as old:
        published(tmp_path, NEXT, claims=[claim("1"), claim("2")])
        with warehouse.connect(pointer) as new:
            assert warehouse.table_rows(new)["claim"] == 2
            assert warehouse.table_rows(old)["claim"] == 1
            assert warehouse.snapshot_info(old).run_id == RUN_ID


def test_readers_never_see_an_error_or_an_older_night(tmp_path: Path):
    """Two processes open the pointer over and over during 50 publishes: no error, never backwards, never a mixture."""
    template = finished(tmp_path, "20261101T000000Z")
    pointer = tmp_path / "warehouse.duckdb"
    files = []
    for number in range(50):
        run_id = f"20261201T{number:06d}Z"
        path = tmp_path / "warehouse" / f".building-{run_id}.duckdb"
        shutil.copy(template, path)
        _claim_to_be(path, run_id)
        files.append((path, run_id))
    warehouse.publish(*files[0][:1], tmp_path / "warehouse", pointer, files[0][1])
    reader = """
import sys
from pathlib import Path
from pipeline import warehouse
pointer, last, opens = Path(sys.argv[1]), "", 0
print("ready", flush=True)
while last < sys.argv[2]:
    with warehouse.connect(pointer) as connection:
        run_id = warehouse.snapshot_info(connection).run_id
        ((other,),) = connection.execute("SELECT run_id FROM meta.run").fetchall()
    assert run_id == other, "a mixture"
    assert run_id >= last, "an older night"
    last, opens = run_id, opens + 1
print(opens)
"""
    readers = [python(reader, pointer, files[-1][1]) for _ in range(2)]
    for one in readers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for path, run_id in files[1:]:
        warehouse.publish(path, tmp_path / "warehouse", pointer, run_id)
        assert shown(pointer) == run_id
    for one in readers:
        out, _ = one.communicate(timeout=60)
        assert one.returncode == 0
        assert int(out) >= 1


def _claim_to_be(path: Path, run_id: str) -> None:
    import duckdb

    path.chmod(0o600)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta.snapshot_info SET run_id = ?", [run_id]).fetchall()
        connection.execute("UPDATE meta.run SET run_id = ?", [run_id]).fetchall()
        connection.execute("CHECKPOINT").fetchall()


@pytest.mark.parametrize("beside", ["built", "target", "pointer"])
def test_a_log_beside_any_of_the_files_stops_the_publish(tmp_path: Path, beside: str):
    """A foreign log next to a renamed database is silent corruption: nothing is renamed, readers keep what they have."""
    pointer = published(tmp_path)
    path = finished(tmp_path, NEXT)
    target = tmp_path / "warehouse" / f"{NEXT}.duckdb"
    log = {"built": path, "target": target, "pointer": pointer}[beside]
    log = log.with_name(log.name + ".wal")
    log.write_bytes(b"planted")
    with pytest.raises(StoredDataDamaged) as caught:
        warehouse.publish(path, tmp_path / "warehouse", pointer, NEXT)
    assert str(log) == caught.value.where
    assert path.exists()
    assert not target.exists()
    assert pointer.readlink() == Path(f"warehouse/{RUN_ID}.duckdb")


def test_a_generation_is_never_replaced(tmp_path: Path):
    """A run id that is taken refuses the publish; the file under it stays as it is."""
    pointer = published(tmp_path)
    before = pointer.read_bytes()
    path = finished(tmp_path, NEXT)
    with pytest.raises(LocalAccess):
        warehouse.publish(path, tmp_path / "warehouse", pointer, RUN_ID)
    assert pointer.read_bytes() == before


def test_a_file_in_the_place_of_the_pointer_is_not_overwritten(tmp_path: Path):
    """Somebody's own database called warehouse.duckdb survives."""
    pointer = tmp_path / "warehouse.duckdb"
    path = finished(tmp_path, NEXT)
    pointer.write_bytes(b"mine")
    with pytest.raises(LocalAccess):
        warehouse.publish(path, tmp_path / "warehouse", pointer, NEXT)
    assert pointer.read_bytes() == b"mine"


def test_a_missing_file_cannot_be_published(tmp_path: Path):
    """Without the built file the pointer stays where it is."""
    pointer = published(tmp_path)
    with pytest.raises((LocalAccess, LocalResource)):
        warehouse.publish(tmp_path / "nothing.duckdb", tmp_path / "warehouse", pointer, NEXT)
    assert shown(pointer) == RUN_ID


def test_a_link_left_by_a_dead_publish_does_not_matter(tmp_path: Path):
    """What a publish left that died before its last step is replaced by the next."""
    pointer = published(tmp_path)
    (tmp_path / ".warehouse.duckdb.next").symlink_to("warehouse/nowhere.duckdb")
    published(tmp_path, NEXT)
    assert shown(pointer) == NEXT
    assert not (tmp_path / ".warehouse.duckdb.next").is_symlink()


def test_a_switch_that_was_cut_off_can_be_finished_once_its_file_is_there(tmp_path: Path):
    """What was announced is told only when it can be opened; then the last step is all that is left."""
    pointer = published(tmp_path)
    assert warehouse.announced(pointer) is None
    (tmp_path / ".warehouse.duckdb.next").symlink_to(f"warehouse/{NEXT}.duckdb")
    assert warehouse.announced(pointer) is None
    target = finished(tmp_path, NEXT).rename(tmp_path / "warehouse" / f"{NEXT}.duckdb")
    assert warehouse.announced(pointer) == target
    warehouse.finish_switch(pointer)
    assert (shown(pointer), warehouse.announced(pointer)) == (NEXT, None)


def test_death_at_any_step_leaves_one_complete_night(tmp_path: Path):
    """A publish that dies before its n-th change of the disk, for every n: readers have the old night or the new one.

    The run after it publishes, and nothing unfinished remains.
    """
    publish_and_die = """
import os, sys
from pathlib import Path
from pipeline import warehouse
folder, run_id, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def watch(event, arguments):
    global left
    if event in {"os.rename", "os.symlink", "os.chmod", "os.remove", "os.mkdir"} or (
        event == "open" and Path(str(arguments[0])).is_relative_to(folder)  # every fsync opens what it syncs
    ):
        left -= 1
        if left < 0:
            os._exit(9)
building = folder / "warehouse" / f".building-{run_id}.duckdb"
sys.addaudithook(watch)
warehouse.publish(building, folder / "warehouse", folder / "warehouse.duckdb", run_id)
os._exit(0)
"""
    nights = [RUN_ID, NEXT, "20261125T020000Z"]
    templates = [finished(tmp_path, night) for night in nights]
    outcomes = []
    for step in range(100):
        folder = tmp_path / f"data{step}"
        pointer = folder / "warehouse.duckdb"
        (folder / "warehouse").mkdir(parents=True)
        first, _, last = [shutil.copy(template, folder / "warehouse" / template.name) for template in templates]
        warehouse.publish(first, folder / "warehouse", pointer, nights[0])
        process = python(publish_and_die, folder, NEXT, step)
        process.communicate(timeout=60)
        outcomes.append((process.returncode, shown(pointer)))
        warehouse.publish(last, folder / "warehouse", pointer, nights[2])
        warehouse.sweep(folder / "warehouse")
        assert shown(pointer) == nights[2]
        left = {path.name for path in (*folder.iterdir(), *(folder / "warehouse").iterdir())}
        assert not {name for name in left if name.startswith(".")}
        if process.returncode == 0:
            break
        assert process.returncode == 9
    assert outcomes[-1] == (0, NEXT)
    seen = [night for _, night in outcomes]
    assert seen == sorted(seen)
    assert set(seen) == {RUN_ID, NEXT}
    assert len(outcomes) > 8


def test_everything_is_synced_before_and_after_it_gets_its_name(tmp_path: Path):
    """The order that survives a power loss: file, then the link aside, then the file's name, then the pointer."""
    program = """
import os, sys
from pathlib import Path
from pipeline import warehouse
folder, run_id = Path(sys.argv[1]), sys.argv[2]
building = folder / "warehouse" / f".building-{run_id}.duckdb"
def told(path):
    return str(Path(str(path)).relative_to(folder))
def watch(event, arguments):
    if event == "open" and str(arguments[0]).startswith(str(folder)):
        print("sync", told(arguments[0]))  # what is opened here is opened to be synced
    elif event == "os.rename":
        print("rename", told(arguments[0]), told(arguments[1]))
    elif event == "os.symlink":
        print("link", arguments[0], told(arguments[1]))
sys.addaudithook(watch)
warehouse.publish(building, folder / "warehouse", folder / "warehouse.duckdb", run_id)
"""
    building = f"warehouse/{finished(tmp_path, NEXT).name}"
    process = python(program, tmp_path, NEXT)
    out, _ = process.communicate(timeout=60)
    assert out.splitlines() == [
        f"sync {building}",
        f"link warehouse/{NEXT}.duckdb .warehouse.duckdb.next",
        "sync .",
        f"rename {building} warehouse/{NEXT}.duckdb",
        "sync warehouse",
        "rename .warehouse.duckdb.next warehouse.duckdb",
        "sync .",
    ]


def test_generations_are_listed_newest_first(tmp_path: Path):
    """Every published file with its size, the current one marked; runs of one second in their order, builds left out."""
    assert warehouse.generations(tmp_path / "warehouse", tmp_path / "warehouse.duckdb") == ()
    names = [RUN_ID, f"{RUN_ID}-2", f"{RUN_ID}-10", NEXT]
    for name in (names[3], names[1], names[0], names[2]):
        pointer = published(tmp_path, name)
    build(tmp_path, run=facts("20261130T020000Z"))
    found = warehouse.generations(tmp_path / "warehouse", pointer)
    assert [one.run_id for one in found] == names[::-1]
    assert [one.run_id for one in found if one.is_current] == [f"{RUN_ID}-10"]
    assert all(one.size_bytes == one.path.stat().st_size for one in found)
