"""How many rows of a typed table hold a value in each warehouse column. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute

from pipeline.model import ColumnFill
from pipeline.resources import Resource
from pipeline.tables import Table, tables_of
from pipeline.totals import column_values

# The package's stubs take no plain values for scalars.
pc: Any = pyarrow.compute


def table_fills(table: pa.Table, resource: Resource) -> tuple[ColumnFill, ...]:
    """One for each column that comes from a field, and one for each list: in how many rows it is not empty."""
    main = tables_of(resource)[0]
    found: list[ColumnFill] = []
    for target in tables_of(resource):
        found += _columns(table, target)
        if target.list_field is not None:
            lengths = pc.fill_null(pc.list_value_length(table.column(target.list_field)), 0)
            filled = pc.sum(pc.greater(lengths, 0)).as_py() or 0
            found.append(ColumnFill(main.name, target.name, table.num_rows, filled))
    return tuple(found)


def add_fills(*many: Iterable[ColumnFill]) -> tuple[ColumnFill, ...]:
    """The fills of several tables of one resource as one."""
    merged: dict[tuple[str, str], tuple[int, int]] = {}
    for one in (fill for fills in many for fill in fills):
        rows, filled = merged.get((one.table, one.column), (0, 0))
        merged[one.table, one.column] = (rows + one.rows, filled + one.filled)
    return tuple(ColumnFill(*key, rows, filled) for key, (rows, filled) in merged.items())


def _columns(table: pa.Table, target: Table) -> list[ColumnFill]:
    columns = [(column, column_values(table, target, column)) for column in target.columns if column.is_own]
    return [ColumnFill(target.name, one.name, len(values), len(values) - values.null_count) for one, values in columns]
