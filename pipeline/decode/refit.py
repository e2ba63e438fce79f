"""Rows of an earlier catalogue in the form of today's: columns that are new get their values out of `_extra`.

A value is typed from its JSON text, as it would have been on the day it was sent. What does not fit its new column
stays in `_extra`, and the column is NULL there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute

from pipeline.decode.fit import members
from pipeline.decode.pages import decode_pages
from pipeline.decode.schema import snapshot_schema
from pipeline.model import Page, Walk
from pipeline.resources import Column, Kind, Resource
from pipeline.tables import EXTRA

# The package's stubs know neither plain values as scalars nor all that arrays can do.
pc: Any = pyarrow.compute
Array = Any

_ROW = "_row"
_NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
_Place = tuple[str, ...]
"""The objects a column stands in, outermost first."""


def lacks_columns(schema: pa.Schema, resource: Resource) -> bool:
    """Whether rows of this schema lack a column of the resource, or a field of one of its objects or lists."""
    kind = pa.struct(list(schema))
    lists = [one for one in resource.columns if _is_list_of_objects(one, kind)]
    return bool(
        _missing(resource.columns, kind)
        or any(_missing(one.columns, kind.field(one.name).type.value_type) for one in lists)
    )


def refit(table: pa.Table, resource: Resource) -> pa.Table:
    """The same rows with every column of the resource.

    Args:
        table: rows of a snapshot part, typed by an earlier catalogue.
        resource: as today's catalogue has it.

    Shape:
        out  as many rows, in order; columns as `snapshot_schema(resource)`, but for types that have changed since
    """
    wanted = [field.name for field in snapshot_schema(resource)]
    return _filled(table, resource.columns).select(wanted)


def _filled(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """A table of objects, each with its own `_extra`, with every column."""
    for above, column in _missing(columns, pa.struct(list(table.schema))):
        table = _with_column(table, above, column)
    for column in columns:
        if _is_list_of_objects(column, pa.struct(list(table.schema))):
            place = table.schema.get_field_index(column.name)
            filled = _filled_lists(_one_array(table, column.name), column)
            table = table.set_column(place, column.name, filled)
    return table


def _missing(columns: Iterable[Column], kind: Any, above: _Place = ()) -> list[tuple[_Place, Column]]:
    """The columns that an object of this type has no field for."""
    found: list[tuple[_Place, Column]] = []
    for column in columns:
        place = kind.get_field_index(column.name)
        if place < 0:
            found.append((above, column))
        elif column.kind is Kind.OBJECT:
            found += _missing(column.columns, kind.field(place).type, (*above, column.name))
    return found


def _is_list_of_objects(column: Column, kind: Any) -> bool:
    place = kind.get_field_index(column.name)
    return column.kind is Kind.LIST and column.item is None and place >= 0 and pa.types.is_list(kind.field(place).type)


def _with_column(table: pa.Table, above: _Place, column: Column) -> pa.Table:
    """One more column, its values taken out of `_extra`, where a field of an object stands under its dotted way."""
    extras: list[dict[str, bytes] | None] = [_members(text) for text in _one_array(table, EXTRA).to_pylist()]
    names = [".".join((*above, name)) for name in (column.name, *column.aliases)]
    found: dict[int, str] = {}
    for row, extra in enumerate(extras):
        name = next((name for name in names if extra is not None and name in extra), None)
        if name is not None:
            found[row] = name
    sent = {row: (extras[row] or {})[name] for row, name in found.items()}
    values, kept, unknown = _typed(sent, column, table.num_rows)
    for row in kept:
        extra = extras[row] or {}
        del extra[found[row]]
        extra.update({".".join((*above, name)): value for name, value in unknown.get(row, {}).items()})
    texts = [_json_text(extra) for extra in extras]
    table = table.set_column(table.schema.get_field_index(EXTRA), EXTRA, pa.array(texts, pa.string()))
    if not above:
        return table.append_column(column.name, values)
    outer = _one_array(table, above[0])
    return table.set_column(
        table.schema.get_field_index(above[0]), above[0], _with_field(outer, above[1:], column.name, values)
    )


def _typed(
    sent: Mapping[int, bytes], column: Column, row_count: int
) -> tuple[Array, list[int], dict[int, dict[str, bytes]]]:
    """The values by row, the rows that have one that fits, and what those hold that the column does not know."""
    key = Column(_ROW, Kind.TEXT, "number of the row", "inferred")
    reduced = Resource("refit", "/{version}", _ROW, "", "inferred", "inferred", (key, column))
    name = msgspec.json.encode(column.name)
    records = tuple(b'{"%b":"%d",%b:%b}' % (_ROW.encode(), row, name, value) for row, value in sent.items())
    decoded = decode_pages([Page(Walk(reduced.name), 0, records, _NO_TIME)], reduced, run_id="").table
    rows = [int(row or 0) for row in decoded.column(_ROW).to_pylist()]
    places: list[int | None] = [None] * row_count
    for place, row in enumerate(rows):
        places[row] = place
    values = _one_array(decoded, column.name).take(pa.array(places, pa.int64()))
    extras = zip(rows, decoded.column(EXTRA).to_pylist(), strict=True)
    return values, rows, {row: _members(text) or {} for row, text in extras if text is not None}


def _with_field(outer: Array, above: _Place, name: str, values: Array) -> Array:
    """The same objects with one more field, at some depth."""
    fields = {field.name: pc.struct_field(outer, field.name) for field in outer.type}
    fields[above[0] if above else name] = _with_field(fields[above[0]], above[1:], name, values) if above else values
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=outer.is_null())


def _filled_lists(lists: Array, column: Column) -> Array:
    """The same lists with every field in their elements."""
    elements = pc.list_flatten(lists)
    table = pa.table({field.name: pc.struct_field(elements, field.name) for field in elements.type})
    filled = _filled(table, column.columns)
    inner = pa.StructArray.from_arrays(
        [_one_array(filled, name) for name in filled.column_names], names=filled.column_names, mask=elements.is_null()
    )
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(lists), 0))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, inner, mask=lists.is_null())


def _members(text: str | None) -> dict[str, bytes] | None:
    return None if text is None else {name: bytes(value) for name, value in members(text.encode(), EXTRA).items()}


def _json_text(extra: Mapping[str, bytes] | None) -> str | None:
    if not extra:
        return None
    inside = ",".join(f"{msgspec.json.encode(name).decode()}:{value.decode()}" for name, value in extra.items())
    return f"{{{inside}}}"


def _one_array(table: pa.Table, name: str) -> Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
