"""The Arrow types of a resource: as its JSON is read, as it is typed, and as a snapshot keeps it.

Derived from the catalogue alone; no record is looked at here.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pyarrow as pa

from pipeline.resources import Column, Kind, Resource
from pipeline.tables import EXTRA, FETCHED_AT, RUN_ID

PAGE, RECORD = "_page", "_record"
TIMESTAMP = pa.timestamp("us", "UTC")

NoteKind = Literal["unknown_field", "precision_reduced", "unknown_value", "alias_used"]
NoteCounts = Counter[tuple[str, NoteKind]]
"""How many records have something to note, by path of the field and kind of note."""

_TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIMESTAMP: TIMESTAMP,
    Kind.DATE: pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What decoding needs to know of a resource, worked out once.

    `read` and `typed` have the same columns: the parents' names, which a record may repeat, its own, and `_extra`.
    In `read` times and dates are still text: Arrow's JSON reader takes a time without offset for UTC and knows no
    dates, its casts from text are strict. `known` are the names a record may have, `respelled` their aliases, `nested`
    accepts records without unknown fields in their objects and lists.
    """

    resource: Resource
    read: pa.Schema
    typed: pa.Schema
    snapshot: pa.Schema
    parents: tuple[Column, ...]
    known: frozenset[str]
    respelled: frozenset[str]
    nested: msgspec.json.Decoder[Any]


@functools.cache
def plan_of(resource: Resource) -> Plan:
    """The plan of a resource, made on first use."""
    read = _record_fields(resource, as_read=True)
    typed = _record_fields(resource, as_read=False)
    provenance: list[pa.Field[Any]] = [
        pa.field(RUN_ID, pa.string(), nullable=False),
        pa.field(FETCHED_AT, TIMESTAMP, nullable=False),
        pa.field(PAGE, pa.int32(), nullable=False),
        pa.field(RECORD, pa.int32(), nullable=False),
    ]
    context: list[pa.Field[Any]] = [pa.field(name, pa.string(), nullable=False) for name in resource.context_names]
    own = typed[len(context) : -1]
    return Plan(
        resource=resource,
        read=pa.schema(read),
        typed=pa.schema(typed),
        snapshot=pa.schema([*context, *own, *provenance, typed[-1]]),
        parents=tuple(Column(name, Kind.TEXT, "key of a parent", "inferred") for name in resource.context_names),
        known=frozenset(field.name for field in read) - {EXTRA},
        respelled=frozenset(alias for column in resource.columns for alias in column.aliases),
        nested=msgspec.json.Decoder(_struct(resource.columns, forbid_unknown=False)),
    )


def snapshot_schema(resource: Resource) -> pa.Schema:
    """The columns of a decoded table and of a snapshot part, in order.

    Shape:
        the parents' keys (text, never null); the resource's columns under the API's names; `_run_id`, `_fetched_at`,
        `_page`, `_record` (never null); `_extra`. An element of a list of objects has its own `_extra`.
    """
    return plan_of(resource).snapshot


def _record_fields(resource: Resource, *, as_read: bool) -> list[pa.Field[Any]]:
    return [
        *(pa.field(name, pa.string()) for name in resource.context_names),
        *_fields(resource.columns, as_read=as_read),
        pa.field(EXTRA, pa.string()),
    ]


def _fields(columns: Iterable[Column], *, as_read: bool) -> list[pa.Field[Any]]:
    return [pa.field(column.name, _type(column, as_read=as_read)) for column in columns]


def _type(column: Column, *, as_read: bool) -> pa.DataType:
    if column.kind is Kind.DECIMAL:
        return pa.decimal128(column.precision, column.scale)
    if column.kind is Kind.OBJECT:
        return pa.struct(_fields(column.columns, as_read=as_read))
    if column.kind is Kind.LIST:
        if column.item is not None:
            return pa.list_(_type(column.item, as_read=as_read))
        return pa.list_(pa.struct([*_fields(column.columns, as_read=as_read), pa.field(EXTRA, pa.string())]))
    if as_read and column.kind in (Kind.TIMESTAMP, Kind.DATE):
        return pa.string()
    return _TYPES[column.kind]


def _struct(columns: Iterable[Column], *, forbid_unknown: bool) -> type[msgspec.Struct]:
    """A struct that accepts an object with these columns, whatever their values, and nothing else in what is nested."""
    return msgspec.defstruct(
        "Known",
        # Attributes are numbered: a field may have the name of a keyword.
        [(f"f{i}", _shape(c), msgspec.field(default=None, name=c.name)) for i, c in enumerate(columns)],
        forbid_unknown_fields=forbid_unknown,
    )


def _shape(column: Column) -> Any:  # a type for msgspec, made at run time
    if not column.columns:
        return msgspec.Raw
    inner = _struct(column.columns, forbid_unknown=True)
    return list[inner | None] | None if column.kind is Kind.LIST else inner | None  # type: ignore[valid-type]
