"""Forgetting a person: afterwards no byte below the data folder tells of them, and the books are what they were."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from readable import contents_of, reader

import pipeline
from pipeline import upkeep, warehouse
from pipeline.model import StageBegan
from pipeline.night.erasing import forget
from pipeline.nightly import run as run_night
from pipeline.readings import Wanted
from pipeline.resources import read_catalogue
from pipeline.sandbox import Running
from pipeline.settings import Settings
from pipeline.snapshot import list_people, manifest_of

CATALOGUE = read_catalogue()
NO_RECHECK = 0.0
AT = datetime(2026, 11, 23, tzinfo=UTC)


def new_key(count: int) -> bytes:
    return bytes(range(count))


@dataclass(frozen=True)
class Person:
    """What tells who somebody is."""

    id: str
    name: str
    number: str
    code: str

    def traces(self) -> tuple[bytes, ...]:
        """Texts that nobody else's data holds; the id as JSON has it."""
        return tuple(one.encode() for one in (self.name, self.number, self.code, f'"{self.id}"'))


def somebody(data_dir: Path) -> Person:
    """A person of the books who has claimed, approved, and whose name nobody shares."""
    with pipeline.connect(data_dir) as connection:
        found = connection.execute(
            "SELECT claimant_id, claimant_name, employee_number, claimant_external_code FROM prospend.claim "
            "WHERE claimant_id IN (SELECT id FROM prospend.claim_approver) GROUP BY ALL ORDER BY count(*) DESC, claimant_id"
        ).fetchone()
    return Person(*found)


def told_of(person: Person, data_dir: Path) -> list[str]:
    """Every place below the folder that tells of them: bytes of files, values of Parquet, rows of every warehouse."""
    found = []
    with reader() as by:
        for path in sorted(path for path in data_dir.rglob("*") if path.is_file() and not path.is_symlink()):
            where = str(path.relative_to(data_dir))
            for place, content in contents_of(path, by):
                found += [f"{where}, {place}: {trace!r}" for trace in person.traces() if trace in content]
            if path.suffix == ".duckdb":
                found += [f"{where}, {table}" for table in tables_with(person.id, path)]
            if path.suffix == ".parquet":
                names = {one[0] for one in by.execute(f"DESCRIBE FROM '{path}'").fetchall()}
                for sql in ids_in_part(names, path):
                    ((count,),) = by.execute(sql, [person.id]).fetchall()
                    found += [f"{where}: {sql}"] * bool(count)
    return found


def ids_in_part(names: set[str], path: Path) -> Iterator[str]:
    source = f"read_parquet('{path}', hive_partitioning = false)"
    if "claimantId" in names:
        yield f"SELECT count(*) FROM {source} WHERE claimantId = ?"
    if "approvers" in names:
        yield f"SELECT count(*) FROM (SELECT unnest(approvers) AS one FROM {source}) WHERE one.id = ?"


def tables_with(person_id: str, path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        columns = connection.execute(
            "SELECT format('{}.{}', schema_name, table_name), column_name FROM duckdb_columns() WHERE NOT internal AND "
            "(column_name = 'claimant_id' OR (column_name = 'id' AND table_name LIKE '%_approver')) "
            "AND schema_name IN ('prospend', 'past')"
        ).fetchall()
        return [
            table
            for table, column in columns
            if connection.execute(f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", [person_id]).fetchall()
        ]


def totals(data_dir: Path) -> list[tuple[object, ...]]:
    with pipeline.connect(data_dir) as connection:
        return connection.execute("FROM meta.control_total ORDER BY ALL").fetchall()


def sums(data_dir: Path) -> list[tuple[str, Decimal, int]]:
    with pipeline.connect(data_dir) as connection:
        return connection.execute(
            "SELECT currency_code, sum(gross_amount), count(*) FROM prospend.expense WHERE _deleted_at IS NULL "
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()


def hashes(data_dir: Path) -> dict[str, str]:
    with pipeline.connect(data_dir) as connection:
        return warehouse.content_hash(connection)


@pytest.fixture
def quiet_site(site: Settings) -> Settings:
    """A site whose nights recheck nothing, so that what changed is what changed at the source."""
    return replace(site, extract=replace(site.extract, recheck_percent=NO_RECHECK))


def test_a_forgotten_person_stands_nowhere(
    quiet_site: Settings, sandbox: Running, site_file: Path, prospend: Callable[..., object]
):
    """Dry run, erase, scan every byte; then verify, rebuild, further nights: gone, and the amounts are what they were."""
    site, data_dir = quiet_site, quiet_site.storage.data_dir
    for _ in range(2):
        run_night(site)
        sandbox.advance(2)
    leave_pages(site)
    person = somebody(data_dir)
    before = totals(data_dir), sums(data_dir)
    assert {place.split("/")[0] for place in told_of(person, data_dir)} == {"snapshots", "staging", "warehouse"}

    would = json.loads(prospend("erase", "--dry-run", "--json", person.id, "--config", site_file).out)
    assert not (data_dir / "erasures").exists()
    done = prospend("erase", "--json", person.id, "--config", site_file)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert {**told, "people": []} == {**would, "dry_run": False}
    assert (len(told["generations_removed"]), told["kept_pages_removed"]) == (1, 1)
    assert {"claim", "expense", "invoice"} <= set(told["rows"])

    assert told_of(person, data_dir) == []
    assert person.id not in done.out + done.err
    assert (totals(data_dir), sums(data_dir)) == before
    assert upkeep.verify(data_dir, CATALOGUE).findings == ()
    live = hashes(data_dir)
    assert prospend("rebuild", "--config", site_file).code == 0
    assert hashes(data_dir) == live
    assert json.loads(prospend("erase", "--json", person.id, "--config", site_file).out)["was_done"]

    full = run_night(site, wanted=Wanted(is_full=True))
    assert (told_of(person, data_dir), manifest_of(data_dir, full.run_id)["erased_people"]) == ([], 1)
    with pipeline.connect(data_dir) as connection:
        ((theirs,),) = connection.execute(
            "SELECT count(*) FROM prospend.claim WHERE claimant_id = ? AND claimant_name = claimant_id",
            told["people"],
        ).fetchall()
    assert theirs
    again = run_night(site)
    assert {one.name: (one.new, one.changed) for one in again.resources if one.new or one.changed} == {}
    live = hashes(data_dir)
    assert prospend("rebuild", "--config", site_file).code == 0
    assert (hashes(data_dir), upkeep.verify(data_dir, CATALOGUE).findings) == (live, ())


def leave_pages(site: Settings) -> None:
    """A run that ended early keeps what it read."""

    def fail(event: object) -> None:
        if event == StageBegan("seal"):
            raise OSError(28, "No space left on device")

    with pytest.raises(pipeline.LocalResource):
        run_night(site, wanted=Wanted(is_full=True), observe=fail)
    assert list((site.storage.data_dir / "staging").glob("*/pages.kept"))


def test_a_night_before_the_erasure_is_done_brings_nobody_back(quiet_site: Settings):
    """A call that died after listing: what is read from then on tells of nobody, and the same call ends it all."""
    data_dir = quiet_site.storage.data_dir
    first = run_night(quiet_site)
    person = somebody(data_dir)
    list_people(data_dir, [person.id], at=AT.isoformat(), new_key=new_key)
    second = run_night(quiet_site, wanted=Wanted(is_full=True))
    told = told_of(person, data_dir)
    assert {first.run_id in one for one in told if one.startswith("snapshots")} == {True}
    assert [one.where for one in upkeep.verify(data_dir, CATALOGUE).findings] == ["erasures"]
    done = forget(data_dir, CATALOGUE, [person.id], AT, new_key=new_key)
    assert (told_of(person, data_dir), done.generations) == ([], (f"{first.run_id}.duckdb",))
    with pipeline.connect(data_dir) as connection:
        assert connection.execute("SELECT run_id FROM meta.snapshot_info").fetchone() == (second.run_id,)
    assert upkeep.verify(data_dir, CATALOGUE).findings == ()


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from pipeline.night.erasing import forget
from pipeline.resources import read_catalogue
data_dir, person, at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
catalogue = read_catalogue()
steps = 0
def step(event, arguments):
    global steps
    if event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.symlink", "os.truncate") or (
        event == "open" and arguments[1] is None
    ):
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
forget(data_dir, catalogue, [person], datetime(2026, 11, 23, tzinfo=UTC), new_key=lambda count: bytes(range(count)))
print(steps)
"""
TRIALS = 5


def killed_at(data_dir: Path, person: Person, step: int) -> tuple[int, int]:
    """Exit code and number of steps of an erasure in a process of its own."""
    command = [sys.executable, "-c", _KILLED, str(data_dir), person.id, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, int(done.stdout or 0)


def test_a_kill_anywhere_and_the_same_call_again(earlier_night: Path, tmp_path: Path):
    """Readers have the old warehouse or the new one, whole, at any instant; afterwards all is as without the kill."""
    person, old = somebody(earlier_night), hashes(earlier_night)
    whole = Path(shutil.copytree(earlier_night, tmp_path / "whole", symlinks=True))
    code, count = killed_at(whole, person, 0)
    new, files = hashes(whole), sorted(path.relative_to(whole) for path in whole.rglob("*.parquet"))
    assert (code, told_of(person, whole), new != old) == (0, [], True)
    assert count > 50
    for step in range(count // TRIALS, count, count // TRIALS):
        data_dir = Path(shutil.copytree(earlier_night, tmp_path / str(step), symlinks=True))
        assert killed_at(data_dir, person, step)[0] == -9
        assert hashes(data_dir) in (old, new), step
        assert not [one for one in upkeep.verify(data_dir, CATALOGUE).findings if one.is_damage], step
        forget(data_dir, CATALOGUE, [person.id], AT, new_key=new_key)
        assert (told_of(person, data_dir), hashes(data_dir)) == ([], new), step
        assert sorted(path.relative_to(data_dir) for path in data_dir.rglob("*.parquet")) == files, step
        assert upkeep.verify(data_dir, CATALOGUE).findings == (), step
        shutil.rmtree(data_dir)


def test_what_cannot_be_erased_is_refused_and_nothing_is_listed(earlier_night: Path, tmp_path: Path, prospend):
    """Nobody named, no data folder, a resource file that marks no person."""
    data_dir = Path(shutil.copytree(earlier_night, tmp_path / "data", symlinks=True))
    unmarked = replace(CATALOGUE, resources=tuple(replace(one, columns=one.columns[:1]) for one in CATALOGUE))
    with pytest.raises(pipeline.ConfigError, match="marks no column with the id of a person"):
        forget(data_dir, unmarked, ["1"], AT, new_key=new_key)
    assert prospend("erase", "--data", data_dir).lines["WHAT"].endswith("nobody is named")
    assert prospend("erase", "1", "--data", tmp_path / "nowhere").code == 10
    assert not (data_dir / "erasures").exists()
