"""What a file holds: its bytes, and where these are compressed the values in them."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

# Of each table, one expression that joins whatever is or holds a text. In one query: a query a table takes four times
# as long.
_TEXT_COLUMNS = """
SELECT format('looked_at."{}"."{}"', schema_name, table_name),
       format('concat_ws(chr(0), {})', string_agg(format('"{}"', column_name), ', ' ORDER BY column_index))
FROM duckdb_columns() JOIN duckdb_tables() USING (database_name, schema_name, table_name)
WHERE database_name = 'looked_at' AND regexp_matches(data_type, 'VARCHAR|JSON|BLOB|ENUM') GROUP BY ALL
"""
_PARQUET, _DUCKDB, _GZIP, _ZIP = b"PAR1", b"DUCK", b"\x1f\x8b", b"PK\x03\x04"


def contents_of(path: Path, by: duckdb.DuckDBPyConnection | None = None) -> Iterator[tuple[str, bytes]]:
    """What the file holds, each with the name of the place: first its bytes as they are.

    Warehouses are read `by` a connection of the caller, if there are many.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:  # a server of a test may still tidy up
        return
    yield "bytes", raw
    if raw.startswith(_GZIP):
        yield from _unzipped(raw)
    elif path.name == "pages.kept":
        yield from _kept_pages(raw)
    elif raw.startswith(_ZIP):
        yield from _members(path)
    elif raw.startswith(_PARQUET) and raw.endswith(_PARQUET):
        yield from _parquet_values(path)
    elif raw[8:12] == _DUCKDB:
        yield from _duckdb_values(path, by or reader())


def _unzipped(raw: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        yield "gzip", gzip.decompress(raw)
    except (EOFError, OSError, zlib.error):  # cut or spoiled on purpose: as much as can be had
        yield "gzip", zlib.decompressobj(wbits=31).decompress(raw)


def _kept_pages(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The pages in it that came in gzip, and are kept so."""
    place = raw.find(_GZIP)
    while place >= 0:
        with suppress(zlib.error):  # the same two bytes elsewhere
            yield f"page at {place}", zlib.decompressobj(wbits=31).decompress(raw[place:])
        place = raw.find(_GZIP, place + 1)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def _parquet_values(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError):  # spoiled on purpose by a test; its bytes were searched
        return
    yield from _texts(table)


def reader() -> duckdb.DuckDBPyConnection:
    """A connection to read many warehouses by: attaching one costs a tenth of opening it."""
    return duckdb.connect(config={"threads": 1})


def _duckdb_values(path: Path, by: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, bytes]]:
    place = str(path).replace("'", "''")
    try:
        by.execute(f"ATTACH '{place}' AS looked_at (READ_ONLY)")
    except duckdb.Error:  # spoiled on purpose, or of another version; its bytes were searched
        return
    try:
        tables = by.execute(_TEXT_COLUMNS).fetchall()
        of_tables = " UNION ALL ".join(f"SELECT {texts} AS texts FROM {table}" for table, texts in tables)
        found = list(_texts(by.sql(of_tables).to_arrow_table())) if tables else []
    except duckdb.Error:  # the same, seen late
        found = []
    finally:
        by.execute("DETACH looked_at")
    yield from (("values", content) for _, content in found)


def _texts(table: pa.Table) -> Iterator[tuple[str, bytes]]:
    """The texts of every column, those in lists and structs too, as Arrow keeps them: one after the other."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        buffers = [buffer for chunk in column.chunks for buffer in chunk.buffers() if buffer is not None]
        if buffers and _holds_text(column.type):
            yield name, b"\0".join(buffers)


def _holds_text(kind: pa.DataType) -> bool:
    nested = [kind.field(n).type for n in range(kind.num_fields)]
    return any(map(_holds_text, nested)) or not (nested or pa.types.is_primitive(kind))
