"""What the next night asks of the last generation, and the way back to an earlier one."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_warehouse_meta import OLD_DUCKDB
from warehouse_nights import CATALOGUE, FIRST, Night, written
from warehouse_parts import CHECKS, RUN_ID, claim, published

from pipeline import warehouse
from pipeline.decode import fingerprint
from pipeline.errors import ConfigError, LocalAccess, StoredDataDamaged
from pipeline.warehouse.copying import copy_file

CLAIM, LINE = CATALOGUE["claim"], CATALOGUE["line"]
NEXT, AFTER = "20261124T020000Z", "20261125T020000Z"


def row(company: str, record_id: str, **more: Any) -> dict[str, Any]:
    return {"companyId": company, "id": record_id, **more}


def line(company: str, claim_id: str, record_id: str) -> dict[str, Any]:
    return {"companyId": company, "claimId": claim_id, "id": record_id}


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two companies, some claims and lines; claim 1/b and line 1/a/y are deleted."""
    folder = tmp_path_factory.mktemp("generation")
    first = Night(
        0,
        {
            "company": [{"companyId": one} for one in "12"],
            "claim": [row("1", "a", _spelling=1), row("1", "b"), row("1", "c"), row("2", "a", _spelling=2)],
            "line": [line("1", "a", "x"), line("1", "a", "y"), line("1", "c", "x"), line("2", "a", "x")],
        },
    )
    second = Night(1, {}, [("claim", ("1", "b")), ("line", ("1", "a", "y"))])
    runs = [written(folder / "parts", night) for night in (first, second)]
    built = warehouse.build(folder / "w.duckdb", runs, temp_dir=folder)
    warehouse.finish(built, CHECKS)
    return built.path


def part(folder: Path, resource: str, rows: list[dict[str, Any]]) -> Path:
    run = written(folder, Night(9, {resource: rows}))
    (file,) = next(one.files for one in run.parts if one.resource.name == resource)
    return file


def test_fingerprints_are_known_under_their_parents_only(generation: Path):
    """Of the keys asked for, those that are there and not deleted, under these parents and no others."""
    with warehouse.connect(generation) as connection:
        found = warehouse.known_fingerprints(connection, CLAIM, (("companyId", "1"),), ["a", "b", "zz"])
        other = warehouse.known_fingerprints(connection, CLAIM, (("companyId", "2"),), ["a"])
        nothing = warehouse.known_fingerprints(connection, CLAIM, (("companyId", "1"),), [])
        companies = warehouse.known_fingerprints(connection, CATALOGUE["company"], (), ["2", "1"])
        lines = warehouse.known_fingerprints(connection, LINE, (("companyId", "1"), ("claimId", "a")), ["x", "y"])
    assert found == {"a": fingerprint(repr([("_spelling", 1), ("companyId", "1"), ("id", "a")]).encode())}
    assert other == {"a": fingerprint(repr([("_spelling", 2), ("companyId", "2"), ("id", "a")]).encode())}
    assert nothing == {}
    assert companies.keys() == {"1", "2"}
    assert lines.keys() == {"x"}


def test_every_row_stands_in_one_bucket(generation: Path):
    """The buckets of a sample hold every row that is there, each once, the same ones each time."""
    with warehouse.connect(generation) as connection:
        buckets = [list(warehouse.sampled_keys(connection, LINE, bucket, 3)) for bucket in range(3)]
        again = [list(warehouse.sampled_keys(connection, LINE, bucket, 3)) for bucket in range(3)]
    assert sorted(key for keys in buckets for key in keys) == [("1", "a", "x"), ("1", "c", "x"), ("2", "a", "x")]
    assert buckets == again


def test_the_buckets_never_move(tmp_path: Path):
    """A key stands in the bucket that MD5 gives it: in every file, on every version, so that a rotation meets all."""
    built = warehouse.build(
        tmp_path / "w.duckdb",
        [written(tmp_path, Night(0, {"claim": [row("1", str(number)) for number in range(500)]}))],
        temp_dir=tmp_path,
    )
    with warehouse.connect(built.path) as connection:
        found = set(warehouse.sampled_keys(connection, CLAIM, 7, 50))
    number_of = {
        ("1", str(number)): int.from_bytes(md5(f"1\x1f{number}".encode(), usedforsecurity=False).digest()[8:], "little")
        for number in range(500)
    }
    big = {key for key in number_of if number_of[key] % 50 == 7}
    assert found == big


@pytest.mark.parametrize(
    ("covered", "gone"),
    [
        (None, {("1", "c"), ("2", "a")}),
        ([("1",)], {("1", "c")}),
        ([("2",), ("3",)], {("2", "a")}),
        ([], set()),
    ],
    ids=["everything", "one company", "another", "nothing"],
)
def test_what_vanished_is_told_for_what_was_covered(generation: Path, tmp_path: Path, covered: Any, gone: set[Any]):
    """Rows that are there, under parents walked to their end, and not among what came: never those deleted before."""
    came = part(tmp_path, "claim", [row("1", "a"), row("1", "new")])
    with warehouse.connect_for_run(generation, tmp_path) as connection:
        assert set(warehouse.vanished(connection, CLAIM, covered, [came])) == gone
        assert set(warehouse.vanished(connection, CLAIM, covered, [])) >= gone
    assert not list(tmp_path.glob("*.asked"))


def test_covered_parents_may_stand_in_a_part(generation: Path, tmp_path: Path):
    """The proof of the pages names the contexts as well."""
    pages = tmp_path / "pages.parquet"
    contexts = [("line", ["1", "a"]), ("line", ["1", "a"]), ("claim", ["2"]), ("line", ["2", "a"])]
    pq.write_table(
        pa.table(
            {
                "resource": [name for name, _ in contexts],
                "context": pa.array([context for _, context in contexts], pa.list_(pa.string())),
                "turn": [0] * 4,
            }
        ),
        pages,
    )
    with warehouse.connect_for_run(generation, tmp_path) as connection:
        assert set(warehouse.vanished(connection, LINE, pages, [])) == {("1", "a", "x"), ("2", "a", "x")}
        assert set(warehouse.vanished(connection, CLAIM, pages, [])) == {("2", "a")}
        assert set(warehouse.vanished(connection, CATALOGUE["company"], None, [])) == {("1",), ("2",)}
        assert set(warehouse.vanished(connection, CATALOGUE["company"], [()], [])) == {("1",), ("2",)}


def test_a_damaged_part_is_no_proof(generation: Path, tmp_path: Path):
    """A part that cannot be read never makes rows vanish."""
    came = part(tmp_path, "claim", [row("1", "a")])
    came.write_bytes(came.read_bytes()[:-20])
    with (
        warehouse.connect_for_run(generation, tmp_path) as connection,
        pytest.raises(StoredDataDamaged, match="part"),
    ):
        list(warehouse.vanished(connection, CLAIM, None, [came]))


def test_rows_under_a_row_are_found_at_any_depth(generation: Path, tmp_path: Path):
    """The lines of a claim, and those of a whole company."""
    with warehouse.connect_for_run(generation, tmp_path) as connection:
        assert set(warehouse.alive_under(connection, LINE, [("1", "a"), ("1", "zz")])) == {("1", "a", "x")}
        assert set(warehouse.alive_under(connection, LINE, [("1",)])) == {("1", "a", "x"), ("1", "c", "x")}
        assert list(warehouse.alive_under(connection, LINE, [])) == []


def test_rows_are_counted_by_resource(generation: Path):
    """Deleted ones are not counted, tables of lists are not resources."""
    with warehouse.connect(generation) as connection:
        assert warehouse.alive_counts(connection) == {"company": 2, "claim": 3, "line": 3}


def test_rows_of_a_list_are_counted_by_company(generation: Path):
    """Deleted ones are not counted: so many may be expected when the list is read again."""
    with warehouse.connect(generation) as connection:
        counted = warehouse.alive_by_company(connection, CLAIM)
    assert counted == {"1": 2, "2": 1}


def test_a_connection_for_a_run_writes_nothing_and_reaches_nothing(generation: Path, tmp_path: Path):
    """It may spill, and that is all."""
    with warehouse.connect_for_run(generation, tmp_path) as connection:
        for sql in ("DELETE FROM prospend.claim", f"COPY prospend.claim TO '{tmp_path}/x.csv'"):
            with pytest.raises(Exception, match=r"read-only|disabled"):
                connection.execute(sql)


def shown(pointer: Path) -> str:
    with warehouse.connect(pointer) as connection:
        return warehouse.snapshot_info(connection).run_id


def test_rolling_back_shows_the_generation_before(tmp_path: Path):
    """Step by step, or at once to a named one; forward again as well; the files stay as they are."""
    for number, run_id in enumerate((RUN_ID, NEXT, AFTER)):
        pointer = published(tmp_path, run_id, claims=[claim(str(n)) for n in range(number)])
    before = {path.name: path.read_bytes() for path in (tmp_path / "warehouse").iterdir()}
    assert warehouse.rollback(tmp_path / "warehouse", pointer).run_id == NEXT
    assert shown(pointer) == NEXT
    assert warehouse.rollback(tmp_path / "warehouse", pointer).run_id == RUN_ID
    assert shown(pointer) == RUN_ID
    assert warehouse.rollback(tmp_path / "warehouse", pointer, AFTER).is_current
    assert shown(pointer) == AFTER
    assert pointer.readlink() == Path(f"warehouse/{AFTER}.duckdb")
    assert {path.name: path.read_bytes() for path in (tmp_path / "warehouse").iterdir()} == before


def test_there_may_be_nothing_to_go_back_to(tmp_path: Path):
    """The first generation has none before it, and an unknown name names nothing; the pointer stays."""
    pointer = published(tmp_path)
    for run_id in (None, "20200101T000000Z"):
        with pytest.raises(ConfigError):
            warehouse.rollback(tmp_path / "warehouse", pointer, run_id)
    assert shown(pointer) == RUN_ID


def test_a_lost_generation_is_gone_back_from(tmp_path: Path):
    """A pointer that leads nowhere says by its name what came before."""
    published(tmp_path)
    pointer = published(tmp_path, NEXT)
    (tmp_path / "warehouse" / f"{NEXT}.duckdb").unlink()
    assert warehouse.rollback(tmp_path / "warehouse", pointer).run_id == RUN_ID
    assert shown(pointer) == RUN_ID


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "another run's"])
def test_a_damaged_generation_is_not_gone_back_to(tmp_path: Path, harm: str):
    """Everything in it is read before the pointer moves."""
    published(tmp_path, claims=[claim(str(n), order=str(n * 7919)) for n in range(3000)])
    pointer = published(tmp_path, NEXT)
    earlier = tmp_path / "warehouse" / f"{RUN_ID}.duckdb"
    earlier.chmod(0o600)
    whole = earlier.read_bytes()
    flipped = bytearray(whole)
    for place in range(3 * 4096 + 100, len(whole), 4096):
        flipped[place] ^= 1
    earlier.write_bytes(
        {
            "flip": bytes(flipped),
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "another run's": (tmp_path / "warehouse" / f"{NEXT}.duckdb").read_bytes(),
        }[harm]
    )
    with pytest.raises(StoredDataDamaged):
        warehouse.rollback(tmp_path / "warehouse", pointer)
    assert shown(pointer) == NEXT


def test_the_copy_of_a_file_is_private_and_equal(tmp_path: Path):
    """Whatever way the file system knows: the same bytes, for the owner alone, and never over another file."""
    (tmp_path / "a").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "a").chmod(0o440)
    copy_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    with pytest.raises(LocalAccess):
        copy_file(tmp_path / "a", tmp_path / "b")


def test_history_is_readable_by_duckdb_1_4(tmp_path: Path):
    """Views and macros open and run in the oldest version that BI drivers bring."""
    if not OLD_DUCKDB.is_dir():
        pytest.skip(f"no DuckDB 1.4 at {OLD_DUCKDB} (make test installs it)")
    given = [Night(n, {"claim": [row("1", "a", order=str(n), tags=[str(n)])]}) for n in range(2)]
    built = warehouse.build(tmp_path / "w.duckdb", [written(tmp_path, night) for night in given], temp_dir=tmp_path)
    warehouse.finish(built, CHECKS)
    program = """
import sys, duckdb
assert duckdb.__version__.startswith("1.4.")
c = duckdb.connect(sys.argv[1], read_only=True)
print(c.execute('SELECT count(*), count(_valid_to) FROM history.claim').fetchall())
print(c.execute(f"SELECT \\"order\\" FROM history.as_of('claim', TIMESTAMPTZ '{sys.argv[2]}')").fetchall())
print(c.execute("SELECT change, key, before.tag, after.tag FROM history.diff('claim_tag', ?, ?)", sys.argv[3:5]).fetchall())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(built.path), str(FIRST + timedelta(hours=1)), *(n.run_id for n in given)],
        env={"PYTHONPATH": str(OLD_DUCKDB)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[(2, 1)]", "[('0',)]", "[('changed', ['1', 'a', '0'], '0', '1')]"]
