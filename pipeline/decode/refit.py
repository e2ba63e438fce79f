"""Rows of an earlier catalogue in the form of today's: columns that are new get their values out of `_extra`.

A value is typed from its JSON text, as it would have been on the day it was sent. What does not fit its new column
stays in `_extra`, and the column is NULL there. A column that today's catalogue does not have, or has with another
type, goes the same way: its values are written as JSON into `_extra` first. A value that stood in a column and does not
fit the one that is to take it over is counted: whether rows may lose it is for the caller to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute

from pipeline.decode.fit import members
from pipeline.decode.pages import decode_pages
from pipeline.decode.schema import snapshot_schema, type_of
from pipeline.model import Page, Walk
from pipeline.resources import Column, Kind, Resource
from pipeline.tables import EXTRA

# The package's stubs know neither plain values as scalars nor all that arrays can do.
pc: Any = pyarrow.compute
Array = Any

_ROW = "_row"
_NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
_Place = tuple[str, ...]
"""The objects a column stands in, outermost first; of a field also its own name at the end."""
_Stood = dict[str, frozenset[int]]
"""The rows in which a field that was set aside had a value, by its dotted way."""
Lost = Counter[str]
"""By field, as in `tags[].name`: how many values stood in a column and do not fit the one that is to take them over."""


class Refitted(NamedTuple):
    """Rows in today's form, and what of them left its column for `_extra`."""

    table: pa.Table
    lost: Lost


def lacks_columns(schema: pa.Schema, resource: Resource) -> bool:
    """Whether rows of this schema lack a column of the resource, or a field of one of its objects or lists."""
    return _lacks(resource.columns, pa.struct(list(schema)))


def is_todays(schema: pa.Schema, resource: Resource) -> bool:
    """Whether rows of this schema have the columns of the resource, in the same types, and no others."""
    return _is_same(pa.struct(list(schema)), pa.struct(list(snapshot_schema(resource))))


def refit(table: pa.Table, resource: Resource) -> Refitted:
    """The same rows in the form that they would have by the resource.

    Args:
        table: rows of a snapshot part, typed by an earlier catalogue.
        resource: as today's catalogue has it.

    Shape:
        out  as many rows, in order; columns as `snapshot_schema(resource)`

    Raises:
        ValueError: a column that is to be typed anew has values that no catalogue could have typed.
    """
    wanted = [field.name for field in snapshot_schema(resource)]
    lost: Lost = Counter()
    added = set(wanted) - {one.name for one in resource.columns}
    return Refitted(_filled(table, resource.columns, added, lost).select(wanted), lost)


def _lacks(columns: Iterable[Column], kind: Any) -> bool:
    for column in columns:
        place = kind.get_field_index(column.name)
        inner = kind.field(place).type if place >= 0 else None
        if inner is not None and pa.types.is_list(inner) and column.columns:
            inner = inner.value_type
        if inner is None or (pa.types.is_struct(inner) and _lacks(column.columns, inner)):
            return True
    return False


def _is_same(one: Any, other: Any) -> bool:
    """Whether two types are the same, whatever the order of fields and whether they may be NULL."""
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields, others = ({field.name: field.type for field in kind} for kind in (one, other))
        return fields.keys() == others.keys() and all(_is_same(kind, others[name]) for name, kind in fields.items())
    if pa.types.is_list(one) and pa.types.is_list(other):
        return _is_same(one.value_type, other.value_type)
    return bool(one == other)


def _filled(table: pa.Table, columns: Sequence[Column], added: Collection[str], lost: Lost, path: str = "") -> pa.Table:
    """A table of objects, each with its own `_extra`, with every column and no others; `added` are ours."""
    stood: _Stood = {}
    for place in _foreign(columns, pa.struct(list(table.schema)), added):
        table, stood[".".join(place)] = _set_aside(table, place)
    for above, column in _missing(columns, pa.struct(list(table.schema))):
        table, lost_count = _with_column(table, above, column, stood)
        if lost_count:
            lost[path + ".".join((*above, column.name))] += lost_count
    for column in columns:
        found = _one_array(table, column.name)
        if _is_list_of_objects(column, pa.struct(list(table.schema))):
            found = _filled_lists(found, column, lost, f"{path}{column.name}[].")
        elif column.kind is Kind.OBJECT:
            found = _with_no_others(found, column)
        table = table.set_column(table.schema.get_field_index(column.name), column.name, found)
    return table


def _missing(columns: Iterable[Column], kind: Any, above: _Place = ()) -> list[tuple[_Place, Column]]:
    """The columns that an object of this type has no field for, or one of another type."""
    found: list[tuple[_Place, Column]] = []
    for column in columns:
        place = kind.get_field_index(column.name)
        if place < 0 or not _has_form(kind.field(place).type, column):
            found.append((above, column))
        elif column.kind is Kind.OBJECT:
            found += _missing(column.columns, kind.field(place).type, (*above, column.name))
    return found


def _foreign(columns: Iterable[Column], kind: Any, added: Collection[str], above: _Place = ()) -> Iterator[_Place]:
    """The fields of an object of this type that are no column, or one of another type."""
    known = {column.name: column for column in columns}
    for field in kind:
        column = known.get(field.name)
        if column is None or not _has_form(field.type, column):
            if field.name not in added:
                yield (*above, field.name)
        elif column.kind is Kind.OBJECT:
            yield from _foreign(column.columns, field.type, (), (*above, field.name))


def _has_form(kind: Any, column: Column) -> bool:
    """Whether a field of this type can be the column's; what is inside of objects is looked at by itself."""
    if column.kind is Kind.OBJECT:
        return bool(pa.types.is_struct(kind))
    if column.kind is Kind.LIST and column.item is None:
        return bool(pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))
    return _is_same(kind, type_of(column))


def _is_list_of_objects(column: Column, kind: Any) -> bool:
    place = kind.get_field_index(column.name)
    return column.kind is Kind.LIST and column.item is None and place >= 0 and _has_form(kind.field(place).type, column)


def _set_aside(table: pa.Table, place: _Place) -> tuple[pa.Table, frozenset[int]]:
    """The values of a field stand in `_extra` as well, as JSON, under its dotted way; and the rows that have one."""
    values = _one_array(table, place[0])
    for name in place[1:]:
        values = pc.struct_field(values, name)
    extras = [_members(text) or {} for text in _one_array(table, EXTRA).to_pylist()]
    held = {row: value for row, value in enumerate(values.to_pylist()) if value is not None}
    for row, value in held.items():
        extras[row][".".join(place)] = _json(value)
    return _with_extras(table, extras), frozenset(held)


def _json(value: object) -> bytes:
    """The JSON text of a typed value: a number without zeros at its end, a time in UTC, what is NULL left out."""
    match value:
        case float() | bytes():
            raise ValueError("a value of a type that no catalogue gives")
        case Decimal():
            written = f"{value:f}"
            return (written.rstrip("0").rstrip(".") if "." in written else written).encode()
        case datetime():
            return msgspec.json.encode(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))
        case date():
            return msgspec.json.encode(value.isoformat())
        case dict():
            given = {name: _json(one) for name, one in value.items() if one is not None and name != EXTRA}
            return (_json_text({**given, **(_members(value.get(EXTRA)) or {})}) or "{}").encode()
        case list():
            return b"[%b]" % b",".join(b"null" if one is None else _json(one) for one in value)
        case _:
            return msgspec.json.encode(value)


def _with_column(table: pa.Table, above: _Place, column: Column, stood: _Stood) -> tuple[pa.Table, int]:
    """One more column, its values taken out of `_extra`, where a field of an object stands under its dotted way.

    With how many of the values that stood in a column did not fit this one.
    """
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
    lost_count = sum(row in stood.get(found[row], ()) for row in found.keys() - set(kept))
    table = _with_extras(table, extras)
    name = above[0] if above else column.name
    if above:
        values = _with_field(_one_array(table, name), above[1:], column.name, values)
    held = table.schema.get_field_index(name)
    table = table.append_column(name, values) if held < 0 else table.set_column(held, name, values)
    return table, lost_count


def _with_extras(table: pa.Table, extras: Iterable[Mapping[str, bytes] | None]) -> pa.Table:
    texts = pa.array([_json_text(extra) for extra in extras], pa.string())
    return table.set_column(table.schema.get_field_index(EXTRA), EXTRA, texts)


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


def _with_no_others(outer: Array, column: Column) -> Array:
    """The same objects with the fields of the catalogue alone, however deep."""
    fields = {}
    for one in column.columns:
        inner = pc.struct_field(outer, one.name)
        fields[one.name] = _with_no_others(inner, one) if one.kind is Kind.OBJECT else inner
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=outer.is_null())


def _filled_lists(lists: Array, column: Column, lost: Lost, path: str) -> Array:
    """The same lists with every field in their elements."""
    elements = pc.list_flatten(lists)
    table = pa.table({field.name: pc.struct_field(elements, field.name) for field in elements.type})
    filled = _filled(table, column.columns, (EXTRA,), lost, path)
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
