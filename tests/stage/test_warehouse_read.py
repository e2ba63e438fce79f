"""What a reader's connection can and cannot do, and how it fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from warehouse_parts import AT, RUN_ID, claim, published, total

from pipeline import warehouse
from pipeline.errors import ConfigError, LocalAccess, LocalResource, StoredDataDamaged, VersionMismatch
from pipeline.report.frames import frame

FEE = Decimal("99999999999999.9999")


@pytest.fixture(scope="module")
def pointer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One published warehouse with two claims."""
    return published(
        tmp_path_factory.mktemp("read"),
        claims=[
            claim("1", fee=FEE, updatedDate=AT, spentOn=AT.date(), totals=[total(Decimal("0.1"), "AUD")] * 3),
            claim("2", order="not a number"),
        ],
    )


@pytest.fixture
def connection(pointer: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.connect(pointer) as opened:
        yield opened


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH '{place}/other.duckdb'",
        "COPY prospend.claim TO '{place}/out.csv'",
        "COPY prospend.claim TO '{place}/out.parquet'",
        "EXPORT DATABASE '{place}/all'",
        "SELECT content FROM read_text('/etc/passwd')",
        "SELECT count(*) FROM read_csv('/etc/passwd')",
        "SELECT count(*) FROM read_parquet('{place}/*.parquet')",
        "SELECT count(*) FROM '/etc/passwd'",
        "SELECT file FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "INSERT INTO prospend.claim (id) VALUES ('x')",
        "DELETE FROM prospend.claim",
        "CREATE TABLE prospend.other (a INTEGER)",
        "SET enable_external_access = true",
        "SET autoinstall_known_extensions = true",
        "SET python_enable_replacements = true",
        "SET temp_directory = '{place}'",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "CREATE PERSISTENT SECRET s (TYPE http)",
    ],
)
def test_a_reader_reaches_nothing_but_the_warehouse(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, statement: str
):
    """No file, no extension, no other database, no change: refused, and nothing is written."""
    with pytest.raises(duckdb.Error):
        connection.execute(statement.format(place=tmp_path)).fetchall()
    assert not any(tmp_path.iterdir())


def test_a_missing_table_is_never_a_variable_of_the_program(connection: duckdb.DuckDBPyConnection):
    """A frame that happens to have a table's name is not read in its place."""
    expense = pd.DataFrame({"id": ["not from the warehouse"]})
    assert len(expense) == 1
    with pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT id FROM expense").fetchall()
    assert connection.execute("SELECT current_setting('python_enable_replacements')").fetchall() == [(False,)]


def test_times_are_shown_in_utc(connection: duckdb.DuckDBPyConnection):
    """Whatever zone the machine is in, a time is an aware instant in UTC."""
    assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
    ((found, text),) = connection.execute(
        "SELECT updated_date, updated_date::VARCHAR FROM prospend.claim WHERE id = '1'"
    ).fetchall()
    assert (found, found.utcoffset()) == (AT, datetime.now(UTC).utcoffset())
    assert text == "2026-11-23 02:00:00+00"


def test_several_connections_of_one_process_live_side_by_side(pointer: Path):
    """The second connection to a file works although the first one has locked the settings."""
    with warehouse.connect(pointer) as one, warehouse.connect(pointer) as two:
        assert warehouse.snapshot_info(one) == warehouse.snapshot_info(two)
        with pytest.raises(duckdb.Error):
            two.execute("SET threads = 1").fetchall()


def test_a_connection_of_other_making_is_told_apart_from_damage(pointer: Path):
    """A process that holds the file open with settings of its own is told so."""
    with duckdb.connect(str(pointer.resolve()), read_only=True), pytest.raises(LocalAccess, match="other settings"):
        warehouse.connect(pointer)


def test_no_warehouse_yet_says_what_to_run(tmp_path: Path):
    """Before the first run there is nothing to open: the message names the command."""
    with pytest.raises(ConfigError) as caught:
        warehouse.connect(tmp_path / "warehouse.duckdb")
    assert "prospend run" in caught.value.do


def test_a_pointer_to_a_lost_generation_is_damage(tmp_path: Path):
    """A link that leads nowhere is not the same as no warehouse."""
    (tmp_path / "warehouse.duckdb").symlink_to("warehouse/20200101T000000Z.duckdb")
    with pytest.raises(StoredDataDamaged, match="generation"):
        warehouse.connect(tmp_path / "warehouse.duckdb")


def test_a_circle_of_links_is_refused(tmp_path: Path):
    """Links that lead to each other end in an error, not in a loop."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(LocalAccess):
        warehouse.connect(tmp_path / "a")


def test_a_folder_is_not_a_warehouse(tmp_path: Path):
    """A folder in the place of the file is refused by name."""
    with pytest.raises(LocalAccess):
        warehouse.connect(tmp_path)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"x" * len(content), id="not DuckDB"),
        pytest.param(lambda content: content[:100], id="header cut"),
        pytest.param(lambda content: content[: len(content) // 2], id="half"),
        pytest.param(lambda content: content[:-4096], id="tail cut"),
        pytest.param(
            lambda content: content[:4100] + bytes([content[4100] ^ 1]) + content[4101:], id="one bit of a header"
        ),
        pytest.param(lambda content: content[:8] + b"\0" * 4088 + content[4096:], id="zeroed header"),
    ],
)
def test_a_damaged_file_is_damage(pointer: Path, tmp_path: Path, harm):
    """Whatever happened to the bytes, opening says so and never crashes."""
    path = tmp_path / "w.duckdb"
    path.write_bytes(harm(pointer.read_bytes()))
    with pytest.raises((StoredDataDamaged, VersionMismatch)) as caught:
        warehouse.connect(path)
    assert str(path) in caught.value.where


def test_damage_inside_the_file_shows_when_it_is_read(pointer: Path, tmp_path: Path):
    """DuckDB's own checksums stand guard over the data: a flipped bit in any block is an error, not a value."""
    content = pointer.read_bytes()
    found = set()
    for place in range(3 * 4096 + 9, len(content), 65_536):
        path = tmp_path / f"{place}.duckdb"
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            with warehouse.connect(path) as connection:
                answer = warehouse.query(connection, "SELECT id, fee, updated_date FROM prospend.claim ORDER BY id")
                found.add(str(answer.fetchall()))
        except StoredDataDamaged:
            continue
    with warehouse.connect(pointer) as connection:
        right = warehouse.query(connection, "SELECT id, fee, updated_date FROM prospend.claim ORDER BY id").fetchall()
    assert found <= {str(right)}


def test_a_log_beside_the_file_is_refused(pointer: Path, tmp_path: Path):
    """A published file has no log; one that appears could change what is read."""
    path = tmp_path / "w.duckdb"
    path.write_bytes(pointer.read_bytes())
    path.with_name("w.duckdb.wal").write_bytes(b"")
    with pytest.raises(StoredDataDamaged, match="log"):
        warehouse.connect(path)


def test_a_file_that_may_not_be_read_is_an_access_problem(pointer: Path):
    """Another user of the machine without rights gets a message about rights."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "w.duckdb"
        path.write_bytes(pointer.read_bytes())
        path.chmod(0o000)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(LocalAccess):
                warehouse.connect(path)
        finally:
            os.seteuid(user)


def test_a_duckdb_file_of_other_making_is_not_a_warehouse(tmp_path: Path):
    """A file without `meta.snapshot_info` is refused when asked which night it shows."""
    duckdb.connect(str(tmp_path / "w.duckdb")).close()
    with warehouse.connect(tmp_path / "w.duckdb") as connection, pytest.raises(StoredDataDamaged):
        warehouse.snapshot_info(connection)


# ---- queries --------------------------------------------------------------------------------------------------------


def test_an_answer_has_names_and_exact_values(connection: duckdb.DuckDBPyConnection):
    """Columns by name, decimals as decimals, rows a few at a time or all at once."""
    sql = "SELECT id, fee FROM prospend.claim ORDER BY id"
    answer = warehouse.query(connection, sql)
    assert answer.columns == ("id", "fee")
    assert answer.fetchmany(1) == [("1", FEE)]
    assert answer.fetchall() == [("2", None)]
    assert answer.fetchmany(1) == []
    table = warehouse.query(connection, sql).to_arrow_table()
    assert table.schema.field("fee").type == pa.decimal128(18, 4)
    assert table.column("fee").to_pylist() == [FEE, None]


def test_an_answer_half_read_does_not_hold_up_the_connection(connection: duckdb.DuckDBPyConnection):
    """Another question can be asked while rows of the first are still to come."""
    answer = warehouse.query(connection, "SELECT range FROM range(100000)")
    assert answer.fetchmany(2) == [(0,), (1,)]
    assert warehouse.query(connection, "SELECT 7").fetchall() == [(7,)]
    assert len(answer.fetchall()) == 99_998


@pytest.mark.parametrize(
    "sql", ["SHOW ALL TABLES", "DESCRIBE prospend.claim", "SUMMARIZE prospend.claim", "VALUES (1)"]
)
def test_statements_that_give_rows_are_answered(connection: duckdb.DuckDBPyConnection, sql: str):
    """Not only SELECT: whatever shows something without changing anything."""
    assert warehouse.query(connection, sql).fetchall()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEKT 1", "syntax error"),
        ("", "one statement"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT nothing FROM prospend.claim", "nothing"),
        ("SELECT 1 FROM prospend.missing", "missing"),
        ("CREATE TEMP TABLE t (a INTEGER)", "gives no rows"),
        ("SET threads = 1", "gives no rows"),
        ("COPY prospend.claim TO '/nowhere/x.csv'", "gives no rows"),
        ("SELECT content FROM read_text('/etc/passwd')", "disabled by configuration"),
    ],
)
def test_a_wrong_statement_is_told_in_plain_words(connection: duckdb.DuckDBPyConnection, sql: str, said: str):
    """The person asking learns what is wrong with the statement, in one line."""
    with pytest.raises(ConfigError) as caught:
        warehouse.query(connection, sql).fetchall()
    assert said in caught.value.what
    assert "\n" not in caught.value.what


def test_errors_never_quote_values_of_the_data(connection: duckdb.DuckDBPyConnection):
    """DuckDB quotes the value that does not convert; our message does not."""
    with pytest.raises(ConfigError) as caught:
        warehouse.query(connection, 'SELECT "order"::INTEGER FROM prospend.claim').fetchall()
    assert "not a number" not in "".join(value for _, value in caught.value.lines())
    assert "ConversionException" in caught.value.what


def test_an_answer_that_does_not_fit_into_memory_is_told_as_such():
    """A question too large for the memory allowed is a shortage of this machine."""
    with duckdb.connect(":memory:", config={"memory_limit": "20MB", "temp_directory": ""}) as small:
        answer = warehouse.query(small, "SELECT list(repeat('x', 100) || range) FROM range(1000000)")
        with pytest.raises(LocalResource):
            answer.fetchall()


def test_rows_are_counted_by_table(connection: duckdb.DuckDBPyConnection):
    """Every table of the current state with its rows."""
    assert warehouse.table_rows(connection) == {"claim": 2, "claim_tag": 0, "claim_total": 3, "company": 1}
    assert warehouse.snapshot_info(connection).run_id == RUN_ID


def test_a_file_of_version_0_1_0_is_counted(pointer: Path, tmp_path: Path):
    """It marked no row as deleted: whoever has just upgraded is told what readers have, as before."""
    older = tmp_path / "older.duckdb"
    older.write_bytes(pointer.read_bytes())
    with duckdb.connect(older) as made:
        made.execute("DROP SCHEMA history CASCADE")
        for name in ("claim", "claim_tag", "claim_total", "company"):
            made.execute(f"ALTER TABLE prospend.{name} DROP COLUMN _deleted_at")
    with warehouse.connect(older) as connection:
        assert warehouse.table_rows(connection) == {"claim": 2, "claim_tag": 0, "claim_total": 3, "company": 1}


# ---- frames ---------------------------------------------------------------------------------------------------------


def test_a_frame_keeps_decimals_and_times(connection: duckdb.DuckDBPyConnection):
    """A table by name has all its columns, amounts as exact decimals, times in UTC, missing values as missing."""
    claims = frame(connection, "prospend.claim")
    columns = connection.execute("DESCRIBE prospend.claim").fetchall()
    assert list(claims.columns) == [name for name, *_ in columns]
    assert claims["fee"].dtype == pd.ArrowDtype(pa.decimal128(18, 4))
    assert claims["fee"][0] == FEE
    assert claims["fee"][1] is pd.NA
    assert claims["updated_date"].dtype == pd.ArrowDtype(pa.timestamp("us", "UTC"))
    assert claims["updated_date"][0] == pd.Timestamp(AT)


def test_sums_in_a_frame_are_exact(connection: duckdb.DuckDBPyConnection):
    """Three times 0.1 is 0.3, in pandas too."""
    totals = frame(connection, "SELECT currency_code, gross_amount FROM prospend.claim_total")
    assert totals.groupby("currency_code")["gross_amount"].sum().to_dict() == {"AUD": Decimal("0.3000")}
    assert totals["gross_amount"].sum() == Decimal("0.3000")


def test_a_frame_of_a_statement_without_rows_is_refused(connection: duckdb.DuckDBPyConnection):
    """Only what gives rows becomes a frame; an empty result has its columns."""
    assert list(frame(connection, "SELECT id FROM prospend.claim WHERE false").columns) == ["id"]
    assert len(frame(connection, "prospend.claim_tag")) == 0
