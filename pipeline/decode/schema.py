"""The Arrow types of a resource: as its JSON is read, as it is typed, and as a snapshot keeps it.

Derived from the catalogue alone; no record is looked at here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pyarrow as pa

from pipeline.resources import Column, Kind, Resource
from pipeline.tables import EXTRA, FETCHED_AT, FINGERPRINT, PAGE, RUN_ID

RECORD = "_record"
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
_READ_TYPES = {**_TYPES, Kind.TIMESTAMP: pa.string(), Kind.DATE: pa.string()}
_EXTRA = pa.field(EXTRA, pa.string())
# What msgspec is to accept: the right JSON type, whatever the value.
_SHAPES: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.DECIMAL: int | float | str,
    Kind.TIMESTAMP: str,
    Kind.DATE: str,
}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What decoding needs to know of a resource, worked out once.

    `sent` is a record as it comes: the parents' names, which it may repeat, and its own. `rewritten` has `_extra` as
    well, there and in the elements of lists. In both times and dates are still text: Arrow's JSON reader takes a time
    without offset for UTC and knows no dates, its casts from text are strict. `typed` is what the casts make of it.
    `timestamps`, `dates` and `enumerations` are the columns that are or contain such, without the rest. `exact`
    accepts records that have known fields of the right JSON types and no others, `wider` also those with more fields
    at the top; neither looks at values.
    """

    resource: Resource
    parents: tuple[Column, ...]
    sent: pa.Schema
    rewritten: pa.Schema
    typed: pa.Schema
    snapshot: pa.Schema
    timestamps: tuple[Column, ...]
    dates: tuple[Column, ...]
    enumerations: tuple[Column, ...]
    known: frozenset[str]
    respelled: frozenset[str]
    exact: msgspec.json.Decoder[Any]
    wider: msgspec.json.Decoder[Any]


@functools.cache
def plan_of(resource: Resource) -> Plan:
    """The plan of a resource, made on first use."""
    parents = tuple(Column(name, Kind.TEXT, "key of a parent", "inferred") for name in resource.context_names)
    columns = (*parents, *resource.columns)
    typed = pa.schema([*_fields(columns, types=_TYPES), _EXTRA])
    return Plan(
        resource=resource,
        parents=parents,
        sent=pa.schema(_fields(columns, types=_READ_TYPES, has_extra=False)),
        rewritten=pa.schema([*_fields(columns, types=_READ_TYPES), _EXTRA]),
        typed=typed,
        snapshot=_snapshot(typed, len(parents)),
        timestamps=_pruned(columns, lambda column: column.kind is Kind.TIMESTAMP),
        dates=_pruned(columns, lambda column: column.kind is Kind.DATE),
        enumerations=_pruned(columns, lambda column: bool(column.values)),
        known=frozenset(column.name for column in columns),
        respelled=frozenset(alias for column in columns for alias in column.aliases),
        exact=msgspec.json.Decoder(_struct(columns, forbids_unknown=True)),
        wider=msgspec.json.Decoder(_struct(columns, forbids_unknown=False)),
    )


def snapshot_schema(resource: Resource) -> pa.Schema:
    """The columns of a decoded table and of a snapshot part, in order.

    Shape:
        the parents' keys (text, never null); the resource's columns under the API's names; `_run_id`, `_fetched_at`,
        `_page`, `_record`, `_fingerprint` (never null); `_extra`. An element of a list of objects has its own `_extra`.
    """
    return plan_of(resource).snapshot


def type_of(column: Column) -> pa.DataType:
    """The type that a column has in a snapshot."""
    return _type(column, _TYPES, has_extra=True)


def _snapshot(typed: pa.Schema, parent_count: int) -> pa.Schema:
    fields = list(typed)
    provenance: list[pa.Field[Any]] = [
        pa.field(RUN_ID, pa.string(), nullable=False),
        pa.field(FETCHED_AT, TIMESTAMP, nullable=False),
        pa.field(PAGE, pa.int32(), nullable=False),
        pa.field(RECORD, pa.int32(), nullable=False),
        pa.field(FINGERPRINT, pa.int64(), nullable=False),
    ]
    parents = [field.with_nullable(False) for field in fields[:parent_count]]
    return pa.schema([*parents, *fields[parent_count:-1], *provenance, fields[-1]])


def _pruned(columns: Iterable[Column], wanted: Callable[[Column], bool]) -> tuple[Column, ...]:
    """The columns that are wanted or hold something wanted, and of those only that."""
    kept = []
    for column in columns:
        inner = _pruned(column.columns, wanted)
        if inner:
            kept.append(dataclasses.replace(column, columns=inner))
        elif wanted(column) or (column.item is not None and wanted(column.item)):
            kept.append(column)
    return tuple(kept)


def _fields(
    columns: Iterable[Column], *, types: Mapping[Kind, pa.DataType], has_extra: bool = True
) -> list[pa.Field[Any]]:
    return [pa.field(column.name, _type(column, types, has_extra=has_extra)) for column in columns]


def _type(column: Column, types: Mapping[Kind, pa.DataType], *, has_extra: bool) -> pa.DataType:
    if column.kind is Kind.DECIMAL:
        return pa.decimal128(column.precision, column.scale)
    if column.item is not None:
        return pa.list_(_type(column.item, types, has_extra=has_extra))
    if column.columns:
        inner = _fields(column.columns, types=types, has_extra=has_extra)
        if column.kind is Kind.OBJECT:
            return pa.struct(inner)
        return pa.list_(pa.struct([*inner, _EXTRA] if has_extra else inner))
    return types[column.kind]


def _struct(columns: Iterable[Column], *, forbids_unknown: bool) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        "Fields",
        # Attributes are numbered: a field may have the name of a keyword.
        [
            (f"f{i}", _shape(column) | None, msgspec.field(default=None, name=column.name))
            for i, column in enumerate(columns)
        ],
        forbid_unknown_fields=forbids_unknown,
        gc=False,
    )


def _shape(column: Column) -> Any:  # a type for msgspec, made at run time
    if column.kind is Kind.OBJECT:
        return _struct(column.columns, forbids_unknown=True)
    if column.kind is Kind.LIST:
        inner = _shape(column.item) if column.item is not None else _struct(column.columns, forbids_unknown=True)
        return list[inner | None]  # type: ignore[valid-type]
    return _SHAPES[column.kind]
