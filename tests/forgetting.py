"""Whether anything stored tells of a person, and erasures that are killed at any of their steps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from readable import contents_of, reader

import pipeline
from pipeline import upkeep, warehouse
from pipeline.night.erasing import forget
from pipeline.resources import read_catalogue

CATALOGUE = read_catalogue()
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


def hashes(data_dir: Path) -> dict[str, str]:
    with pipeline.connect(data_dir) as connection:
        return warehouse.content_hash(connection)


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


def killed_at(data_dir: Path, person: Person, step: int) -> tuple[int, int]:
    """Exit code and number of steps of an erasure in a process of its own."""
    command = [sys.executable, "-c", _KILLED, str(data_dir), person.id, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, int(done.stdout or 0)


def outlives_kills(night: Path, folder: Path, trials: int | None) -> None:
    """An erasure is killed at evenly spaced steps, or at every one, and called again.

    Readers have the old warehouse or the new one, whole, at any instant; afterwards all is as without the kill.
    """
    person, old = somebody(night), hashes(night)
    whole = Path(shutil.copytree(night, folder / "whole", symlinks=True))
    code, count = killed_at(whole, person, 0)
    new, files = hashes(whole), sorted(path.relative_to(whole) for path in whole.rglob("*.parquet"))
    assert (code, told_of(person, whole), new != old) == (0, [], True)
    assert count > 50
    stride = count // trials if trials else 1
    for step in range(stride, count + 1, stride):
        data_dir = Path(shutil.copytree(night, folder / str(step), symlinks=True))
        assert killed_at(data_dir, person, step)[0] == -9
        assert hashes(data_dir) in (old, new), step
        assert not [one for one in upkeep.verify(data_dir, CATALOGUE).findings if one.is_damage], step
        forget(data_dir, CATALOGUE, [person.id], AT, new_key=new_key)
        assert (told_of(person, data_dir), hashes(data_dir)) == ([], new), step
        assert sorted(path.relative_to(data_dir) for path in data_dir.rglob("*.parquet")) == files, step
        assert upkeep.verify(data_dir, CATALOGUE).findings == (), step
        shutil.rmtree(data_dir)
