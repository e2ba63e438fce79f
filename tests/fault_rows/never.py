"""What must never happen, by letter: each is a check of what a command left behind."""

from __future__ import annotations

import hashlib
import select
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from canary import traces_of

import pipeline
from fault_rows.case import CANARY_PERSON, Scene
from fault_rows.warm import Ended
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables

TABLES = [table.name for table in all_tables(read_catalogue())]
SHORTEST_TRACE = 12  # of what is no token, the parts may be as short as a word
MOST_LEFT_BEHIND_BYTES = 64 * 1024 * 1024

Contents = dict[str, Counter]


@dataclass(frozen=True)
class Before:
    """What readers had: the file behind the pointer, and the hash of every file that was sealed or published."""

    published: Path
    hashes: dict[Path, str]
    size_bytes: int


def seen_before(data: Path) -> Before:
    sealed = {path: hash_of(path) for path in sealed_files(data)}
    return Before((data / "warehouse.duckdb").resolve(), sealed, size_of(data))


def sealed_files(data: Path) -> Iterator[Path]:
    for pattern in ("warehouse/*.duckdb", "runs/*/manifest.json", "snapshots/*/*/*.parquet"):
        yield from data.glob(pattern)


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def contents(data: Path) -> Contents:
    """Every row of every table, but for what tells one night from another: our own columns, without `_extra`."""
    found: Contents = {}
    with pipeline.connect(data) as connection:
        for table in TABLES:
            described = connection.execute(f"DESCRIBE prospend.{table}").fetchall()
            names = [name for name, *_ in described if not name.startswith("_") or name == "_extra"]
            listed = ", ".join(f'"{name}"' for name in names)
            found[table] = Counter(connection.execute(f"SELECT {listed} FROM prospend.{table}").fetchall())
    return found


@dataclass(frozen=True)
class Left:
    """All that the checks look at: the scene, what was there before, how the command ended, and what the books hold."""

    scene: Scene
    before: Before
    ended: Ended
    sound: Contents

    @property
    def pointer(self) -> Path:
        return self.scene.data / "warehouse.duckdb"

    @property
    def is_published(self) -> bool:
        return self.ended.code == 0


def no_wrong_rows(left: Left) -> None:
    """L, D, W: what readers find is every row of the books, each once, each value as sent.

    Whoever published nothing left the earlier night, byte for byte: that is `no_damage`, and cheaper to see.
    """
    if left.is_published:
        assert contents(left.scene.data) == left.sound


def no_false_success(left: Left) -> None:
    """Z: 0 only with a new generation in place; anything else publishes nothing."""
    assert (left.pointer.resolve() != left.before.published) == left.is_published


def no_mixture(left: Left) -> None:
    """H: all tables are of the run behind the pointer, and no file of a generation that was not published."""
    published = left.pointer.resolve().stem
    with pipeline.connect(left.scene.data) as connection:
        assert connection.execute("SELECT run_id FROM meta.snapshot_info").fetchall() == [(published,)]
        for table in TABLES if left.is_published else TABLES[:1]:
            ((latest,),) = connection.execute(f"SELECT max(_run_id) FROM prospend.{table}").fetchall()
            assert latest is None or latest <= published, table
    generations = {path.name for path in (left.scene.data / "warehouse").iterdir()}
    assert generations == {left.before.published.name, left.pointer.resolve().name}


def no_damage(left: Left) -> None:
    """G: nothing that was sealed or published before has changed by a byte."""
    assert {path: hash_of(path) for path in left.before.hashes} == left.before.hashes


def no_token_told(left: Left) -> None:
    """T: no trace of the token in any output or file."""
    known = left.before.hashes
    left_files = [path for path in left.scene.data.rglob("*") if path.is_file() and path not in known]
    home_files = [path for path in (left.scene.folder / "home").rglob("*") if path.is_file()]
    own = left.scene.token_places
    for secret in (left.scene.sandbox.token, *left.scene.secrets):
        traces = [trace for trace in traces_of(secret) if len(trace) >= SHORTEST_TRACE]
        for told in (left.ended.out.encode(), left.ended.err.encode()):
            assert not [trace for trace in traces if trace in told]
        for path in (*left_files, *home_files):
            content = path.read_bytes()
            assert path in own or not [trace for trace in traces if trace in content], path


def no_person_told(left: Left) -> None:
    """P: no name of a person of the books, or of a broken answer, in any message."""
    people = {record["claimantName"] for _, record in left.scene.sandbox.records("claim")} | {CANARY_PERSON}
    for text in (left.ended.out, left.ended.err):
        assert not [name for name in people if name in text]


def no_foreign_connection(left: Left) -> None:
    """F: nobody came to the other origin."""
    assert not select.select([left.scene.elsewhere], [], [], 0)[0]


def no_unbounded_use(left: Left) -> None:
    """U: it ended by itself, and the disk holds at most a night more. Memory is measured by the hostile sources' test."""
    assert left.ended.code != -9, "had to be killed"
    assert size_of(left.scene.data) <= left.before.size_bytes + MOST_LEFT_BEHIND_BYTES


def no_raw_failure(left: Left) -> None:
    """I: no traceback, no exit 70."""
    assert left.ended.code != 70, left.ended.err
    assert "Traceback" not in left.ended.err


NEVER: dict[str, Callable[[Left], None]] = {
    "I": no_raw_failure,
    "T": no_token_told,
    "P": no_person_told,
    "Z": no_false_success,
    "G": no_damage,
    "H": no_mixture,
    **dict.fromkeys("LDW", no_wrong_rows),
    "F": no_foreign_connection,
    "U": no_unbounded_use,
}


def assert_never(left: Left) -> None:
    """Every check, whatever the row is most afraid of."""
    for check in dict.fromkeys(NEVER.values()):
        check(left)
