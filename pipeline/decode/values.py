"""One plain value at a time: from the JSON text of a field to text that Arrow reads exactly, or the reason why not.

Reasons name JSON types, never a value.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from pipeline.decode.envelope import json_type
from pipeline.resources import Column, Kind

NULL = b"null"
TEXT = msgspec.json.Decoder(str)

# Five digits of exponent are far outside every DECIMAL and far inside what Decimal takes.
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,5})?\Z", re.ASCII)
_WHOLE = re.compile(rb"-?\d{1,19}\Z")
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:T(?P<clock>\d\d(?::\d\d(?::\d\d)?)?)(?:(?<=:\d\d:\d\d)\.\d+)?"
    r"(?P<offset>Z|[+-]\d\d(?::?[0-5]\d)?)?)?\Z",
    re.ASCII,
)


class Misfit(Exception):
    """A record cannot be stored as sent: the path of the field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


def wanted(raw: bytes, kind: str, where: str) -> None:
    """Refuse a value of another JSON type."""
    if (found := json_type(raw)) != kind:
        raise Misfit(where, f"{kind} wanted, {found} found")


def _text(raw: bytes, where: str, _column: Column) -> bytes:
    if raw.startswith(b'"'):
        return raw
    kind = json_type(raw)
    if kind in ("number", "boolean"):
        return b'"%b"' % raw
    raise Misfit(where, f"text wanted, {kind} found")


def _decimal(raw: bytes, where: str, column: Column) -> bytes:
    if _usual(column.precision - column.scale, column.scale)(raw):
        return raw
    written = raw.decode()
    if raw.startswith(b'"'):
        written = TEXT.decode(raw)
        if not written:
            raise Misfit(where, "number wanted, empty text found")
    else:
        wanted(raw, "number", where)
    if not _NUMBER.match(written):
        raise Misfit(where, "not a finite number of usual size")
    sign, digits, exponent = Decimal(written).as_tuple()
    assert isinstance(exponent, int), "only finite numbers match"
    significant = "".join(map(str, digits)).lstrip("0")
    exponent += len(significant) - len(significant := significant.rstrip("0"))
    if not significant:
        return b"0"
    if -exponent > column.scale:
        raise Misfit(where, f"more than {column.scale} decimal places")
    if len(significant) + exponent > column.precision - column.scale:
        raise Misfit(where, f"more than {column.precision - column.scale} digits before the decimal point")
    # Without an exponent and without zeros at the end: Arrow counts both as digits.
    return f"{Decimal((sign, tuple(map(int, significant)), exponent)):f}".encode()


@functools.cache
def _usual(whole: int, places: int) -> Callable[[bytes], object]:
    """Matches the plain spelling of numbers with at most so many digits before and after the point."""
    before = rb"(?:0|[1-9]\d{0,%d})" % (whole - 1) if whole else b"0"
    after = rb"(?:\.\d{1,%d})?" % places if places else b""
    return re.compile(b"-?" + before + after + rb"\Z").match


def _integer(raw: bytes, where: str, _column: Column) -> bytes:
    wanted(raw, "number", where)
    if not _WHOLE.match(raw) or not -(2**63) <= int(raw) < 2**63:
        raise Misfit(where, "not a whole number of 64 bits")
    return raw


def _boolean(raw: bytes, where: str, _column: Column) -> bytes:
    wanted(raw, "boolean", where)
    return raw


def _timestamp(raw: bytes, where: str, _column: Column) -> bytes:
    wanted(raw, "text", where)
    written = TEXT.decode(raw)
    if not written:
        return NULL
    match = _TIME.match(written)
    if match is None:
        raise Misfit(where, "not an ISO 8601 time")
    day, clock, offset = match.groups()
    if offset is None:
        raise Misfit(where, "time without UTC offset")
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}{offset}")
    except ValueError:
        raise Misfit(where, "no such day, time or offset") from None
    try:
        instant.astimezone(UTC)
    except OverflowError:
        raise Misfit(where, "outside the years 0001 to 9999") from None
    return raw


def _date(raw: bytes, where: str, _column: Column) -> bytes:
    wanted(raw, "text", where)
    written = TEXT.decode(raw)
    if not written:
        return NULL
    try:
        if _DAY.match(written):
            datetime.fromisoformat(written)
            return raw
    except ValueError:
        pass
    raise Misfit(where, "not a day as YYYY-MM-DD")


PLAIN: dict[Kind, Callable[[bytes, str, Column], bytes]] = {
    Kind.TEXT: _text,
    Kind.DECIMAL: _decimal,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: _timestamp,
    Kind.DATE: _date,
}
"""For each kind of plain column: a value that is not null, and the path and the column for messages, to exact JSON.

Raises:
    Misfit: it cannot be stored as sent.
"""
