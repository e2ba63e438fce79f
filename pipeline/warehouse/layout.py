"""What stands in a warehouse file before any row: schemas, tables, views, macros, and the meaning of each.

prospend.X   the newest version of every row; deleted ones carry `_deleted_at`
past.X       the versions before, each with the instant at which it ended
history.X    a view of both; `history.as_of` and `history.diff` work on every one of them
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import duckdb

from pipeline.resources import Resource
from pipeline.tables import DELETED_AT, VALID_TO, Table, TableColumn, all_tables
from pipeline.warehouse.read import open_file
from pipeline.warehouse.text import ASIDE, CURRENT, HISTORY, PAST, fixed, home, literal, names, quoted

KEY = "_key"
_ENDED = TableColumn(
    VALID_TO, "TIMESTAMPTZ", (VALID_TO,), "instant from which this version no longer holds, UTC", is_own=False
)


def past_of(table: Table) -> Table:
    """The table with the versions of `table` that no longer hold."""
    about = f"{table.about} (earlier versions)"
    return replace(table, columns=(*table.columns, _ENDED), about=about)


def create_tables(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], *, schema: str = CURRENT) -> None:
    """Every table stands, empty, with its columns in order. No primary keys: they would cost four times the load."""
    for table in tables:
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
        kind = "OR REPLACE TEMP TABLE" if schema == ASIDE else "TABLE"
        connection.execute(f"CREATE {kind} {home(table, schema)} ({columns})").fetchall()


def create(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """An empty file has every schema, table, view and macro, each with its meaning."""
    for schema in (CURRENT, PAST, HISTORY):
        connection.execute(f"CREATE SCHEMA {schema}").fetchall()
    past = [past_of(table) for table in tables]
    create_tables(connection, tables)
    create_tables(connection, past, schema=PAST)
    connection.execute("\n".join(_view(table) for table in tables)).fetchall()
    connection.execute(fixed("meta_tables")).fetchall()
    connection.execute(fixed("history_macros")).fetchall()
    comments = (*_comments(tables, CURRENT), *_comments(past, PAST), *_view_comments(past))
    connection.execute("\n".join(comments)).fetchall()


def layout_of(resources: Iterable[Resource]) -> str:
    """Names the layout of a file: files of one layout have the same tables, views, macros and comments.

    The resources count with all that they say, because that decides which records fit: a night never goes on from a
    file that would hold other rows if it were built today.
    """
    resources = tuple(resources)
    parts = (*map(repr, resources), *map(repr, all_tables(resources)), fixed("meta_tables"), fixed("history_macros"))
    return sha256("\n".join(parts).encode()).hexdigest()


def fits(path: Path, resources: Iterable[Resource]) -> bool:
    """Whether runs of these resources can be applied to a copy of this file.

    Raises:
        StoredDataDamaged: the file is not what was written.
        VersionMismatch: it was written by a DuckDB that this one cannot read.
    """
    with closing(open_file(path)) as connection:
        try:
            found = connection.execute("SELECT layout_sha256 FROM meta.snapshot_info").fetchall()
        except (duckdb.BinderException, duckdb.CatalogException):
            return False
    return found == [(layout_of(resources),)]


def _view(table: Table) -> str:
    columns = names(column.name for column in table.columns)
    key = ", ".join(f"{quoted(name)}::VARCHAR" for name in table.key)
    return (
        f"CREATE VIEW {home(table, HISTORY)} AS "
        f"SELECT [{key}] AS {KEY}, {columns}, {VALID_TO} FROM {home(table, PAST)} UNION ALL "
        f"SELECT [{key}] AS {KEY}, {columns}, {DELETED_AT} AS {VALID_TO} FROM {home(table)};"
    )


def _comments(tables: Iterable[Table], schema: str) -> Iterator[str]:
    for table in tables:
        place = home(table, schema)
        yield f"COMMENT ON TABLE {place} IS {literal(table.about)};"
        for column in table.columns:
            yield f"COMMENT ON COLUMN {place}.{quoted(column.name)} IS {literal(column.about)};"


def _view_comments(past: Iterable[Table]) -> Iterator[str]:
    for table in past:
        place = home(table, HISTORY)
        about = table.about.removesuffix("(earlier versions)") + "(every version)"
        yield f"COMMENT ON VIEW {place} IS {literal(about)};"
        yield f"COMMENT ON COLUMN {place}.{KEY} IS 'values of the key, outermost parent first, as text';"
        for column in table.columns:
            yield f"COMMENT ON COLUMN {place}.{quoted(column.name)} IS {literal(column.about)};"
