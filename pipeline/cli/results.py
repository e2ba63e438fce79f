"""Query results as text, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.text import aligned, visible
from pipeline.durable import storing
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.warehouse import Answer

_ROWS_AT_ONCE = 10_000
_WIDEST_CELL = 60


def print_query(data: Path, sql: str, form: str, output: Path | None) -> None:
    """The result of one read-only statement, in the wanted form, on standard output or in a file.

    Raises:
        ConfigError: the statement is not right, or parquet was asked for without a file.
    """
    from pipeline import warehouse
    from pipeline.ops.runs import pointer_of

    if form == "parquet" and output is None:
        raise ConfigError("parquet is not text", where="query --format parquet", do="name a file with --output")
    with warehouse.connect(pointer_of(data)) as connection:
        found = warehouse.query(connection, sql)
        if form == "parquet":
            assert output is not None
            with storing(f"query --output {output}"):
                _write_parquet(found, output)
            return
        if output is None:
            _write_text(found, form, sys.stdout)
            return
        with storing(f"query --output {output}"), output.open("w", encoding="utf-8", newline="") as file:
            _write_text(found, form, file)


def _write_text(found: Answer, form: str, out: Any) -> None:
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(found.columns)
        for rows in _blocks(found):
            writer.writerows([["" if value is None else _plain(value) for value in row] for row in rows])
    elif form == "json":
        _write_json(found, out)
    else:
        out.write(as_text(found) + "\n")


def _write_json(found: Answer, out: Any) -> None:
    import msgspec

    twice = sorted({name for name in found.columns if found.columns.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two columns are called {', '.join(twice)}", where="query", do="give each column its own name with AS"
        )
    encoder = msgspec.json.Encoder(decimal_format="number")  # exact: 0.10 stays 0.10
    before = "[\n "
    for rows in _blocks(found):
        for row in rows:
            out.write(before + encoder.encode(dict(zip(found.columns, row, strict=True))).decode())
            before = ",\n "
    out.write("[]\n" if before.startswith("[") else "\n]\n")


def _write_parquet(found: Answer, output: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(found.to_arrow_table(), output, compression="zstd", write_page_checksum=True)
    click.echo(f"{output}: written", err=True)


def _blocks(found: Answer) -> Iterator[list[tuple[Any, ...]]]:
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        yield rows


def as_text(found: Answer) -> str:
    """An aligned table: header, rule, rows; numbers to the right."""
    rows = found.fetchall()
    cells = [[_shortened(visible(_plain(value))) if value is not None else "" for value in row] for row in rows]
    right = [any(isinstance(row[i], int | float | Decimal) for row in rows) for i in range(len(found.columns))]
    return aligned(found.columns, cells, right)


def _shortened(text: str) -> str:
    """A cell that keeps a table readable; the other formats give values whole."""
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
