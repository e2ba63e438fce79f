"""Records as other documentation generations and other servers write them: applied to text where it is made.

The books render the default; a switched-on variant rewrites each record of a block once, before the block is kept.
What a field is called and is, comes from the catalogue. Numbers stay the text they are.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec

from pipeline.resources import Catalogue, Column, Kind, Resource
from pipeline.sandbox.data.books import Books
from pipeline.sandbox.data.draw import Ints
from pipeline.sandbox.data.table import Shelf, Table
from pipeline.sandbox.data.text import Texts, as_texts
from pipeline.sandbox.variants import Variants

TOTAL: Final = "total"
_NULL: Final = msgspec.Raw(b"null")
_EPOCH: Final = msgspec.Raw(b'"1970-01-01T00:00:00Z"')
_DIGITS: Final = re.compile(rb'"(0|[1-9][0-9]{0,17})"\Z')
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_VALUES: Final = msgspec.json.Decoder(list[msgspec.Raw])
Fields = dict[str, msgspec.Raw]


def varied_books(books: Books, variants: Variants, catalogue: Catalogue) -> Books:
    """The same books, whose records read as the variants say; by default, these very books."""
    if not variants.change_records:
        return books
    tables = {name: _varied(table, catalogue[name], variants) for name, table in books.tables.items()}
    return dataclasses.replace(books, tables=tables, shelf=Shelf(books.shelf.limit_bytes))


def _varied(table: Table, resource: Resource, variants: Variants) -> Table:
    change = record_changer(resource, variants)

    def write(rows: Ints) -> Texts:
        made = cast("list[str]", table.write(rows).to_pylist())
        return as_texts(f"{change(text[:-1].encode()).decode()}," for text in made)

    return dataclasses.replace(table, write=write)


def record_changer(resource: Resource, variants: Variants) -> Callable[[bytes], bytes]:
    """What rewrites one record of a resource, as compact JSON text."""
    columns = {column.name: column for column in sent_columns(resource, variants)}
    totals = total_columns(resource) if variants.totals == "single" else ()

    def change(record: bytes) -> bytes:
        fields = _with_one_total(_OBJECT.decode(record), totals)
        if variants.number_ids == "on":
            # Parents' keys in a record are no columns of it.
            fields.update((name, _number(fields[name])) for name in resource.context_names if name in fields)
        return msgspec.json.encode(_fields(fields, columns, variants))

    return change


def sent_columns(resource: Resource, variants: Variants) -> tuple[Column, ...]:
    """The columns of a resource as far as the variants move them, under their newest names."""
    totals = total_columns(resource)
    if variants.totals == "arrays" or not totals:
        return resource.columns
    about = "the total; of several currencies the first"
    single = dataclasses.replace(totals[0], name=TOTAL, kind=Kind.OBJECT, table=None, about=about)
    return tuple(single if column == totals[0] else column for column in resource.columns if column not in totals[1:])


def total_columns(resource: Resource) -> tuple[Column, ...]:
    """The lists of totals: an amount and its currency each element."""
    return tuple(c for c in resource.columns if c.kind is Kind.LIST and any(inner.is_money for inner in c.columns))


def is_id_name(name: str) -> bool:
    """Whether a field holds a key: `id`, `claimantId`."""
    return name == "id" or name.endswith("Id")


def old_name(column: Column) -> str:
    """The name of a field in the oldest documentation that has it."""
    return column.aliases[-1] if column.aliases else column.name


def _with_one_total(fields: Fields, totals: tuple[Column, ...]) -> Fields:
    if not totals:
        return fields
    gone = {column.name for column in totals}
    kept: Fields = {}
    for name, value in fields.items():
        if name == totals[0].name:
            listed = _VALUES.decode(value)
            kept[TOTAL] = listed[0] if listed else msgspec.Raw(b"null")
        elif name not in gone:
            kept[name] = value
    return kept


def _fields(fields: Fields, columns: Mapping[str, Column], variants: Variants) -> Fields:
    changed: Fields = {}
    for name, value in fields.items():
        column = columns.get(name)
        if column is None:
            changed[name] = value
        elif (made := _value(value, column, variants)) is not None:
            changed[old_name(column) if variants.names == "old" else name] = made
    return changed


def _value(value: msgspec.Raw, column: Column, variants: Variants) -> msgspec.Raw | None:
    """The value as the variants write it; None leaves the field out."""
    match column.kind:
        case Kind.TIMESTAMP:
            return _instant(value, variants)
        case Kind.TEXT if variants.number_ids == "on" and is_id_name(column.name):
            return _number(value)
        case Kind.OBJECT if value != _NULL:
            inner = {each.name: each for each in column.columns}
            return _raw(_fields(_OBJECT.decode(value), inner, variants))
        case Kind.LIST if column.item is not None:
            item = column.item
            return _raw([_value(each, item, variants) for each in _VALUES.decode(value)])
        case Kind.LIST:
            inner = {each.name: each for each in column.columns}
            return _raw([_fields(each, inner, variants) for each in _OBJECTS.decode(value)])
        case _:
            return value


def _instant(value: msgspec.Raw, variants: Variants) -> msgspec.Raw | None:
    if value == _NULL:
        if variants.not_yet == "missing":
            return None
        value = _EPOCH if variants.not_yet == "epoch" else value
    if variants.seven_digits == "on" and value != _NULL:
        return msgspec.Raw(bytes(value).replace(b'Z"', b'.0000000Z"'))
    return value


def _number(value: msgspec.Raw) -> msgspec.Raw:
    digits = _DIGITS.match(bytes(value))
    return msgspec.Raw(digits[1]) if digits else value


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
