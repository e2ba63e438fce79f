"""The marts of a warehouse file that is being built: made anew each night, commented, and put to their tests.

While they are made, a temporary view `live_<table>` stands for each table of the built-in catalogue: the rows that are
not deleted, with every column that a mart may name, in its type. Where a site's own catalogue has no such column or
table it is NULL, or without rows; where it has another type, what cannot be read in the built-in one is NULL.
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb

from pipeline.marts import Mart, MartFinding, MartTest, Reporting, all_marts
from pipeline.model import Blamed
from pipeline.resources import read_catalogue
from pipeline.tables import Table, all_tables, source_fields
from pipeline.warehouse import meta
from pipeline.warehouse.building import open_to_write
from pipeline.warehouse.faults import working
from pipeline.warehouse.text import CURRENT, MART, literal, quoted
from pipeline.warehouse.values import Built

BLAMED_ROWS = 1000

# 1970-01-01 and before stand for "not yet", 9999-12-31 and after for "never": a day less on either side, as zones may
# add one. A value at midnight UTC is a day that was sent as one.
_MACROS = """
CREATE OR REPLACE TEMP MACRO month_of(day) AS date_trunc('month', day)::DATE;
CREATE OR REPLACE TEMP MACRO told_at(instant) AS CASE
    WHEN instant >= TIMESTAMPTZ '1970-01-02 00:00:00+00' AND instant < TIMESTAMPTZ '9999-12-30 00:00:00+00' THEN instant
END;
CREATE OR REPLACE TEMP MACRO local_on(instant) AS CASE
    WHEN told_at(instant) IS NULL THEN NULL
    WHEN epoch_us(instant) % 86400000000 = 0 THEN (instant AT TIME ZONE 'UTC')::DATE
    ELSE (instant AT TIME ZONE getvariable('timezone'))::DATE
END;
"""


def make_marts(
    built: Built, tables: Sequence[Table], reporting: Reporting | None, *, temp_dir: Path
) -> tuple[MartFinding, ...]:
    """The `mart` schema of a file that is not finished holds every mart, commented; what their tests found.

    Args:
        built: the file.
        tables: of the catalogue that the file was made by.
        reporting: how the site reports; None for a file without marts.
        temp_dir: where DuckDB may spill.

    Raises:
        LocalResource: disk or memory ran out.
        ValueError: a mart does not give the columns that it describes.
    """
    with working(f"marts · {built.path.name}"):
        # Closed in between: DuckDB 1.4 makes no table of a name that the same connection saw dropped with its schema.
        with closing(open_to_write(built.path, temp_dir)) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {MART} CASCADE").fetchall()
            connection.execute("CHECKPOINT").fetchall()  # the blocks of last night's marts are free for tonight's
        with closing(open_to_write(built.path, temp_dir)) as connection:
            connection.execute("BEGIN").fetchall()
            marts = create(connection, reporting) if reporting is not None else ()
            meta.describe_marts(connection, tables, marts)
            found = tuple(_test(connection, mart, test) for mart in marts for test in mart.tests)
            connection.execute("COMMIT").fetchall()
            return found


def create(connection: duckdb.DuckDBPyConnection, reporting: Reporting) -> tuple[Mart, ...]:
    """The schema `mart` stands with every mart, commented; which these are."""
    connection.execute(f"CREATE SCHEMA {MART}").fetchall()
    prepare(connection, reporting)
    for mart in all_marts():
        with working(f"mart {mart.name}"):
            _make(connection, mart)
    return all_marts()


def has_marts(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a file holds marts."""
    ((count,),) = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE schema_name = ?", [MART]).fetchall()
    return bool(count)


def prepare(connection: duckdb.DuckDBPyConnection, reporting: Reporting) -> None:
    """The connection has what marts are made from: variables, macros, and a `live_` view of each table."""
    thresholds = ", ".join(f"{Decimal(amount)}::DECIMAL(18,4)" for amount in reporting.approval_thresholds)
    types = ", ".join(literal(one) for one in reporting.entertainment_types)
    variables = {
        "as_at": f"TIMESTAMPTZ {literal(reporting.as_at.isoformat(sep=' '))}",
        "today": f"DATE {literal(reporting.today.isoformat())}",
        "timezone": literal(reporting.timezone),
        "fiscal_month": str(reporting.fiscal_month),
        "due_soon_days": str(reporting.due_soon_days),
        "approval_thresholds": f"[{thresholds}]::DECIMAL(18,4)[]",
        "threshold_percent": f"{reporting.threshold_percent}::DECIMAL(9,4)",
        "entertainment_types": f"[{types}]::VARCHAR[]",
    }
    connection.execute("; ".join(f"SET VARIABLE {name} = {value}" for name, value in variables.items())).fetchall()
    connection.execute(_MACROS).fetchall()
    connection.execute("\n".join(_live_views(connection))).fetchall()


def _live_views(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    known: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = ?", [CURRENT]
    ).fetchall():
        known.setdefault(table, set()).add(column)
    for table in all_tables(read_catalogue(None)):
        has = known.get(table.name, set())
        columns = ", ".join(
            f"try_cast({quoted(one.name) if one.name in has else 'NULL'} AS {one.type}) AS {quoted(one.name)}"
            for one in table.columns
        )
        rows = f"FROM {CURRENT}.{quoted(table.name)} WHERE _deleted_at IS NULL" if has else "WHERE false"
        yield f"CREATE OR REPLACE TEMP VIEW {quoted(f'live_{table.name}')} AS SELECT {columns} {rows};"


def _make(connection: duckdb.DuckDBPyConnection, mart: Mart) -> None:
    place = f"{MART}.{quoted(mart.name)}"
    connection.execute(f"CREATE TABLE {place} AS {mart.sql}").fetchall()
    found = [row[0] for row in connection.execute(f"DESCRIBE {place}").fetchall()]
    described = [name for name, _ in mart.columns]
    if found != described:
        wrong = sorted(set(found) ^ set(described)) or ["their order"]
        raise ValueError(f"mart {mart.name}: its SELECT and its description differ in {', '.join(wrong)}")
    comments = (f"COMMENT ON COLUMN {place}.{quoted(column)} IS {literal(about)};" for column, about in _meanings(mart))
    connection.execute("\n".join([f"COMMENT ON TABLE {place} IS {literal(mart.about)};", *comments])).fetchall()


def _meanings(mart: Mart) -> Iterator[tuple[str, str]]:
    """What each column means, and that it rests on inferred fields alone, where the mart does not say so as a whole."""
    sources = source_fields(all_tables(read_catalogue(None)))
    for column, about in mart.columns:
        fields = meta.fields_behind(mart, column, sources) if mart.is_documented else []
        is_inferred = bool(fields) and not any(field.is_documented for field in fields)
        yield column, about + (" (inferred field: may be missing)" if is_inferred else "")


def _test(connection: duckdb.DuckDBPyConnection, mart: Mart, test: MartTest) -> MartFinding:
    rows = connection.execute(f"SELECT key::VARCHAR, detail::VARCHAR FROM ({test.sql})").fetchmany(BLAMED_ROWS)
    count = len(rows)
    if count == BLAMED_ROWS:
        ((count,),) = connection.execute(f"SELECT count(*) FROM ({test.sql})").fetchall()
    return MartFinding(mart.name, test, tuple(_blamed(mart, rows)), int(count))


def _blamed(mart: Mart, rows: Iterable[tuple[str, str]]) -> Iterator[Blamed]:
    for key, detail in rows:
        yield Blamed(f"{MART}.{mart.name}", (key,), detail)
