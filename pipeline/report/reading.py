"""What is read of a warehouse for people and other programs: which tables there are, what they mean, their rows.

This stage does not know DuckDB: it asks a connection that it is given.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from pipeline.errors import ConfigError

MARTS, CURRENT = "mart", "prospend"
_SHOWN = ("mart", "prospend", "history", "meta")


class Relation(Protocol):
    """A query that was not carried out yet."""

    def to_arrow_table(self) -> pa.Table: ...

    def __arrow_c_stream__(self, requested_schema: object = None, /) -> object: ...


class Result(Protocol):
    """The answer to a statement."""

    def fetchall(self) -> list[tuple[Any, ...]]: ...


class Connection(Protocol):
    """What is needed of a DuckDB connection."""

    def sql(self, query: str, /, *, params: Sequence[object] = ...) -> Relation | None: ...

    def execute(self, query: str, parameters: Sequence[object] = ..., /) -> Result: ...


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, its SQL type and what it means."""

    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view of a warehouse, and what it means."""

    schema: str
    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def full_name(self) -> str:
        """As people write it: `mart.spend_line`."""
        return f"{self.schema}.{self.name}"

    @property
    def place(self) -> str:
        """As SQL takes it, whatever the name holds."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


def quoted(name: str) -> str:
    """A name as an identifier, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def tables(connection: Connection, schemas: Iterable[str] = _SHOWN) -> tuple[Table, ...]:
    """The tables and views of some schemas, schema by schema, each in the order in which they were made."""
    wanted = list(schemas)
    about = {
        (schema, name): text or ""
        for schema, name, text in connection.execute(
            "SELECT schema_name, table_name, comment FROM duckdb_tables() "
            "UNION ALL SELECT schema_name, view_name, comment FROM duckdb_views()"
        ).fetchall()
    }
    found: dict[tuple[str, str], list[Column]] = {}
    for schema, name, column, kind, text in connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database() ORDER BY table_oid, column_index"
    ).fetchall():
        if schema in wanted:
            found.setdefault((schema, name), []).append(Column(column, kind, text or ""))
    order = sorted(found, key=lambda one: wanted.index(one[0]))
    return tuple(Table(schema, name, about[schema, name], tuple(found[schema, name])) for schema, name in order)


def chosen(connection: Connection, names: Sequence[str]) -> tuple[Table, ...]:
    """The tables of these names, such as `mart.spend_line`, in order, each once.

    Raises:
        ConfigError: there is no such table.
    """
    known = {one.full_name: one for one in tables(connection)}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            asked = f"did you mean {near[0]}? " if near else ""
            raise ConfigError(
                "there is no table of that name",
                where=f"table {name!r:.80}",
                do=f"{asked}write schema.table; `prospend query 'FROM meta.data_dictionary'` lists them",
            )
    return tuple(known[name] for name in dict.fromkeys(names))


def row_count(connection: Connection, table: Table) -> int:
    """Rows of a table."""
    ((count,),) = connection.execute(f"SELECT count(*) FROM {table.place}").fetchall()  # noqa: S608 - quoted names
    return int(count)


def rows(connection: Connection, query: str) -> pa.RecordBatchReader:
    """The rows that a query gives, some at a time: memory does not grow with the table."""
    relation = connection.sql(query)
    if relation is None:
        raise ConfigError("the statement gives no rows", where="query", do="ask with SELECT")
    return pa.RecordBatchReader.from_stream(relation)
