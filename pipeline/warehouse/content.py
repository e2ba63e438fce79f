"""Whether two files hold the same, and whether one file is whole: every value is looked at."""

# ruff: noqa: S608 - generated SQL is the purpose here; names pass `text.quoted`
from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from pipeline.errors import StoredDataDamaged
from pipeline.warehouse.faults import working
from pipeline.warehouse.read import open_file
from pipeline.warehouse.text import CURRENT, MART, PAST, quoted

_SCHEMAS = (CURRENT, PAST, "meta", MART)
# What says how and when this file came about, and not what it holds.
_OF_THE_BUILD = {("meta", "snapshot_info"): ("program_version", "duckdb_version")}
_ONLY_OF_THE_BUILD = {("meta", "figure"), ("meta", "check_failure")}


def content_hash(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """By `schema.table`, a hash of the rows of every table, whatever their order.

    Two files of one layout with equal hashes hold the same. Facts of the build that made a file are left out.

    Raises:
        StoredDataDamaged: something in the file is not what was written.
    """
    with _reading_everything("content"):
        return _content_hash(connection)


def _content_hash(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    hashes = {}
    for schema, table, columns in _tables(connection):
        if (schema, table) in _ONLY_OF_THE_BUILD:
            continue
        values = [column for column in columns if column[0] not in _OF_THE_BUILD.get((schema, table), ())]
        row = " || ".join(_text(name, kind) for name, kind in values)
        # Each value with its length in front: no two rows run together to the same text. Sums do not care for order.
        ((count, low, high),) = connection.execute(
            f"SELECT count(*), sum(md5_number_lower(value)::HUGEINT), sum(md5_number_upper(value)::HUGEINT) "
            f"FROM (SELECT {row} AS value FROM {schema}.{quoted(table)})"
        ).fetchall()
        hashes[f"{schema}.{table}"] = f"{count}-{low or 0:x}-{high or 0:x}"
    return hashes


def refuse_damage(path: Path) -> None:
    """Every block of a warehouse file was read, and its checksum held.

    Raises:
        StoredDataDamaged: something in the file is not what was written.
        VersionMismatch: it was written by a DuckDB that this one cannot read.
    """
    with _reading_everything(str(path)), closing(open_file(path)) as connection:
        for schema, table, columns in _tables(connection):
            values = ", ".join(f"max({quoted(name)})" for name, _ in columns)
            connection.execute(f"SELECT {values} FROM {schema}.{quoted(table)}").fetchall()


@contextmanager
def _reading_everything(where: str) -> Iterator[None]:
    """Whatever stops the reading of a file is told as damage of it, if it is that."""
    try:
        with working(where):
            yield
    except (duckdb.InternalException, duckdb.FatalException) as error:  # what DuckDB says of nonsense it has read
        raise StoredDataDamaged(f"stored data cannot be read ({type(error).__name__})", where=where) from error


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, list[tuple[str, str]]]]:
    found = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE NOT internal AND schema_name IN (SELECT unnest(?)) ORDER BY schema_name, table_name, column_index",
        [list(_SCHEMAS)],
    ).fetchall()
    tables: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, kind in found:
        tables.setdefault((schema, table), []).append((column, kind))
    return [(schema, table, columns) for (schema, table), columns in tables.items()]


def _text(name: str, kind: str) -> str:
    """A value as text that no other value of its column has; a time as its microseconds, whatever the zone shown."""
    value = f"epoch_us({quoted(name)})" if kind == "TIMESTAMP WITH TIME ZONE" else quoted(name)
    return f"coalesce(strlen({value}::VARCHAR) || ':' || {value}::VARCHAR, '-')"
