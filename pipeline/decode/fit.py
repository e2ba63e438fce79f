"""One record at a time: makes it fit if its meaning allows, else says which field does not, and why.

A record that fits comes back as JSON text in the catalogue's own form: canonical names, ids sent as numbers as text,
unknown fields as JSON in `_extra`. Single values are `values`' business.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from pipeline.decode.envelope import JsonMembers, json_members, json_type, shown
from pipeline.decode.schema import NoteCounts, Plan
from pipeline.decode.values import NULL, PLAIN, TEXT, Misfit, wanted
from pipeline.resources import Column, Kind
from pipeline.tables import EXTRA

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
# What msgspec raises for a text it does not take; invalid UTF-8 comes as Python's own error.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_Extras = list[tuple[str, bytes]]
"""Unknown fields: name and raw JSON text, in the order they were sent."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """How one column of an object is made to fit: the path of the field, and that and the rules of what is in it."""

    column: Column
    path: str
    inside: str
    inner: tuple[_Rule, ...]


def fitted(record: bytes, plan: Plan) -> tuple[bytes, NoteCounts]:
    """The record in the form that `fast.read` takes, and what there is to note of it.

    Raises:
        Misfit: some field of it does not fit, or it is no object.
    """
    notes: NoteCounts = Counter()
    try:
        _check_readable(record)
        kept, extras = _split(record, _rules(plan), "", notes)
    except RecursionError:
        raise Misfit("", "nested too deeply") from None
    if kept.get(plan.resource.key, NULL) in (NULL, b'""'):
        raise Misfit(plan.resource.key, "key missing")
    return _joined(kept, extras), notes


def eased(record: bytes, plan: Plan) -> tuple[bytes, NoteCounts]:
    """The record in a form that `fast.read` takes, as far as its JSON types tell, and with as little work as possible.

    As sent, if it has nothing unknown; as sent with its unknown fields copied to `_extra`, if there is no more to it;
    else `fitted`. It may still hold values that do not fit.

    Raises:
        Misfit: some field of it does not fit.
    """
    record = bytes(record)
    try:
        plan.exact.decode(record)
    except _UNREADABLE:
        pass
    else:
        return record, Counter()
    try:
        record.decode()
        plan.wider.decode(record)
        found = members(record, "")
    except _UNREADABLE:
        return fitted(record, plan)
    unknown = [name for name in found if name not in plan.known]
    if EXTRA in unknown or not plan.respelled.isdisjoint(unknown):
        return fitted(record, plan)
    extra = _json_text((name, bytes(found[name])) for name in unknown)
    notes: NoteCounts = Counter({(shown(name), "unknown_field") for name in unknown})
    return b'%b,"%b":%b}' % (record.rstrip()[:-1], EXTRA.encode(), extra), notes


def members(text: bytes, path: str) -> dict[str, msgspec.Raw]:
    """The members of a JSON object as raw text.

    Raises:
        Misfit: two of them have one name.
        msgspec.MsgspecError: it is not a JSON object.
    """
    found = _OBJECT.decode(text)
    # Written without spaces, escapes in names and duplicates, an object is exactly this long; else look closer.
    if len(text) != 1 + 4 * len(found) + sum(map(len, found)) + sum(map(len, found.values())):
        names = [name for name, _ in json_members(bytes(text))]
        if len(names) != len(found):
            twice = next(name for name, count in Counter(names).items() if count > 1)
            raise Misfit(_below(path, shown(twice)), "duplicate name")
    return found


def parents_named(record: bytes, plan: Plan) -> dict[str, str]:
    """The parents' keys that a record repeats, as text, as far as they can be read; for records that do not fit."""
    try:
        found = members(record, "")
        texts = {c.name: PLAIN[c.kind](bytes(found[c.name]), "", c) for c in plan.parents if c.name in found}
        return {name: TEXT.decode(text) for name, text in texts.items()}
    except (Misfit, *_UNREADABLE):
        return {}


@functools.cache
def _rules(plan: Plan) -> tuple[_Rule, ...]:
    return tuple(_rule(column, "") for column in (*plan.parents, *plan.resource.columns))


def _rule(column: Column, above: str) -> _Rule:
    path = _below(above, column.name)
    inside = f"{path}[]" if column.kind is Kind.LIST else path
    return _Rule(column, path, inside, tuple(_rule(one, inside) for one in column.columns))


def _check_readable(record: bytes) -> None:
    try:
        record.decode()
    except UnicodeDecodeError:
        raise Misfit("", "not valid UTF-8") from None
    if (kind := json_type(record.lstrip())) != "object":
        raise Misfit("", f"record is not an object, {kind} found")
    try:
        _OBJECT.decode(record)
    except msgspec.MsgspecError:
        path = _half_surrogate(json_members(record), "")
        if path is None:
            raise Misfit("", "record is not JSON") from None
        raise Misfit(path, "half a surrogate pair in a text") from None


def _half_surrogate(value: object, path: str) -> str | None:
    """The path of the first text that is no Unicode, or None."""
    if isinstance(value, str):
        return path if any("\ud800" <= character <= "\udfff" for character in value) else None
    inner: list[tuple[str, object]] = []
    if isinstance(value, JsonMembers):
        inner = [(_below(path, shown(name)), part) for name, item in value for part in (name, item)]
    elif isinstance(value, list):
        inner = [(f"{path}[]", item) for item in value]
    return next((found for where, item in inner if (found := _half_surrogate(item, where)) is not None), None)


def _split(text: bytes, rules: Iterable[_Rule], path: str, notes: NoteCounts) -> tuple[dict[str, bytes], _Extras]:
    """The known members of an object, each made to fit, and the unknown ones."""
    found = members(text, path)
    kept: dict[str, bytes] = {}
    extras: _Extras = []
    for rule in rules:
        raw = _taken(found, rule, notes)
        if raw is None:
            continue
        name = rule.column.name
        if raw == NULL:
            kept[name] = raw
        elif rule.column.kind is Kind.OBJECT:
            wanted(raw, "object", rule.path)
            inner, unknown = _split(raw, rule.inner, rule.path, notes)
            kept[name] = _joined(inner, [])
            extras += [(f"{name}.{inside}", value) for inside, value in unknown]
        elif rule.column.kind is Kind.LIST:
            wanted(raw, "array", rule.path)
            items = [_item(bytes(item), rule, notes) for item in _ARRAY.decode(raw)]
            kept[name] = b"[%b]" % b",".join(items)
        else:
            kept[name] = PLAIN[rule.column.kind](raw, rule.path, rule.column)
    for name, value in found.items():
        notes[_below(path, shown(name)), "unknown_field"] = 1
        extras.append((name, bytes(value)))
    return kept, extras


def _taken(found: dict[str, msgspec.Raw], rule: _Rule, notes: NoteCounts) -> bytes | None:
    """The column's value, under whichever of its names; a second name with another value stays an unknown field."""
    value = found.pop(rule.column.name, None)
    taken = None if value is None else bytes(value)
    for alias in rule.column.aliases:
        if alias not in found:
            continue
        other = bytes(found[alias])
        if taken is None or taken == NULL:
            taken = other
            if other != NULL:
                notes[rule.path, "alias_used"] = 1
        elif taken != other:
            continue
        del found[alias]
    return taken


def _item(raw: bytes, rule: _Rule, notes: NoteCounts) -> bytes:
    if raw == NULL:
        return raw
    if rule.column.item is not None:
        return PLAIN[rule.column.item.kind](raw, rule.inside, rule.column.item)
    wanted(raw, "object", rule.inside)
    return _joined(*_split(raw, rule.inner, rule.inside, notes))


def _joined(kept: dict[str, bytes], extras: _Extras) -> bytes:
    """A JSON object of the kept members and, if there are any, the unknown ones as one text."""
    parts = [b'"%b":%b' % (name.encode(), value) for name, value in kept.items()]
    if extras:
        parts.append(b'"%b":%b' % (EXTRA.encode(), _json_text(extras)))
    return b"{%b}" % b",".join(parts)


def _json_text(extras: Iterable[tuple[str, bytes]]) -> bytes:
    """A JSON string whose content is the JSON object of these members."""
    inside = b",".join(b"%b:%b" % (msgspec.json.encode(name), value) for name, value in extras)
    return msgspec.json.encode(f"{{{inside.decode()}}}")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
