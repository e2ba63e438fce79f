"""People who are to be forgotten: a made-up name, always the same, wherever the catalogue says that a value is theirs.

A person is known by a keyed hash of the id alone, and that hash is the made-up name: nobody has to keep the id in order
to recognise it, and what has been erased once is recognised as well. Amounts, documents and their keys stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute

from pipeline.decode.again import quarantined_key
from pipeline.model import Quarantined
from pipeline.resources import Catalogue, Column, Kind, Personal, Resource
from pipeline.tables import EXTRA

# The package's stubs know neither plain values as scalars nor all that arrays can do.
pc: Any = pyarrow.compute
Array = Any

# What is kept of a record that did not fit and names an erased person: it has no key, so it never fits.
NOTHING = b"{}"
_TOKEN = re.compile(rb'"([^"\\]*)"|(\d+)')

Owners = Mapping[tuple[str, ...], str]
"""Of rows that belong to an erased person: by key, outermost parent first, the made-up name."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Everybody who is to be forgotten, by made-up name; and the key that ids are hashed with."""

    key: bytes = field(repr=False)
    names: frozenset[str] = frozenset()

    def name_of(self, person_id: str) -> str:
        """The made-up name of a person, listed or not."""
        return "erased-" + blake2b(person_id.encode(), key=self.key, digest_size=8).hexdigest()

    def listed(self, person_id: str | None) -> str | None:
        """The made-up name of a person who is to be forgotten, by id or by that very name; None for others."""
        if person_id is None or person_id in self.names:
            return person_id
        name = self.name_of(person_id)
        return name if name in self.names else None


def erase(table: pa.Table, resource: Resource, erased: Erased, above: Owners) -> tuple[pa.Table, int]:
    """The same rows without what tells of erased people, and how many of them are theirs or name them.

    Args:
        table: rows of a part, also of an earlier catalogue.
        resource: says which columns are personal.
        erased: who is to be forgotten.
        above: the rows of theirs that these may hang under; of the resource that `Catalogue.owner_of` names.

    Shape:
        out  the very table if nothing in it changes; else as many rows, same columns, NULL where NULL was but for
             `_extra` and columns that only another catalogue knew: nobody knows what is in them
    """
    known = {name for name in table.column_names if name.startswith("_") and name != EXTRA}
    who = _under(table, resource, above)
    changed, touched = _objects(table, resource.columns, who, erased, known.union(resource.context_names))
    return changed, pc.sum(touched).as_py() or 0


def owned(table: pa.Table, resource: Resource, erased: Erased) -> dict[tuple[str, ...], str]:
    """The keys of the rows that belong to an erased person."""
    if resource.person is None or resource.person.name not in table.column_names:
        return {}
    names = _names(_one_array(table, resource.person.name), erased)
    theirs = table.append_column("_name", names).filter(pc.is_valid(names))
    columns = [theirs.column(name).to_pylist() for name in (*resource.identity, "_name")]
    return {tuple(key): name for *key, name in zip(*columns, strict=True)}


def named(table: pa.Table, resource: Resource, erased: Erased) -> set[str]:
    """The listed people whose ids stand in some rows, by made-up name."""
    return set(_named(table, resource.columns, erased))


def named_quarantined(one: Quarantined, catalogue: Catalogue, erased: Erased) -> set[str]:
    """The same of a record that did not fit."""
    resource = catalogue[one.resource] if one.resource in catalogue.names else None
    return {name for text in _id_texts(one.raw, resource) if (name := erased.listed(text)) is not None}


def erase_quarantined(
    one: Quarantined, catalogue: Catalogue, erased: Erased, above: Mapping[str, Owners]
) -> Quarantined:
    """A record that did not fit, as it was; or without anything of it if it is an erased person's, or names one."""
    if one.raw == NOTHING:
        return one
    if one.resource not in catalogue.names:
        return one if _names_nobody(one.raw, None, erased) else replace(one, raw=NOTHING)
    owner = catalogue.owner_of(one.resource)
    hangs_under = tuple(key for _, key in one.context)[: len(owner.identity)] if owner else ()
    is_theirs = owner is not None and hangs_under in above.get(owner.name, {})
    if is_theirs or not _names_nobody(one.raw, catalogue[one.resource], erased):
        return replace(one, raw=NOTHING)
    return one


def owned_quarantined(one: Quarantined, resource: Resource, erased: Erased) -> dict[tuple[str, ...], str]:
    """The key of a record that did not fit, if it belongs to an erased person and can be read so far."""
    if resource.person is None:
        return {}
    key = quarantined_key(one, resource)
    document = _document(one.raw)
    if key is None or not isinstance(document, _Members):
        return {}
    spelled = (resource.person.name, *resource.person.aliases)
    ids = (_text(value) for field, value in document if field in spelled)
    name = next((found for each in ids if (found := erased.listed(each)) is not None), None)
    return {} if name is None else {key: name}


# ---- tables ---------------------------------------------------------------------------------------------------------


def _objects(
    table: pa.Table, columns: Sequence[Column], who: Array, erased: Erased, known: Collection[str] = ()
) -> tuple[pa.Table, Array]:
    """Objects with their fields as columns, each a person's (`who`) or nobody's; and which of them tell of anybody.

    Fields that are no column and not `known` are emptied there as `_extra` is: another catalogue knew them.
    """
    own = next((one for one in columns if one.personal == "id" and one.name in table.column_names), None)
    if own is not None:
        who = _names(_one_array(table, own.name), erased)
    touched = pc.is_valid(who)
    is_anybodys = bool(pc.any(touched).as_py())
    marks: tuple[Personal, ...] = ("id", "value") if is_anybodys else ("id",)
    concerned = [one for one in columns if _is_marked(one, marks) and (one is not own or is_anybodys)]
    for column in concerned:
        if column.name not in table.column_names:
            continue
        before = _one_array(table, column.name)
        after, inside = _values(before, column, who, erased)
        touched = pc.or_(touched, inside)
        table = _with_column(table, column.name, before, after)
    if pc.any(touched).as_py():
        for name in set(table.column_names).difference(known, (column.name for column in columns)):
            before = _one_array(table, name)
            table = _with_column(table, name, before, _emptied(before, touched))
    return table, touched


def _values(before: Array, column: Column, who: Array, erased: Erased) -> tuple[Array, Array]:
    """The values of one column, and in which rows something inside them tells of somebody."""
    if column.kind is Kind.LIST and pa.types.is_list(before.type):
        elements, rows = pc.list_flatten(before), pc.list_parent_indices(before)
        inner, inside = _values(elements, _element_of(column), who.take(rows), erased)
        ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(before), 0)).cast(pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
        after = pa.ListArray.from_arrays(offsets, inner, type=before.type, mask=before.is_null())
        touched = pc.is_in(pa.array(range(len(before)), rows.type), value_set=rows.filter(inside))
        return after, touched
    if column.kind is Kind.OBJECT and pa.types.is_struct(before.type):
        fields = {field.name: pc.struct_field(before, field.name) for field in before.type}
        inner, inside = _objects(pa.table(fields), column.columns, who, erased)
        arrays = [_one_array(inner, name) for name in inner.column_names]
        return pa.StructArray.from_arrays(arrays, fields=list(before.type), mask=before.is_null()), inside
    is_theirs = pc.is_valid(who)
    if column.kind is not Kind.TEXT or before.type != pa.string():  # typed by another catalogue
        return _emptied(before, is_theirs), is_theirs
    return pc.if_else(pc.and_(is_theirs, pc.is_valid(before)), who, before), is_theirs


def _named(table: pa.Table, columns: Sequence[Column], erased: Erased) -> Iterator[str]:
    for column in columns:
        if column.name in table.column_names and _is_marked(column, ("id",)):
            yield from _named_by(_one_array(table, column.name), column, erased)


def _named_by(values: Array, column: Column, erased: Erased) -> Iterator[str]:
    if column.kind is Kind.LIST and pa.types.is_list(values.type):
        yield from _named_by(pc.list_flatten(values), _element_of(column), erased)
    elif column.kind is Kind.OBJECT and pa.types.is_struct(values.type):
        fields = {field.name: pc.struct_field(values, field.name) for field in values.type}
        yield from _named(pa.table(fields), column.columns, erased)
    elif column.personal == "id":
        yield from pc.unique(_names(values, erased)).drop_null().to_pylist()


def _element_of(column: Column) -> Column:
    """What one element of a list is."""
    return column.item or Column(column.name, Kind.OBJECT, "", "inferred", columns=column.columns)


def _emptied(before: Array, where: Array) -> Array:
    """The same values, NULL in some places. By places, as objects and lists cannot be chosen by condition."""
    places = pc.if_else(where, pa.scalar(None, pa.int64()), pa.array(range(len(before)), pa.int64()))
    return before.take(places)


def _with_column(table: pa.Table, name: str, before: Array, after: Array) -> pa.Table:
    """The very table if nothing changes."""
    place = table.schema.get_field_index(name)
    return table if after.equals(before) else table.set_column(place, table.schema.field(place), after)


def _is_marked(column: Column, marks: tuple[Personal, ...]) -> bool:
    """Whether it, or anything inside it, carries one of these marks."""
    inner = (*column.columns, *((column.item,) if column.item else ()))
    return column.personal in marks or any(_is_marked(one, marks) for one in inner)


def _names(ids: Array, erased: Erased) -> Array:
    """The made-up name of each listed person, NULL for everybody else."""
    known = pc.unique(ids).to_pylist()
    names = {one: name for one in known if (name := erased.listed(_text(one))) is not None}
    places = pc.index_in(ids, value_set=pa.array(list(names), ids.type))
    return pa.array(list(names.values()), pa.string()).take(places)


def _under(table: pa.Table, resource: Resource, above: Owners) -> Array:
    """By row the made-up name of the person whose row it hangs under, NULL where that is nobody's."""
    nobody = pa.nulls(table.num_rows, pa.string())
    if not above:
        return nobody
    names = resource.context_names[: len(next(iter(above)))]
    last = pa.array({key[-1] for key in above}, pa.string())
    if not pc.any(pc.is_in(table.column(names[-1]), value_set=last)).as_py():
        return nobody
    keys = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    return pa.array([above.get(key) for key in keys], pa.string())


def _one_array(table: pa.Table, name: str) -> Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


# ---- records that did not fit ---------------------------------------------------------------------------------------


def _names_nobody(raw: bytes, resource: Resource | None, erased: Erased) -> bool:
    """Whether no listed person is named."""
    return not any(erased.listed(one) for one in _id_texts(raw, resource))


def _id_texts(raw: bytes, resource: Resource | None) -> Iterator[str]:
    """What may be the id of a person: where ids stand if that can be read, else anything."""
    document = _document(raw)
    if not isinstance(document, _Members) or resource is None:
        return ((text or number).decode(errors="replace") for text, number in _TOKEN.findall(raw))
    return _texts_at(document, frozenset(_id_names(resource.columns)))


def _id_names(columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        if column.personal == "id":
            yield from (column.name, *column.aliases)
        yield from _id_names((*column.columns, *((column.item,) if column.item else ())))


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, those with the same name too."""


def _texts_at(document: object, names: frozenset[str]) -> Iterator[str]:
    if isinstance(document, _Members):
        for name, value in document:
            if name in names and (text := _text(value)) is not None:
                yield text
            yield from _texts_at(value, names)
    elif isinstance(document, list):
        for one in document:
            yield from _texts_at(one, names)


def _text(value: object) -> str | None:
    """An id as it is stored, also one that was sent as a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _document(raw: bytes) -> object:
    try:
        return json.loads(raw, object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        return None
