"""From sealed Parquet parts to the tables of the `prospend` schema: names, types, newest version of each record.

The SQL is generated from `pipeline.tables`; every name passes `text.quoted`. Totals and key checks are in `audit`.
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb

from pipeline.errors import StoredDataDamaged
from pipeline.resources import Resource
from pipeline.tables import EXTRA, INDEX, RUN_ID, Table, TableColumn, tables_of
from pipeline.warehouse.text import literal, literal_path, names, present, quoted
from pipeline.warehouse.values import Parts

SCHEMA = "prospend"
# Where the records that a newer version replaced stand while a build lasts: temporary tables, never in the file.
ASIDE = "temp.main"
# What tells a record from every other of its resource: where it stood in which run.
_PLACE = (RUN_ID, "_page", "_record")
# Names below start with an underscore, which no field of the catalogue does.
_PLACES, _ELEMENT = "_superseded_places", "_element"


def create_tables(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], *, schema: str = SCHEMA) -> None:
    """Every table stands, empty, with its columns in order. No primary keys: they would cost four times the load."""
    for table in tables:
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
        kind = "TEMP TABLE" if schema == ASIDE else "TABLE"
        connection.execute(f"CREATE {kind} {schema}.{quoted(table.name)} ({columns})").fetchall()


def comment_tables(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> None:
    """Every table and column carries its meaning."""
    text = []
    for table in tables:
        home = f"{SCHEMA}.{quoted(table.name)}"
        text.append(f"COMMENT ON TABLE {home} IS {literal(table.about)};")
        text += [f"COMMENT ON COLUMN {home}.{quoted(c.name)} IS {literal(c.about)};" for c in table.columns]
    connection.execute("\n".join(text)).fetchall()


def load(connection: duckdb.DuckDBPyConnection, parts: Parts) -> int:
    """The newest version of every record of a resource stands in its tables; older ones stand in `ASIDE`.

    Newest means the greatest update time, then the latest run, page and record. A list's elements come from the same
    record as the row above them. Records without a key are loaded as they are: the key check finds them. Rows keep
    the order in which they were fetched.

    Returns:
        How many records were replaced by a newer version.

    Raises:
        StoredDataDamaged: a part does not hold the columns and types of the catalogue.
    """
    if not parts.files:
        return 0
    tables = tables_of(parts.resource)
    for file in parts.files:
        for table in tables:
            _refuse_other_types(connection, table, _parquet([literal_path(file)]), str(file))
    source = _parquet(literal_path(file) for file in parts.files)
    superseded = _find_superseded(connection, parts.resource, source)
    if not superseded:
        _insert(connection, tables, source)
        return 0
    places = f"temp.{quoted(_PLACES)} USING ({names(_PLACE)})"
    create_tables(connection, tables, schema=ASIDE)
    with _one_thread(connection):
        _insert(connection, tables, f"{source} ANTI JOIN {places}")
        _insert(connection, tables, f"{source} SEMI JOIN {places}", schema=ASIDE)
    return superseded


@contextmanager
def _one_thread(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A join on several threads gives its rows in another order each time; on one it keeps theirs, and costs less."""
    ((threads,),) = connection.execute("SELECT current_setting('threads')").fetchall()
    connection.execute("SET threads = 1").fetchall()
    try:
        yield
    finally:
        connection.execute(f"SET threads = {int(threads)}").fetchall()


def _parquet(files: Iterable[str]) -> str:
    # A folder called run=... would otherwise become a column.
    return f"read_parquet([{', '.join(files)}], hive_partitioning = false)"


def _find_superseded(connection: duckdb.DuckDBPyConnection, resource: Resource, source: str) -> int:
    """The places of all replaced records stand in a temporary table. Sorts only keys that stand more than once."""
    key = names(resource.identity)
    twice = f"SELECT {key} FROM {source} WHERE {_all_present(resource)} GROUP BY {key} HAVING count(*) > 1"
    ((count,),) = connection.execute(f"SELECT count(*) FROM ({twice})").fetchall()
    if not count:
        return 0
    newest_first = [quoted(name) + " DESC NULLS LAST" for name in (resource.updated, *_PLACE) if name]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted(_PLACES)} AS SELECT {names(_PLACE)} FROM ("
        f"SELECT {names(_PLACE)}, row_number() OVER (PARTITION BY {key} ORDER BY {', '.join(newest_first)}) AS newness "
        f"FROM {source} SEMI JOIN ({twice}) USING ({key})) WHERE newness > 1"
    ).fetchall()
    ((superseded,),) = connection.execute(f"SELECT count(*) FROM temp.{quoted(_PLACES)}").fetchall()
    return int(superseded)


def _all_present(resource: Resource) -> str:
    return " AND ".join(present(quoted(name)) for name in resource.identity)


def _insert(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], source: str, *, schema: str = SCHEMA
) -> None:
    for table in tables:
        columns = names(column.name for column in table.columns)
        connection.execute(f"INSERT INTO {schema}.{quoted(table.name)} ({columns}) {_select(table, source)}").fetchall()


def _select(table: Table, source: str) -> str:
    """A SELECT of exactly the table's columns, in order, from snapshot rows."""
    if table.list_field is None:
        values = ", ".join(_way("", column.source) for column in table.columns)
        return f"SELECT {values} FROM {source}"
    above = dict.fromkeys(
        column.source[0] for column in table.columns if not column.is_own and column.name not in (INDEX, EXTRA)
    )
    field = quoted(table.list_field)
    elements = (
        f"SELECT {names(above)}, unnest({field}) AS {quoted(_ELEMENT)}, "
        f"(generate_subscripts({field}, 1) - 1)::INTEGER AS {quoted(INDEX)} FROM {source}"
    )
    of_plain_values = any(column.is_own and not column.source for column in table.columns)
    values = ", ".join(_element_value(column, of_plain_values=of_plain_values) for column in table.columns)
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


def _refuse_other_types(connection: duckdb.DuckDBPyConnection, table: Table, source: str, file: str) -> None:
    """Without this, DuckDB would cast in silence: 1.5 stored as text or double would become something else."""
    try:
        found = connection.execute(f"DESCRIBE {_select(table, source)}").fetchall()
    except duckdb.BinderException as error:
        raise StoredDataDamaged(f"a part lacks a column of table {table.name}", where=file) from error
    wanted = connection.execute(f"DESCRIBE {SCHEMA}.{quoted(table.name)}").fetchall()
    for column, (_, got, *_), (_, want, *_) in zip(table.columns, found, wanted, strict=True):
        if got != want:
            raise StoredDataDamaged(f"a part holds {got} for {table.name}.{column.name}, not {want}", where=file)
