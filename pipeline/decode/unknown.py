"""Fields that the catalogue does not know: of which JSON type they are, and how the catalogue could come to know them.

Values are looked at and never told: what comes out names types only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from pipeline.decode.envelope import json_type
from pipeline.decode.values import NULL, PLAIN, Misfit
from pipeline.resources import Column, Kind, Resource, snake_case
from pipeline.resources.reading import FIELD_NAME, MONEY_PRECISION, MONEY_SCALE

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_ABOUT = "sent by the source, in no page of its documentation; say here what it means"
_MONEY = re.compile(r"(?:amount|price|total)\Z", re.IGNORECASE)
_TIME = re.compile(r"(?:Date|On|At)\Z")
_PLAIN_TYPES = {"text", "number", "boolean"}
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class UnknownField:
    """The JSON types of an unknown field, and the lines that would make it a column; None if nothing can."""

    json_type: str
    proposed: str | None


def extra_members(texts: Iterable[str]) -> dict[str, list[bytes]]:
    """The raw values in some texts of `_extra`, by the way to their field below the object that `_extra` stands in."""
    found: dict[str, list[bytes]] = {}
    for text in texts:
        for name, value in _MEMBERS.decode(text).items():
            found.setdefault(name, []).append(bytes(value))
    return found


def described(resource: Resource, field: str, values: Sequence[bytes]) -> UnknownField:
    """The types of an unknown field, and its proposed table for the end of the catalogue.

    Args:
        resource: whose records have the field.
        field: the way to it in the record, with `[]` behind the name of a list.
        values: as sent, at least one.
    """
    *above, name = field.split(".")
    kinds = _kinds(values)
    home = _home(resource, above)
    shape = _shape(name, values, depth=0, is_top=not above)
    if home is None or shape is None or not FIELD_NAME.match(name):
        return UnknownField(", ".join(kinds) or "null", None)
    lines = "\n".join(f"{key} = {value}" for key, value in _named(resource, name, shape).items())
    return UnknownField(", ".join(kinds), f"[{home}.{name}]\n{lines}\n")


def _kinds(values: Iterable[bytes]) -> list[str]:
    return sorted({json_type(value) for value in values if value != NULL})


def _home(resource: Resource, above: Sequence[str]) -> str | None:
    """The table of the catalogue that has the columns beside the field, None if it is inside something unknown."""
    home, columns = f"resource.{resource.name}.column", resource.columns
    for step in above:
        found = next((one for one in columns if one.name == step.removesuffix("[]")), None)
        if found is None or not found.columns:
            return None
        home = f"shape.{found.shape}" if found.shape else f"{home}.{found.name}.column"
        columns = found.columns
    return home


_Table = dict[str, str]
"""Keys of a column in the catalogue, and their values as TOML."""


def _shape(name: str, values: Sequence[bytes], *, depth: int, is_top: bool) -> _Table | None:
    """How the catalogue would describe such values; None if nothing in it can."""
    kinds = set(_kinds(values))
    if kinds and kinds <= _PLAIN_TYPES:
        return {"type": f'"{_plain_type(name, kinds, values)}"'}
    if depth == _DEEPEST or (kinds == {"array"} and not is_top):
        return None
    if kinds == {"object"}:
        inner = _inner(values, depth)
        return {"type": '"object"', "column": inner} if inner else None
    if kinds == {"array"}:
        items = [bytes(item) for value in values if value != NULL for item in _ITEMS.decode(value)]
        if _kinds(items) == ["object"]:
            inner = _inner(items, depth)
            return {"type": '"list"', "column": inner} if inner else None
        shape = _shape(name, items, depth=depth + 1, is_top=False)
        return {"type": '"list"', "item": _inline({"name": f'"{name}Item"', **shape})} if shape else None
    return None


def _inner(values: Iterable[bytes], depth: int) -> str | None:
    """An inline table of the members of some objects, of those that can be described."""
    members: dict[str, list[bytes]] = {}
    for value in values:
        if value != NULL:
            for name, member in _MEMBERS.decode(value).items():
                members.setdefault(name, []).append(bytes(member))
    described = {
        name: _inline(shape)
        for name, found in members.items()
        if FIELD_NAME.match(name)
        if (shape := _shape(name, found, depth=depth + 1, is_top=False)) is not None
    }
    folded = {snake_case(name) for name in described}
    if not described or len(folded) < len(described):
        return None
    return "{ " + ", ".join(f"{name} = {table}" for name, table in described.items()) + " }"


def _inline(table: _Table) -> str:
    full = {**table, "evidence": '"inferred"', "about": f'"{_ABOUT}"'}
    return "{ " + ", ".join(f"{key} = {value}" for key, value in full.items()) + " }"


def _named(resource: Resource, name: str, shape: _Table) -> _Table:
    table = {"table": f'"{resource.name}_{snake_case(name)}"'} if shape["type"] == '"list"' else {}
    return {**shape, **table, "evidence": '"inferred"', "about": f'"{_ABOUT}"'}


def _plain_type(name: str, kinds: set[str], values: Sequence[bytes]) -> str:
    """The narrowest type that all values fit and that later ones may be trusted to fit as well."""
    if kinds == {"boolean"}:
        return "boolean"
    if kinds == {"text"} and _TIME.search(name) and _all_fit(values, Kind.TIMESTAMP):
        return "timestamp"
    if kinds == {"number"}:
        if _MONEY.search(name) and _all_fit(values, Kind.DECIMAL, MONEY_PRECISION, MONEY_SCALE):
            return "money"
        if _all_fit(values, Kind.DECIMAL, 18, 6):
            return "decimal(18,6)"
    return "text"


def _all_fit(values: Iterable[bytes], kind: Kind, precision: int = 0, scale: int = 0) -> bool:
    column = Column("field", kind, "", "inferred", precision, scale)
    try:
        for value in values:
            if value != NULL:
                PLAIN[kind](value, "", column)
    except Misfit:
        return False
    return True
