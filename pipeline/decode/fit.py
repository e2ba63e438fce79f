"""One record at a time: makes it fit if its meaning allows, else says which field does not, and why.

A record that fits comes back as JSON text in the catalogue's own form: canonical names, ids sent as numbers as text,
unknown fields as JSON in `_extra`. Reasons name JSON types, never a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec

from pipeline.decode.envelope import JsonMembers, json_members, json_type, shown
from pipeline.decode.schema import NoteCounts, Plan
from pipeline.resources import Column, Kind
from pipeline.tables import EXTRA

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_NULL = b"null"

# Five digits of exponent are far outside every DECIMAL and far inside what Decimal takes.
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,5})?\Z", re.ASCII)
_WHOLE = re.compile(rb"-?\d{1,19}\Z")
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:T(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?)?"
    r"(?P<offset>Z|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>[0-5]\d))?)?)?\Z",
    re.ASCII,
)

_Extras = list[tuple[str, bytes]]
"""Unknown fields: name and raw JSON text, in the order they were sent."""


class Misfit(Exception):
    """A record cannot be stored as sent: the path of the field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


def fitted(record: bytes, plan: Plan) -> tuple[bytes, NoteCounts]:
    """The record in the form that `fast.read` takes, and what there is to note of it.

    Raises:
        Misfit: some field of it does not fit, or it is no object.
    """
    notes: NoteCounts = Counter()
    try:
        _check_readable(record)
        kept, extras = _split(record, (*plan.parents, *plan.resource.columns), "", notes)
    except RecursionError:
        raise Misfit("", "nested too deeply") from None
    if kept.get(plan.resource.key, _NULL) in (_NULL, b'""'):
        raise Misfit(plan.resource.key, "key missing")
    return _joined(kept, extras), notes


def with_extra(record: bytes, plan: Plan) -> tuple[bytes, NoteCounts]:
    """The record as sent, its unknown fields copied to `_extra`: all that most records of a wider source need.

    Raises:
        Misfit: some field of it does not fit; not every misfit is found here.
    """
    record = bytes(record)
    try:
        plan.nested.decode(record)
        found = members(record, "")
    except (msgspec.MsgspecError, RecursionError):
        return fitted(record, plan)
    unknown = [name for name in found if name not in plan.known]
    if not unknown:
        return record, Counter()
    if not plan.respelled.isdisjoint(unknown):
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
        texts = {c.name: _text(bytes(found[c.name]), "") for c in plan.parents if c.name in found}
        return {name: _TEXT.decode(text) for name, text in texts.items() if text != _NULL}
    except (msgspec.MsgspecError, Misfit, RecursionError):
        return {}


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
    if isinstance(value, JsonMembers):
        inner = [(_below(path, shown(name)), name) for name, _ in value]
        inner += [(_below(path, shown(name)), item) for name, item in value]  # type: ignore[misc]
    elif isinstance(value, list):
        inner = [(f"{path}[]", item) for item in value]
    else:
        return None
    return next((found for where, item in inner if (found := _half_surrogate(item, where)) is not None), None)


def _split(
    text: bytes | msgspec.Raw, columns: Iterable[Column], path: str, notes: NoteCounts
) -> tuple[dict[str, bytes], _Extras]:
    """The known members of an object, each made to fit, and the unknown ones."""
    found = members(bytes(text), path)
    kept: dict[str, bytes] = {}
    extras: _Extras = []
    for column in columns:
        where = _below(path, column.name)
        raw = _taken(found, column, where, notes)
        if raw is None:
            continue
        if raw == _NULL:
            kept[column.name] = raw
        elif column.kind is Kind.OBJECT:
            _wanted(raw, "object", where)
            inner, unknown = _split(raw, column.columns, where, notes)
            kept[column.name] = _joined(inner, [])
            extras += [(f"{column.name}.{name}", value) for name, value in unknown]
        elif column.kind is Kind.LIST:
            kept[column.name] = _list(raw, column, where, notes)
        else:
            kept[column.name] = _PLAIN[column.kind](raw, where, column)
    for name, value in found.items():
        notes[_below(path, shown(name)), "unknown_field"] = 1
        extras.append((name, bytes(value)))
    return kept, extras


def _taken(found: dict[str, msgspec.Raw], column: Column, where: str, notes: NoteCounts) -> bytes | None:
    """The column's value, under whichever of its names; a second name with another value stays an unknown field."""
    value = bytes(found.pop(column.name)) if column.name in found else None
    for alias in column.aliases:
        if alias not in found:
            continue
        other = bytes(found[alias])
        if value is None or value == _NULL:
            value = other
            if other != _NULL:
                notes[where, "alias_used"] = 1
        elif value != other:
            continue
        del found[alias]
    return value


def _list(raw: bytes, column: Column, where: str, notes: NoteCounts) -> bytes:
    _wanted(raw, "array", where)
    where = f"{where}[]"
    items = []
    for item in map(bytes, _ARRAY.decode(raw)):
        if item == _NULL:
            items.append(item)
        elif column.item is not None:
            items.append(_PLAIN[column.item.kind](item, where, column.item))
        else:
            _wanted(item, "object", where)
            items.append(_joined(*_split(item, column.columns, where, notes)))
    return b"[%b]" % b",".join(items)


def _text(raw: bytes, where: str, _column: Column | None = None) -> bytes:
    kind = json_type(raw)
    if kind in ("number", "boolean"):
        return b'"%b"' % raw
    if kind not in ("text", "null"):
        raise Misfit(where, f"text wanted, {kind} found")
    return raw


def _decimal(raw: bytes, where: str, column: Column) -> bytes:
    written = raw.decode()
    if json_type(raw) == "text":
        written = _TEXT.decode(raw)
        if not written:
            raise Misfit(where, "number wanted, empty text found")
    else:
        _wanted(raw, "number", where)
    if not _NUMBER.match(written):
        raise Misfit(where, "not a finite number of usual size")
    sign, digits, exponent = Decimal(written).as_tuple()
    significant = "".join(map(str, digits)).strip("0")
    if not significant:
        return b"0"
    assert isinstance(exponent, int), "only finite numbers match"
    exponent += len(digits) - len("".join(map(str, digits)).rstrip("0"))
    if -exponent > column.scale:
        raise Misfit(where, f"more than {column.scale} decimal places")
    if len(significant) + exponent > column.precision - column.scale:
        raise Misfit(where, f"more than {column.precision - column.scale} digits before the decimal point")
    return f"{Decimal((sign, tuple(map(int, significant)), exponent)):f}".encode()


def _integer(raw: bytes, where: str, _column: Column) -> bytes:
    _wanted(raw, "number", where)
    if not _WHOLE.match(raw) or not -(2**63) <= int(raw) < 2**63:
        raise Misfit(where, "not a whole number of 64 bits")
    return raw


def _boolean(raw: bytes, where: str, _column: Column) -> bytes:
    _wanted(raw, "boolean", where)
    return raw


def _timestamp(raw: bytes, where: str, _column: Column) -> bytes:
    _wanted(raw, "text", where)
    written = _TEXT.decode(raw)
    if not written:
        return _NULL
    match = _TIME.match(written)
    if match is None:
        raise Misfit(where, "not an ISO 8601 time")
    if match["offset"] is None:
        raise Misfit(where, "time without UTC offset")
    east = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    try:
        zone = timezone(-east if match["sign"] == "-" else east)
        clock = f"{match['hour']}:{match['minute'] or '00'}:{match['second'] or '00'}"
        local = datetime.fromisoformat(f"{match['day']}T{clock}").replace(tzinfo=zone)
    except ValueError:
        raise Misfit(where, "no such day, time or offset") from None
    try:
        local.astimezone(UTC)
    except OverflowError:
        raise Misfit(where, "outside the years 0001 to 9999") from None
    return raw


def _date(raw: bytes, where: str, _column: Column) -> bytes:
    _wanted(raw, "text", where)
    written = _TEXT.decode(raw)
    if not written:
        return _NULL
    try:
        if _DAY.match(written):
            datetime.fromisoformat(written)
            return raw
    except ValueError:
        pass
    raise Misfit(where, "not a day as YYYY-MM-DD")


_PLAIN: dict[Kind, Callable[[bytes, str, Column], bytes]] = {
    Kind.TEXT: _text,
    Kind.DECIMAL: _decimal,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: _timestamp,
    Kind.DATE: _date,
}


def _wanted(raw: bytes, kind: str, where: str) -> None:
    if (found := json_type(raw)) != kind:
        raise Misfit(where, f"{kind} wanted, {found} found")


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
