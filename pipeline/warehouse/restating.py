"""What a run changed in closed accounting periods: every value before and after, one row a value."""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.resources import snake_case
from pipeline.tables import DELETED_AT, VALID_FROM, VALID_TO, Table
from pipeline.warehouse.text import CURRENT, PAST, differ, equal, home, instant, literal, names, quoted

_CLOSED, _BEFORE, _AFTER = "temp._closed", "temp._before", "temp._after"


@dataclass(frozen=True, slots=True)
class Period:
    """What decides to which accounting period rows belong: a document's table, and its field with the time."""

    document: Table
    field: str


def restate(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    table: Table,
    period: Period,
    *,
    at: datetime,
    closed_before: datetime,
) -> None:
    """`meta.restatement` lists what the run at `at` changed in rows of a table whose period is closed.

    A document's period is closed if its time was, or is now, before `closed_before`: what is moved into or out of a
    closed period restates it as well.
    """
    document, key = period.document, table.key[: len(period.document.key)]
    _find_closed(connection, period, at=at, closed_before=closed_before)
    columns = names((*table.key, *(column.name for column in table.content_columns)))
    is_closed = f"SEMI JOIN {_CLOSED} AS closed ON {equal('version', key, 'closed', document.key)}"
    ended = f"SELECT {columns} FROM {home(table, PAST)} WHERE {VALID_TO} = {instant(at)}"
    gone = f"SELECT {columns} FROM {home(table)} WHERE {DELETED_AT} = {instant(at)} AND {VALID_FROM} < {instant(at)}"
    came = f"SELECT {columns} FROM {home(table)} WHERE {VALID_FROM} = {instant(at)} AND {DELETED_AT} IS NULL"
    for name, versions in (("_before", f"{ended} UNION ALL {gone}"), ("_after", came)):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {columns} FROM ({versions}) AS version {is_closed}"
        ).fetchall()
    connection.execute(
        "INSERT INTO meta.restatement (run_id, resource, table_name, key, column_name, before, after, kind) "
        f"SELECT {literal(run_id)}, {literal(table.resource)}, {literal(table.name)}, key, value.name, value.before, "
        f"value.after, kind FROM (SELECT key, kind, unnest(pair) AS value FROM ({_pairs(table)})) "
        f"WHERE value.before IS DISTINCT FROM value.after ORDER BY key, value.place"
    ).fetchall()


def _pairs(table: Table) -> str:
    """One row a row of the table that differs: its key, what became of it, and all its values before and after."""
    columns = [column.name for column in table.content_columns]
    key = ", ".join(f"coalesce(before.{name}, after.{name})::VARCHAR" for name in map(quoted, table.key))
    pair = ", ".join(
        f"{{'place': {place}, 'name': {literal(name)}, 'before': before.{quoted(name)}::VARCHAR, "
        f"'after': after.{quoted(name)}::VARCHAR}}"
        for place, name in enumerate(columns)
    )
    last = quoted(table.key[-1])
    return (
        f"SELECT [{key}] AS key, CASE WHEN before.{last} IS NULL THEN 'added' WHEN after.{last} IS NULL THEN 'deleted' "
        f"ELSE 'changed' END AS kind, [{pair}] AS pair FROM {_BEFORE} AS before FULL JOIN {_AFTER} AS after "
        f"ON {equal('before', table.key, 'after', table.key)} WHERE {differ('before', 'after', columns)}"
    )


def _find_closed(
    connection: duckdb.DuckDBPyConnection, period: Period, *, at: datetime, closed_before: datetime
) -> None:
    """The keys of the documents whose period is closed, now or as they were before the run."""
    key, field = names(period.document.key), quoted(snake_case(period.field))
    is_closed = f"{field} < {instant(closed_before)}"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _closed AS SELECT {key} FROM {home(period.document, CURRENT)} WHERE {is_closed} "
        f"UNION SELECT {key} FROM {home(period.document, PAST)} WHERE {is_closed} AND {VALID_TO} = {instant(at)}"
    ).fetchall()
