"""What is counted and added up in a loaded warehouse, by SQL in DuckDB, for the checks to judge."""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Iterable

import duckdb

from pipeline.model import ControlTotal
from pipeline.tables import Table
from pipeline.warehouse.load import SCHEMA
from pipeline.warehouse.text import names, present, quoted


def row_counts(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Rows of each table of the `prospend` schema, in the order given."""
    counted = []
    for table in tables:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {SCHEMA}.{quoted(table)}").fetchall()
        counted.append((table, int(count)))
    return tuple(counted)


def totals(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], *, schema: str = SCHEMA
) -> tuple[ControlTotal, ...]:
    """The exact sum of every money column in every currency, and how many values it adds; sorted.

    Sums are exact: DECIMAL(38, s) adds as a 128-bit integer, and an overflow is an error.
    """
    found = []
    for table in tables:
        for column in table.money_columns:
            amount = quoted(column.name)
            currency = f"coalesce({quoted(column.currency)}, '')" if column.currency else "''"
            scale = column.type.partition(",")[2].rstrip(")")
            sums = connection.execute(
                f"SELECT {currency}, count(*), sum({amount}::DECIMAL(38, {scale})) FROM {schema}.{quoted(table.name)} "
                f"WHERE {amount} IS NOT NULL GROUP BY ALL HAVING count(*) > 0"
            ).fetchall()
            found += [ControlTotal(table.resource, table.name, column.name, *one) for one in sums]
    return tuple(sorted(found))


def key_problems(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> tuple[tuple[str, int, int], ...]:
    """(table, rows whose key is incomplete, keys that stand more than once), for tables that have any."""
    found = []
    for table in tables:
        home, key = f"{SCHEMA}.{quoted(table.name)}", names(table.key)
        complete = " AND ".join(present(quoted(name)) for name in table.key)
        ((missing, repeated),) = connection.execute(
            f"SELECT (SELECT count(*) FROM {home} WHERE NOT ({complete})), (SELECT count(*) FROM ("
            f"SELECT 1 FROM {home} WHERE {complete} GROUP BY {key} HAVING count(*) > 1))"
        ).fetchall()
        if missing or repeated:
            found.append((table.name, int(missing), int(repeated)))
    return tuple(found)
