"""`data/parquet`: the tables of the night as Parquet, behind a link of its own that follows the warehouse's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import pipeline

pytestmark = pytest.mark.marts

ON = {"PROSPEND__REPORT__PARQUET": "true"}


def shown(data: Path) -> str:
    """The run that readers of Parquet have, by the files themselves; all of them are of one run."""
    runs = {
        pq.read_schema(path).metadata[b"run_id"].decode()
        for path in (data / "parquet").resolve().glob("*/part-0.parquet")
    }
    (run_id,) = runs
    return run_id


def published(data: Path) -> str:
    return (data / "warehouse.duckdb").readlink().stem


def rows_of(data: Path) -> dict[str, int]:
    with pipeline.connect(data) as connection:
        names = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name IN ('mart', 'prospend')"
        ).fetchall()
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for (name,) in names}


@pytest.fixture
def night(prospend, site_file, tmp_path):
    """Publishes a night of the test's own site, with Parquet; tells its run."""

    def run(*more: object, code: int = 0, **how: object) -> str:
        done = prospend("run", "--quiet", "--json", "--config", site_file, *more, **{**ON, **how})
        assert done.code == code, done.err
        return json.loads(done.out)["run_id"] if done.out else ""

    return run


def test_every_table_of_the_night_stands_as_parquet(night, prospend, tmp_path):
    """Current state and marts, one folder each, with the warehouse's rows and exact types, for any reader of Parquet."""
    run_id = night()
    data = tmp_path / "data"
    assert (data / "parquet").is_symlink()
    assert str((data / "parquet").readlink()).startswith(f"parquet-runs/{run_id}-")
    assert shown(data) == run_id == published(data)
    wanted = rows_of(data)
    found = {
        path.name: pq.read_metadata(path / "part-0.parquet").num_rows
        for path in (data / "parquet").iterdir()
        if path.is_dir()
    }
    assert found == wanted
    with pipeline.connect(data) as connection, duckdb.connect() as other:
        for name in ("mart.spend_line", "prospend.claim"):
            listed = ", ".join(f'"{column}"' for column, *_ in connection.execute(f"DESCRIBE {name}").fetchall())
            ours = connection.execute(f"SELECT {listed} FROM {name} ORDER BY ALL").fetchall()
            theirs = other.execute(
                f"SELECT {listed} FROM read_parquet('{data}/parquet/{name}/*.parquet') ORDER BY ALL"
            ).fetchall()
            assert ours == theirs
    assert prospend("verify", "--data", data).code == 0


def test_the_link_follows_each_night_and_one_earlier_folder_stays(night, sandbox, tmp_path):
    """Those in the midst of reading keep their files; what is older goes."""
    data, runs = tmp_path / "data", []
    for _ in range(3):
        runs.append(night())
        sandbox.advance(1)
        assert shown(data) == published(data) == runs[-1]
    assert sorted(path.name[:16] for path in (data / "parquet-runs").iterdir()) == [run[:16] for run in runs[1:]]


def test_rollback_and_rebuild_take_it_along(night, sandbox, prospend, tmp_path):
    """Readers of both forms have the same night, whoever moved the pointer."""
    data = tmp_path / "data"
    first = night()
    sandbox.advance(3)
    second = night()
    assert prospend("rollback", "--data", data).code == 0
    assert shown(data) == published(data) == first
    assert prospend("rebuild", "--data", data).code == 0
    assert shown(data) == published(data) == second
    assert prospend("verify", "--data", data).code == 0


def test_it_is_as_the_site_wants(night, prospend, tmp_path):
    """Off by default; switched on it comes with the next run, switched off it goes with the next."""
    data = tmp_path / "data"
    night(PROSPEND__REPORT__PARQUET="false")
    assert not (data / "parquet-runs").exists()
    night()
    assert shown(data) == published(data)
    night(PROSPEND__REPORT__PARQUET="false")
    assert not (data / "parquet").is_symlink()
    assert list((data / "parquet-runs").iterdir()) == []


def test_erased_people_vanish_from_it(night, prospend, tmp_path):
    """Neither id nor name stands in any file of Parquet after an erasure, not even in the night before's."""
    data = tmp_path / "data"
    night()
    night()
    with pipeline.connect(data) as connection:
        ((person, name),) = connection.execute(
            "SELECT claimant_id, any_value(claimant_name) FROM prospend.claim GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 1"
        ).fetchall()
    assert name in texts_of(data)
    assert prospend("erase", person, "--data", data).code == 0
    assert not {person, name} & texts_of(data)
    assert len(list((data / "parquet-runs").iterdir())) == 1
    assert shown(data) == published(data)
    assert prospend("verify", "--data", data).code == 0


def texts_of(data: Path) -> set[str]:
    """Every text in the columns that could tell of a claimant, in all files that are kept."""
    found: set[str] = set()
    for path in (data / "parquet-runs").rglob("*.parquet"):
        for name in pq.read_schema(path).names:
            if "claimant" in name:
                found |= set(map(str, pq.read_table(path, columns=[name]).column(0).to_pylist()))
    return found


KILLER = """
import os, signal, sys
from pipeline.upkeep import parquet

def struck(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(parquet, sys.argv.pop(1), struck)
from pipeline.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("at", "is_published"),
    [("write_parquet", False), ("move", False), ("point", True)],
    ids=["writing", "naming", "between"],
)
def test_a_kill_leaves_one_whole_night_and_the_next_run_mends_it(
    night, sandbox, prospend, site_file, tmp_path, at, is_published
):
    """Killed while it is written, before it has its name, and between the two renames: readers have a whole night."""
    data = tmp_path / "data"
    first = night()
    before = rows_of(data)
    sandbox.advance(2)
    (tmp_path / "killer.py").write_text(KILLER)
    killed = prospend("run", "--config", site_file, through=(tmp_path / "killer.py", at), **ON)
    assert killed.code == -9
    assert shown(data) == first
    assert {
        path.name: pq.read_metadata(path / "part-0.parquet").num_rows
        for path in (data / "parquet").iterdir()
        if path.is_dir()
    } == before
    assert (published(data) != first) == is_published
    assert prospend("verify", "--data", data).code == 0
    night()
    assert shown(data) == published(data) != first
    assert not list((data / "parquet-runs").glob(".building-*"))
    assert not (data / ".parquet.next").is_symlink()


def test_a_folder_of_somebody_else_is_never_touched(night, prospend, site_file, tmp_path):
    """Where data/parquet is no link of ours, a run that should write there says so before any call."""
    (tmp_path / "data" / "parquet").mkdir(parents=True)
    (tmp_path / "data" / "parquet" / "mine.parquet").write_text("mine")
    refused = prospend("run", "--config", site_file, **ON)
    assert (refused.code, "parquet" in refused.lines["WHAT"]) == (10, True)
    assert not (tmp_path / "data" / "runs").exists()
    night(PROSPEND__REPORT__PARQUET="false")
    assert (tmp_path / "data" / "parquet" / "mine.parquet").read_text() == "mine"


def test_verify_and_prune_know_it(night, prospend, site_file, tmp_path):
    """A changed byte, a planted file, a folder of nobody: told, and mended as told."""
    data = tmp_path / "data"
    night()
    folder = (data / "parquet").resolve()
    part = folder / "prospend.claim" / "part-0.parquet"
    part.chmod(0o640)
    with part.open("r+b") as file:
        file.seek(200)
        file.write(b"\xff\xff")
    damaged = prospend("verify", "--data", data)
    assert (damaged.code, "prospend.claim/part-0.parquet is not what was written" in damaged.out) == (40, True)
    shutil.rmtree(folder)
    assert prospend("verify", "--data", data).code == 40
    assert prospend("rollback", published(data), "--data", data).code == 0
    assert prospend("verify", "--data", data).code == 0
    assert shown(data) == published(data)
    for number in (1, 2):
        shutil.copytree(folder, folder.with_name(f"2020010{number}T000000Z-0123456789ab"))
        os.utime(folder.with_name(f"2020010{number}T000000Z-0123456789ab"), (number, number))
    pruned = json.loads(prospend("prune", "--json", "--config", site_file, **ON).out)
    assert [one["where"] for one in pruned["removed"] if one["kind"] == "parquet"] == [
        "parquet-runs/20200101T000000Z-0123456789ab"
    ]
