"""What others do to the data folder while a run works in it, or have done before: removals, copies, damage, logs."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from published import contents

import pipeline
from pipeline import upkeep
from pipeline.errors import PipelineError, StoredDataDamaged
from pipeline.model import StageBegan
from pipeline.night.rebuilding import rebuild
from pipeline.nightly import run as run_night
from pipeline.ops.runs import pointer_of
from pipeline.resources import read_catalogue
from pipeline.settings import Settings

CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24


@pytest.fixture
def after_a_night(site: Settings, earlier_night: Path) -> Settings:
    """The site on top of a published night."""
    shutil.copytree(earlier_night, site.storage.data_dir, symlinks=True)
    return site


def published(site: Settings) -> Path:
    return pointer_of(site.storage.data_dir).resolve()


def left_over(data_dir: Path) -> set[str]:
    """Files of runs that did not end."""
    staged = [path for path in (data_dir / "staging").rglob("*") if path.is_file()]
    return {path.name for path in (*staged, *(data_dir / "warehouse").glob(".*"))}


def at(stage: str, act: Callable[[], object]):
    def observe(event: object) -> None:
        if event == StageBegan(stage):
            act()

    return observe


def stopped_by_removing(site: Settings, stage: str, what: str) -> PipelineError:
    """How a run ends under which this was removed: readers keep their night, and nothing but pages is left."""
    data_dir, before = site.storage.data_dir, published(site)

    def remove() -> None:
        (run_id,) = {path.name for path in (data_dir / "staging").iterdir()}
        for path in data_dir.glob(what.format(run=run_id)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    with pytest.raises(PipelineError) as caught:
        run_night(site, observe=at(stage, remove))
    assert "readers remain on the warehouse of" in caught.value.state
    assert published(site) == before
    assert left_over(data_dir) <= {"pages.kept"}
    return caught.value


@pytest.mark.parametrize("stage", ["check", "publish"])
def test_the_new_warehouse_is_removed_under_a_run(after_a_night: Settings, stage: str):
    """It stops with exit 31 and says where."""
    stopped = stopped_by_removing(after_a_night, stage, "warehouse/.*")
    assert stopped.exit_code == 31
    assert stopped.where


@pytest.mark.parametrize(("stage", "what"), [("seal", "staging/*"), ("load", "snapshots/*/run={run}")])
def test_parts_are_removed_under_a_run(after_a_night: Settings, stage: str, what: str):
    """What was written and cannot be read any more is damage, exit 40."""
    assert stopped_by_removing(after_a_night, stage, what).exit_code == 40


def test_a_copy_of_the_folder_made_at_any_moment_is_sound(after_a_night: Settings, tmp_path: Path):
    """A backup runs through a night: each copy shows a whole night, and verifies to the last byte."""
    data_dir = after_a_night.storage.data_dir
    before, copies = contents(data_dir), []

    def copy(event: object) -> None:
        if isinstance(event, StageBegan):
            copies.append(tmp_path / f"copy-{event.stage}")
            shutil.copytree(data_dir, copies[-1], symlinks=True)

    run_night(after_a_night, observe=copy)
    assert len(copies) == 7
    for one in copies:
        assert contents(one) == before
        assert [found for found in upkeep.verify(one, read_catalogue()).findings if found.is_damage] == []


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


HARMS = {
    "flipped": flipped,
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "beside a log": lambda path: path.with_name(f"{path.name}.wal").write_bytes(b"planted"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_no_run_builds_on_a_damaged_generation(after_a_night: Settings, sandbox, harm: str):
    """The file that readers have is read before the first request: exit 40 names it, and what to do."""
    path = published(after_a_night)
    path.chmod(0o640)
    HARMS[harm](path)
    with pytest.raises(StoredDataDamaged) as caught:
        run_night(after_a_night)
    assert caught.value.exit_code == 40
    assert path.name in caught.value.where
    assert "rebuild" in caught.value.do or "remove the log" in caught.value.do
    assert sandbox.journal.counts.requests == 0


WRITING = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('DROP SCHEMA prospend CASCADE')"


def test_no_tool_can_write_into_what_is_published(after_a_night: Settings):
    """A program that opens the file for writing is refused by its mode: another user's, and the owner's as well."""
    path = published(after_a_night)
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", WRITING, str(pointer_of(after_a_night.storage.data_dir))],
        env={"PATH": os.environ["PATH"]},
        preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    assert path.read_bytes() == before
    with closing(pipeline.connect(after_a_night.storage.data_dir)) as connection, pytest.raises(duckdb.Error):
        connection.execute("DROP SCHEMA prospend CASCADE")


@pytest.mark.parametrize("damage", [flipped, Path.unlink], ids=["flipped", "gone"])
def test_no_damaged_part_is_used(after_a_night: Settings, damage: Callable[[Path], object]):
    """A flipped bit, which neither Arrow nor DuckDB would notice, or no part at all: exit 40 names it, readers keep theirs."""
    data_dir, before = after_a_night.storage.data_dir, published(after_a_night).read_bytes()
    part = next((data_dir / "snapshots" / "claim").glob("*/*.parquet"))
    part.chmod(0o640)
    damage(part)
    with pytest.raises(StoredDataDamaged) as caught:
        rebuild(data_dir, read_catalogue(), datetime.now(UTC))
    assert caught.value.exit_code == 40
    assert part.name in caught.value.where
    assert "`prospend verify`" in caught.value.do
    assert published(after_a_night).read_bytes() == before
