"""From sealed Parquet parts to tables of ours: names, types, newest version of each record within a run.

The SQL is generated from `pipeline.tables`; every name passes `text.quoted`. What a run means for rows that are there
already is the business of `applying`.
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.errors import StoredDataDamaged
from pipeline.resources import Resource, snake_case
from pipeline.tables import DELETED_AT, EXTRA, INDEX, PAGE, RUN_ID, VALID_FROM, Table, TableColumn
from pipeline.warehouse.text import home, instant, literal, literal_path, names, present, quoted

# What tells a record from every other of its resource: where it stood in which run.
PLACE = (RUN_ID, PAGE, "_record")
# Names below start with an underscore, which no field of the catalogue does.
_PLACES, _ELEMENT = "_superseded_places", "_element"


def parquet(files: Iterable[Path], *, of_run: str | None = None) -> str:
    """The rows of some parts, to stand after FROM; `of_run`, only that run's."""
    # A folder called run=... would otherwise become a column.
    rows = f"read_parquet([{', '.join(literal_path(file) for file in files)}], hive_partitioning = false)"
    return rows if of_run is None else f"(FROM {rows} WHERE {RUN_ID} = {literal(of_run)})"


def sent_key(resource: Resource) -> str:
    """The key of a snapshot row under the names it has in the warehouse, to stand after SELECT."""
    return ", ".join(f"{quoted(name)} AS {quoted(snake_case(name))}" for name in resource.identity)


def place_superseded(connection: duckdb.DuckDBPyConnection, resource: Resource, source: str) -> int:
    """How many records a newer one of the same key replaces; `newest` and `replaced` tell them apart from now on.

    Newest means the greatest update time, then the latest run, page and record. Sorts only keys that stand more than
    once. Records without a key are each other's equal in nothing: the key check finds them.
    """
    key = names(resource.identity)
    all_present = " AND ".join(present(quoted(name)) for name in resource.identity)
    twice = f"SELECT {key} FROM {source} WHERE {all_present} GROUP BY {key} HAVING count(*) > 1"
    ((count,),) = connection.execute(f"SELECT count(*) FROM ({twice})").fetchall()
    if not count:
        return 0
    newest_first = [quoted(name) + " DESC NULLS LAST" for name in (resource.updated, *PLACE) if name]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted(_PLACES)} AS SELECT {names(PLACE)} FROM ("
        f"SELECT {names(PLACE)}, row_number() OVER (PARTITION BY {key} ORDER BY {', '.join(newest_first)}) AS newness "
        f"FROM {source} SEMI JOIN ({twice}) USING ({key})) WHERE newness > 1"
    ).fetchall()
    ((superseded,),) = connection.execute(f"SELECT count(*) FROM temp.{quoted(_PLACES)}").fetchall()
    return int(superseded)


def newest(source: str) -> str:
    """The records of a source that none of their own run replaces."""
    return f"{source} ANTI JOIN temp.{quoted(_PLACES)} USING ({names(PLACE)})"


def replaced(source: str) -> str:
    """The other ones."""
    return f"{source} SEMI JOIN temp.{quoted(_PLACES)} USING ({names(PLACE)})"


@contextmanager
def one_thread(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A join on several threads gives its rows in another order each time; on one it keeps theirs, and costs less."""
    ((threads,),) = connection.execute("SELECT current_setting('threads')").fetchall()
    connection.execute("SET threads = 1").fetchall()
    try:
        yield
    finally:
        connection.execute(f"SET threads = {int(threads)}").fetchall()


def insert(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], source: str, *, at: datetime, schema: str
) -> None:
    """The records of a source and the elements of their lists stand in the tables of a schema, valid from `at`."""
    for table in tables:
        columns = names(column.name for column in table.columns)
        connection.execute(
            f"INSERT INTO {home(table, schema)} ({columns}) {_select(table, source, instant(at))}"
        ).fetchall()


def refuse_other_types(connection: duckdb.DuckDBPyConnection, table: Table, file: Path) -> None:
    """A part holds what the table wants.

    Without this, DuckDB would cast in silence: 1.5 stored as text or double would become something else.

    Raises:
        StoredDataDamaged: it lacks a column, or has one of another type.
    """
    anytime = "TIMESTAMPTZ '2000-01-01'"
    try:
        found = connection.execute(f"DESCRIBE {_select(table, parquet([file]), anytime)}").fetchall()
    except duckdb.BinderException as error:
        raise StoredDataDamaged(f"a part lacks a column of table {table.name}", where=str(file)) from error
    wanted = connection.execute(f"DESCRIBE {home(table)}").fetchall()
    for column, (_, got, *_), (_, want, *_) in zip(table.columns, found, wanted, strict=True):
        if got != want:
            raise StoredDataDamaged(f"a part holds {got} for {table.name}.{column.name}, not {want}", where=str(file))


def _select(table: Table, source: str, valid_from: str) -> str:
    """A SELECT of exactly the table's columns, in order, from snapshot rows."""
    given = {VALID_FROM: valid_from, DELETED_AT: "NULL::TIMESTAMPTZ"}
    if table.list_field is None:
        values = ", ".join(given.get(column.name) or _way("", column.source) for column in table.columns)
        return f"SELECT {values} FROM {source}"
    above = dict.fromkeys(
        column.source[0] for column in table.columns if not column.is_own and column.name not in (INDEX, EXTRA, *given)
    )
    field = quoted(table.list_field)
    elements = (
        f"SELECT {names(above)}, unnest({field}) AS {quoted(_ELEMENT)}, "
        f"(generate_subscripts({field}, 1) - 1)::INTEGER AS {quoted(INDEX)} FROM {source}"
    )
    of_plain_values = any(column.is_own and not column.source for column in table.columns)
    values = ", ".join(
        given.get(column.name) or _element_value(column, of_plain_values=of_plain_values) for column in table.columns
    )
    return f"SELECT {values} FROM ({elements})"


def _element_value(column: TableColumn, *, of_plain_values: bool) -> str:
    if column.is_own:
        return _way(quoted(_ELEMENT), column.source)
    if column.name == EXTRA:
        return "NULL::VARCHAR" if of_plain_values else _way(quoted(_ELEMENT), column.source)
    return quoted(column.source[0])


def _way(start: str, steps: tuple[str, ...]) -> str:
    """The value reached from `start` (or from the row, if empty) by these field names."""
    value, rest = (start, steps) if start else (quoted(steps[0]), steps[1:])
    for step in rest:
        value = f"struct_extract({value}, {literal(step)})"
    return value
