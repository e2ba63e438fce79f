"""What is counted and added up in a loaded warehouse, by SQL in DuckDB, for the checks to judge."""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.model import ControlTotal
from pipeline.tables import DELETED_AT, VALID_FROM, Table, TableColumn
from pipeline.warehouse.text import CURRENT, equal, home, instant, names, present, quoted

_ALIVE = f"{DELETED_AT} IS NULL"
_READ = "temp._read"


@dataclass(frozen=True, slots=True)
class Read:
    """The rows that some records stand for: how many in each table, and their amounts."""

    rows: tuple[tuple[str, int], ...]
    totals: tuple[ControlTotal, ...]


def row_counts(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[str], *, among_all: bool = False
) -> tuple[tuple[str, int], ...]:
    """Rows of each table of the `prospend` schema that are not deleted - or all of them - in the order given."""
    counted, condition = [], "true" if among_all else _ALIVE
    for table in tables:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {CURRENT}.{quoted(table)} WHERE {condition}").fetchall()
        counted.append((table, int(count)))
    return tuple(counted)


def totals(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], *, schema: str = CURRENT
) -> tuple[ControlTotal, ...]:
    """The exact sum of every money column in every currency, and how many values it adds; sorted.

    Deleted rows do not count. Sums are exact: DECIMAL(38, s) adds as a 128-bit integer, and an overflow is an error.
    """
    found: list[ControlTotal] = []
    for table in tables:
        found += _totals(connection, table, f"{home(table, schema)} WHERE {_ALIVE}")
    return tuple(sorted(found))


def read(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], keys: str | None) -> Read:
    """The rows with these keys, deleted or not, and their elements: found in the tables, not taken from the records.

    Args:
        connection: to the file that is being built.
        tables: of one resource.
        keys: a SELECT of keys; None for all rows.
    """
    rows, found = [], []
    for table in tables:
        money = dict.fromkeys(
            name for column in table.money_columns for name in (column.name, column.currency) if name is not None
        )
        chosen = home(table)
        if keys is not None:
            is_read = equal("held", table.record_key, "read", tables[0].key)
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE _read AS SELECT {names(money) or 'true'} FROM {home(table)} AS held "
                f"SEMI JOIN ({keys}) AS read ON {is_read}"
            ).fetchall()
            chosen = _READ
        ((count,),) = connection.execute(f"SELECT count(*) FROM {chosen}").fetchall()
        rows.append((table.name, int(count)))
        found += _totals(connection, table, f"{chosen} WHERE true")
    return Read(tuple(rows), tuple(sorted(found)))


def key_problems(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], *, since: datetime | None = None
) -> tuple[tuple[str, int, int], ...]:
    """(table, rows whose key is incomplete, keys that stand more than once), for tables that have any.

    With `since`, only keys that came from that instant on are looked at: the rows before them were sound.
    """
    found = []
    for table in tables:
        place, key = home(table), names(table.key)
        complete = " AND ".join(present(quoted(name)) for name in table.key)
        came = f"{VALID_FROM} >= {instant(since)}" if since else "true"
        with_twins = f"{place} AS held"
        if since:
            twin = equal("held", table.key, "fresh", table.key)
            with_twins += f" SEMI JOIN (SELECT {key} FROM {place} WHERE {came}) AS fresh ON {twin}"
        ((missing, repeated),) = connection.execute(
            f"SELECT (SELECT count(*) FROM {place} WHERE {came} AND NOT ({complete})), (SELECT count(*) FROM ("
            f"SELECT 1 FROM {with_twins} WHERE {complete} GROUP BY {key} HAVING count(*) > 1))"
        ).fetchall()
        if missing or repeated:
            found.append((table.name, int(missing), int(repeated)))
    return tuple(found)


def _totals(connection: duckdb.DuckDBPyConnection, table: Table, rows: str) -> list[ControlTotal]:
    found = []
    by_currency: dict[str | None, list[TableColumn]] = {}
    for column in table.money_columns:
        by_currency.setdefault(column.currency, []).append(column)
    for currency, columns in by_currency.items():
        code = f"coalesce({quoted(currency)}, '')" if currency else "''"
        sums = ", ".join(_counted_and_added(column) for column in columns)
        for key, *values in connection.execute(f"SELECT {code}, {sums} FROM {rows} GROUP BY ALL").fetchall():
            found += [
                ControlTotal(table.resource, table.name, column.name, key, int(count), total)
                for column, count, total in zip(columns, values[::2], values[1::2], strict=True)
                if count
            ]
    return found


def _counted_and_added(column: TableColumn) -> str:
    amount, scale = quoted(column.name), column.type.partition(",")[2].rstrip(")")
    return f"count({amount}), sum({amount}::DECIMAL(38, {scale}))"
