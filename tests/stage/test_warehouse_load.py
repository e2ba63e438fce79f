"""What stands in the tables after a load: exact values, list elements, the newest version of each record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse_parts import AT, RUN_ID, build, catalogue, claim, facts, published, run_of, total, write_part

from pipeline import warehouse
from pipeline.errors import LocalAccess, LocalResource, PipelineError, StoredDataDamaged
from pipeline.model import ControlTotal
from pipeline.tables import all_tables, tables_of
from pipeline.warehouse import Built, Parts, audit
from pipeline.warehouse.faults import duckdb_failure
from pipeline.warehouse.layout import create_tables

LATER = datetime(2026, 11, 22, 9, tzinfo=UTC)
EARLIER = datetime(2026, 11, 21, 9, tzinfo=UTC)


@contextmanager
def opened(built: Built) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(built.path), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def rows(built: Built, sql: str) -> list[tuple[Any, ...]]:
    with opened(built) as connection:
        return connection.execute(sql).fetchall()


def test_money_is_exact_to_the_last_digit(tmp_path: Path):
    """Amounts that no float can hold come out as they went in, in tables, in objects and in lists."""
    amounts = [Decimal("99999999999999.9999"), Decimal("-99999999999999.9999"), Decimal("0.0001"), Decimal("0.3000")]
    built = build(
        tmp_path,
        claims=[
            claim(str(n), fee=amount, original=total(amount, "AUD"), totals=[total(amount, "NZD")])
            for n, amount in enumerate(amounts)
        ],
    )
    assert rows(built, "SELECT fee, original_gross_amount FROM prospend.claim ORDER BY id") == [(a, a) for a in amounts]
    assert rows(built, "SELECT gross_amount FROM prospend.claim_total ORDER BY claim_id") == [(a,) for a in amounts]


def test_every_kind_of_value_keeps_its_type(tmp_path: Path):
    """Text, whole numbers, truth, days, instants and missing values arrive as themselves."""
    built = build(
        tmp_path,
        claims=[
            claim(
                "007",
                order="0012",
                pageCount=2**60,
                isPersonal=False,
                spentOn=date(2024, 2, 29),
                updatedDate=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
                _extra='{"zusatz":1}',
            ),
            claim("8"),
        ],
    )
    found = rows(
        built,
        'SELECT company_id, id, "order", page_count, is_personal, spent_on, epoch_us(updated_date), _extra, _run_id, '
        "epoch_us(_fetched_at) FROM prospend.claim ORDER BY id",
    )
    instant = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 10**6 + 678901
    fetched = int(AT.timestamp()) * 10**6
    assert found == [
        ("1", "007", "0012", 2**60, False, date(2024, 2, 29), instant, '{"zusatz":1}', RUN_ID, fetched),
        ("1", "8", None, None, None, None, None, None, RUN_ID, fetched),
    ]


def test_tables_have_exactly_the_described_columns(tmp_path: Path):
    """Names, order and types of every table are those of the catalogue, for empty resources too."""
    built = build(tmp_path)
    with opened(built) as connection:
        for table in all_tables(catalogue()):
            found = connection.execute(f'DESCRIBE prospend."{table.name}"').fetchall()
            spelled = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
            assert [(name, kind) for name, kind, *_ in found] == [
                (column.name, spelled.get(column.type, column.type)) for column in table.columns
            ]
    assert dict(built.rows) == {"company": 1, "claim": 0, "claim_total": 0, "claim_tag": 0}


def test_a_part_without_rows_gives_empty_tables(tmp_path: Path):
    """An empty part is not an error."""
    built = build(tmp_path, claims=[])
    assert dict(built.rows)["claim"] == 0
    assert built.totals == ()


def test_list_elements_become_rows_of_child_tables(tmp_path: Path):
    """One row an element, counted from 0 in the order sent, under its parents' keys, with its own unknown fields."""
    built = build(
        tmp_path,
        claims=[
            claim("1", totals=[total(Decimal(5), "AUD"), total(None, None, '{"x":1}')], tags=["b", "a", None, "a"]),
            claim("2", totals=[], tags=None, _extra='{"y":1}'),
            claim("3", totals=[None]),
        ],
    )
    assert rows(
        built,
        "SELECT company_id, claim_id, _index, gross_amount, currency_code, _extra, _run_id FROM prospend.claim_total "
        "ORDER BY claim_id, _index",
    ) == [
        ("1", "1", 0, Decimal(5), "AUD", None, RUN_ID),
        ("1", "1", 1, None, None, '{"x":1}', RUN_ID),
        ("1", "3", 0, None, None, None, RUN_ID),
    ]
    assert rows(built, "SELECT claim_id, _index, tag, _extra FROM prospend.claim_tag ORDER BY ALL") == [
        ("1", 0, "b", None),
        ("1", 1, "a", None),
        ("1", 2, None, None),
        ("1", 3, "a", None),
    ]


def test_the_newest_version_of_a_record_wins(tmp_path: Path):
    """Of several versions of a key the one changed last stays, wherever it was fetched; the others are counted."""
    built = build(
        tmp_path,
        claims=[
            claim("1", updatedDate=LATER, order="newest", totals=[total(Decimal("1.10"), "AUD")], tags=["new"]),
            claim("1", updatedDate=EARLIER, order="old", totals=[total(Decimal("7.70"), "AUD")] * 2, tags=["old"]),
            claim("1", updatedDate=None, order="undated", fee=Decimal("0.25")),
            claim("2", updatedDate=EARLIER, order="alone"),
        ],
    )
    assert rows(built, 'SELECT id, "order" FROM prospend.claim ORDER BY id') == [("1", "newest"), ("2", "alone")]
    assert rows(built, "SELECT claim_id, _index, gross_amount FROM prospend.claim_total") == [("1", 0, Decimal("1.1"))]
    assert rows(built, "SELECT tag FROM prospend.claim_tag") == [("new",)]
    assert dict(built.superseded) == {"company": 0, "claim": 2}
    assert built.key_problems == ()
    assert built.totals == (ControlTotal("claim", "claim_total", "gross_amount", "AUD", 1, Decimal("1.1000")),)
    assert built.superseded_totals == (
        ControlTotal("claim", "claim", "fee", "", 1, Decimal("0.2500")),
        ControlTotal("claim", "claim_total", "gross_amount", "AUD", 2, Decimal("15.4000")),
    )


@pytest.mark.parametrize(
    ("places", "kept"),
    [
        pytest.param([(0, 0), (1, 0)], "second", id="later page"),
        pytest.param([(1, 0), (0, 1)], "first", id="earlier page fetched into a later row"),
        pytest.param([(3, 0), (3, 1)], "second", id="later record of one page"),
        pytest.param([(10, 0), (9, 99)], "first", id="pages compare as numbers"),
    ],
)
def test_equal_times_are_decided_by_the_later_fetch(tmp_path: Path, places: Sequence[tuple[int, int]], kept: str):
    """Two versions with one update time: the later page wins, then the later record."""
    built = build(
        tmp_path,
        claims=[
            claim("1", updatedDate=EARLIER, order=name, _page=page, _record=record)
            for name, (page, record) in zip(("first", "second"), places, strict=True)
        ],
    )
    assert rows(built, 'SELECT "order" FROM prospend.claim') == [(kept,)]


def test_versions_in_different_parts_are_one_record(tmp_path: Path):
    """Several parts of one resource are read together."""
    one = write_part(tmp_path / "a.parquet", "claim", [claim("1", updatedDate=EARLIER, _page=0)])
    two = write_part(tmp_path / "b.parquet", "claim", [claim("1", updatedDate=LATER, _page=1), claim("2", _page=2)])
    built = warehouse.build(tmp_path / "w.duckdb", [run_of(Parts(catalogue()["claim"], (one, two)))], temp_dir=tmp_path)
    assert dict(built.rows)["claim"] == 2
    assert dict(built.superseded) == {"claim": 1}


def test_rows_keep_the_order_they_were_fetched_in(tmp_path: Path):
    """The same parts give the same rows in the same order, with versions left out or not, on several threads."""
    many = [claim(str(n), tags=["t"], updatedDate=EARLIER) for n in range(40_000)]
    again = [claim(str(n), tags=["t"], updatedDate=LATER) for n in range(0, 40_000, 7)]
    for name, given in (("plain", many), ("versions", many + again)):
        folder = tmp_path / name
        folder.mkdir()
        built = build(folder, claims=given, threads=2)
        newest = {row["id"]: number for number, row in enumerate(given)}
        expected = [row["id"] for number, row in enumerate(given) if newest[row["id"]] == number]
        assert [key for (key,) in rows(built, "SELECT id FROM prospend.claim ORDER BY rowid")] == expected
        assert [key for (key,) in rows(built, "SELECT claim_id FROM prospend.claim_tag ORDER BY rowid")] == expected


def test_one_id_under_two_companies_is_two_records(tmp_path: Path):
    """Ids are unique under their parents only."""
    built = build(tmp_path, claims=[claim("1"), {**claim("1"), "companyId": "2"}])
    assert dict(built.rows)["claim"] == 2
    assert dict(built.superseded)["claim"] == 0


@pytest.mark.parametrize("key", [None, ""])
def test_records_without_a_key_are_loaded_and_reported(tmp_path: Path, key: str | None):
    """A missing key is never a reason to drop a row: it is loaded, and named as a problem."""
    built = build(tmp_path, claims=[claim("1"), claim(key, tags=["x"]), claim(key)])
    assert dict(built.rows)["claim"] == 3
    assert built.key_problems == (("claim", 2, 0), ("claim_tag", 1, 0))


def test_keys_that_stand_twice_are_found():
    """The key check does not trust the load: a table with a doubled key is reported with how many keys are doubled."""
    tables = tables_of(catalogue()["claim"])
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE SCHEMA prospend").fetchall()
        create_tables(connection, tables)
        connection.execute(
            "INSERT INTO prospend.claim (company_id, id) VALUES ('1', '1'), ('1', '1'), ('1', '2'), ('1', '1'), "
            "('1', '2'), ('2', '1'), (NULL, '3'), (NULL, '3')"
        ).fetchall()
        assert audit.key_problems(connection, tables) == (("claim", 2, 2),)


def test_totals_are_exact_for_every_amount_and_currency(tmp_path: Path):
    """Sums come per table, column and currency; a missing currency counts as its own, a missing amount not at all."""
    top = Decimal("99999999999999.9999")
    built = build(
        tmp_path,
        claims=[
            claim(
                "1", fee=top, original=total(Decimal("0.0001"), "AUD"), totals=[total(top, "AUD"), total(top, "NZD")]
            ),
            claim("2", fee=top, original=total(None, "AUD"), totals=[total(top, "AUD"), total(Decimal(-1), None)]),
        ],
    )
    assert built.totals == (
        ControlTotal("claim", "claim", "fee", "", 2, 2 * top),
        ControlTotal("claim", "claim", "original_gross_amount", "AUD", 1, Decimal("0.0001")),
        ControlTotal("claim", "claim_total", "gross_amount", "", 1, Decimal(-1)),
        ControlTotal("claim", "claim_total", "gross_amount", "AUD", 2, 2 * top),
        ControlTotal("claim", "claim_total", "gross_amount", "NZD", 1, top),
    )


@pytest.mark.parametrize(
    ("field", "kind", "named"),
    [
        pytest.param("fee", pa.float64(), "claim.fee", id="money as a float"),
        pytest.param("fee", pa.decimal128(18, 2), "claim.fee", id="money of another scale"),
        pytest.param("pageCount", pa.string(), "claim.page_count", id="a number as text"),
        pytest.param("updatedDate", pa.timestamp("us"), "claim.updated_date", id="a time without a zone"),
        pytest.param("tags", pa.list_(pa.int64()), "claim_tag.tag", id="list elements of another type"),
    ],
)
def test_a_part_of_other_types_is_refused(tmp_path: Path, field: str, kind: pa.DataType, named: str):
    """DuckDB would cast in silence; the load names part, table and column instead, and leaves no file."""
    path = write_part(tmp_path / "claim.parquet", "claim", [claim("1")])
    table = pq.read_table(path)
    place = table.schema.get_field_index(field)
    pq.write_table(table.set_column(place, field, pa.nulls(1, kind)), path)
    with pytest.raises(StoredDataDamaged, match=named) as caught:
        warehouse.build(tmp_path / "w.duckdb", [run_of(Parts(catalogue()["claim"], (path,)))], temp_dir=tmp_path)
    assert "claim.parquet" in caught.value.where
    assert not list(tmp_path.glob("w.duckdb*"))


def test_a_second_part_is_held_to_the_same_types(tmp_path: Path):
    """The types of the first part are not taken for those of the others."""
    one = write_part(tmp_path / "a.parquet", "claim", [claim("1", fee=Decimal("1.5"))])
    two = write_part(tmp_path / "b.parquet", "claim", [claim("2")])
    table = pq.read_table(two)
    place = table.schema.get_field_index("pageCount")
    pq.write_table(table.set_column(place, "pageCount", pa.array([1.5])), two)
    with pytest.raises(StoredDataDamaged, match="page_count"):
        warehouse.build(tmp_path / "w.duckdb", [run_of(Parts(catalogue()["claim"], (one, two)))], temp_dir=tmp_path)


def _without_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["id"]), path)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(_without_column, id="the key is missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty file"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-100]), id="cut off"),
        pytest.param(lambda path: path.write_bytes(b"nonsense" * 100), id="not Parquet"),
        pytest.param(lambda path: path.unlink(), id="gone"),
    ],
)
def test_a_damaged_part_is_damage(tmp_path: Path, harm: Any):
    """Whatever is wrong with a part's file is told as damage of stored data, by the name of the part or resource."""
    path = write_part(tmp_path / "claim.parquet", "claim", [claim("1")])
    harm(path)
    with pytest.raises(StoredDataDamaged) as caught:
        warehouse.build(tmp_path / "w.duckdb", [run_of(Parts(catalogue()["claim"], (path,)))], temp_dir=tmp_path)
    assert "claim" in caught.value.where


def test_a_folder_named_like_a_pattern_is_read_literally(tmp_path: Path):
    """`[1]*?` in a path is part of a name: no other file is read in its place or beside it."""
    for name in ("data1", "dataxx"):
        write_part(tmp_path / name / "p.parquet", "claim", [claim("wrong")])
    path = write_part(tmp_path / "data[1x]*?" / "run=2" / "p.parquet", "claim", [claim("right")])
    target = tmp_path / "w.duckdb"
    parts = [run_of(Parts(catalogue()["claim"], (path,)))]
    built = warehouse.build(target, parts, temp_dir=tmp_path)
    assert rows(built, "SELECT id FROM prospend.claim") == [("right",)]
    path.unlink()
    write_part(tmp_path / "data1xx" / "run=2" / "p.parquet", "claim", [claim("wrong")])
    with pytest.raises(StoredDataDamaged):
        warehouse.build(tmp_path / "v.duckdb", parts, temp_dir=tmp_path)


def test_a_build_never_writes_into_an_existing_file(tmp_path: Path):
    """What stands at the target stays as it is."""
    built = build(tmp_path)
    before = built.path.read_bytes()
    with pytest.raises(LocalAccess):
        build(tmp_path)
    assert built.path.read_bytes() == before


def test_too_little_memory_is_told_as_such(tmp_path: Path):
    """Running out of the allowed memory ends the build as a shortage of this machine, and leaves nothing behind."""
    with pytest.raises(LocalResource):
        build(tmp_path, claims=[claim(str(n), order="x" * 100) for n in range(20_000)], memory_limit="1MB")
    assert not any((tmp_path / "warehouse").iterdir())
    assert not any((tmp_path / "spill").iterdir())


def test_too_little_memory_at_the_commit_is_told_as_such():
    """There it is a fatal error of DuckDB, or one of the transaction, with the same words inside."""
    said = (
        "Failed to create checkpoint because of error: failed to allocate data of size 4.0 MiB (36.8 MiB/38.1 MiB used)"
    )
    assert isinstance(duckdb_failure(duckdb.FatalException(said), "load"), LocalResource)
    assert duckdb_failure(duckdb.FatalException("something else"), "load") is None


def test_spill_is_bounded(tmp_path: Path):
    """Beyond its bound the build ends as a shortage, however much the disk has; with enough it spills and is built."""
    many = [claim(str(n), order=f"{n:x}" * 60) for n in range(40_000)]
    with pytest.raises(LocalResource, match="max_temp_directory_size"):
        build(tmp_path, claims=many, memory_limit="24MB", spill_bytes=10_000)
    assert not any((tmp_path / "spill").iterdir())
    assert build(tmp_path, claims=many, memory_limit="24MB").path.exists()


def test_spill_is_private_and_goes_away(tmp_path: Path):
    """Nothing remains in the folder given for temporary files."""
    build(tmp_path, claims=[claim("1")])
    assert not any((tmp_path / "spill").iterdir())


def test_the_unfinished_file_is_private(tmp_path: Path):
    """Until it is finished, only its owner reads the new file."""
    assert build(tmp_path).path.stat().st_mode & 0o777 == 0o600


def test_the_same_parts_give_the_same_warehouse(tmp_path: Path):
    """Two builds from one snapshot hold the same rows in the same order in every table."""
    content = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pointer = published(
            tmp_path / name, claims=[claim(str(n % 50), tags=["a", "b"], fee=Decimal(n)) for n in range(90)]
        )
        with warehouse.connect(pointer) as connection:
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
            content.append([connection.execute(f'FROM {s}."{t}"').fetchall() for s, t in tables])
    assert content[0] == content[1]


def test_disk_full_is_told_as_such_and_harms_nothing(small_disk: Path, tmp_path: Path):
    """On a full disk the build ends as a shortage of this machine, its file is gone, the published one still reads."""
    pointer = published(small_disk, claims=[claim("1")])
    wide = [claim(str(n), order="".join(chr(33 + (n * k) % 90) for k in range(1, 300))) for n in range(20_000)]
    part = write_part(tmp_path / "wide.parquet", "claim", wide)
    with pytest.raises(LocalResource) as caught:
        warehouse.build(
            small_disk / "warehouse" / ".building-2.duckdb",
            [run_of(Parts(catalogue()["claim"], (part,)), run=facts("20261124T020000Z"))],
            temp_dir=tmp_path,
        )
    assert isinstance(caught.value, PipelineError)
    assert caught.value.exit_code == 30
    assert [path.name for path in (small_disk / "warehouse").iterdir()] == [f"{RUN_ID}.duckdb"]
    with warehouse.connect(pointer) as connection:
        assert warehouse.table_rows(connection)["claim"] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB, where this machine lets tests mount one."""
    import subprocess

    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (needs the right to mount)")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
