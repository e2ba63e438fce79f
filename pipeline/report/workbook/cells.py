"""What a value becomes in a cell: exact or said to be otherwise, and never a formula.

A workbook's numbers are doubles of 15 digits, its days numbers from 1900 on, its texts 32,767 characters at most that
XML allows. What does not fit stands as text, marked, and is counted. An amount goes into the file as the decimal text
that it is: no float touches it here.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

LONGEST_TEXT = 32_767  # UTF-16 units
_MOST_DIGITS = 15
_FIRST_DAY = 61  # 1 March 1900: before it, Excel counts a day that never was
_LAST_DAY = 2_958_466  # 1 January 10000
_UNIX_DAY = 25_569  # 1 January 1970
_DAY_US = 86_400_000_000
# Characters that XML refuses or reads back as others, but for the line feed and the tab.
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
# How a workbook writes such characters: a text that holds this by itself would be read back as a character.
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


class Kind(Enum):
    """How the values of a column are shown."""

    TEXT = "text"
    AMOUNT = "amount"
    NUMBER = "number"
    COUNT = "count"
    DAY = "day"
    INSTANT = "instant"
    TRUTH = "truth"


class Marked(str):
    """Text that stands where a number or a longer text was: it is shown as such."""

    __slots__ = ()


@dataclass(slots=True)
class Seen:
    """How many values of a sheet did not fit, by why."""

    too_exact: int = 0
    too_long: int = 0
    no_day: int = 0


def kind_of(sql_type: str, *, is_money: bool) -> Kind:
    """How values of an SQL type are shown."""
    if sql_type.startswith("DECIMAL"):
        return Kind.AMOUNT if is_money else Kind.NUMBER
    if sql_type in ("DOUBLE", "FLOAT"):
        return Kind.NUMBER
    if sql_type.endswith("INT") or sql_type == "INTEGER":
        return Kind.COUNT
    fixed = {"DATE": Kind.DAY, "BOOLEAN": Kind.TRUTH}
    return fixed.get(sql_type, Kind.INSTANT if sql_type.startswith("TIMESTAMP") else Kind.TEXT)


def cells_of(column: pa.Array[Any], kind: Kind, zone: ZoneInfo, seen: Seen) -> list[str | None]:
    """The values of a column as the text of cells; days and instants are numbers of days, by the clock of a zone."""
    if kind is Kind.DAY:
        days: list[int | None] = pc.cast(column, pa.int32()).to_pylist()
        return _days([None if one is None else one + _UNIX_DAY for one in days], column, seen)
    if kind is Kind.INSTANT:
        return _days(_local_days(column, zone), column, seen)
    if kind is Kind.TRUTH:
        return [None if one is None else "yes" if one else "no" for one in column.to_pylist()]
    if kind is Kind.TEXT:
        return [None if one is None else text_of(one, seen) for one in column.to_pylist()]
    if pa.types.is_floating(column.type):
        floats: list[float | None] = column.to_pylist()
        return [None if one is None else repr(one) if math.isfinite(one) else Marked(one) for one in floats]
    numbers: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return [None if one is None else _number(one, seen) for one in numbers]


def text_of(value: Any, seen: Seen) -> str:
    """A value as the text of a cell; a list's elements one beside the other."""
    text = value if isinstance(value, str) else _joined(value)
    if not text.isprintable():
        text = _REFUSED.sub(_visible, text.replace("\r\n", "\n"))
    if len(text) > LONGEST_TEXT // 2 and _units(text) > LONGEST_TEXT:
        seen.too_long += 1
        return _cut(text)
    return text


def as_xml(text: str) -> str:
    """A text as it stands in the file."""
    if "_x" in text:
        text = _LOOKS_ESCAPED.sub("_x005F_", text)
    return html.escape(text, quote=False)


def fits(number: str) -> bool:
    """Whether a number has no more digits than a cell holds."""
    return len(number) <= _MOST_DIGITS or len(number.lstrip("-").replace(".", "").strip("0")) <= _MOST_DIGITS


def _number(text: str, seen: Seen) -> str:
    """The number as it stands, where a cell holds it; else text."""
    if not fits(text):
        seen.too_exact += 1
        return Marked(text)
    return text


def _days(days: Iterable[float | None], column: pa.Array[Any], seen: Seen) -> list[str | None]:
    """Days from 1900 on; what no workbook can show as a day stands as text."""
    cells: list[str | None] = []
    for at, day in enumerate(days):
        if day is None:
            cells.append(None)
        elif _FIRST_DAY <= day < _LAST_DAY:
            cells.append(repr(day))
        else:
            seen.no_day += 1
            cells.append(Marked(pc.cast(column[at], pa.string()).as_py()))
    return cells


def _local_days(column: pa.Array[Any], zone: ZoneInfo) -> list[float | None]:
    """Instants by the clock of a zone, as days."""
    zoned: Any = pc.cast(column, pa.timestamp("us", str(zone)))
    local: list[int | None] = pc.cast(pc.local_timestamp(zoned), pa.int64()).to_pylist()
    return [None if one is None else one / _DAY_US + _UNIX_DAY for one in local]


def _joined(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join("" if one is None else str(one) for one in value)
    return str(value)


def _visible(match: re.Match[str]) -> str:
    """A control character as its picture."""
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def _cut(text: str) -> Marked:
    """The beginning of a text, and how much is missing."""
    room = LONGEST_TEXT - 40
    kept = text.encode("utf-16-le")[: 2 * room].decode("utf-16-le", "ignore")
    return Marked(f"{kept} … [{len(text) - len(kept):,} more characters]")


def _units(text: str) -> int:
    """How long a spreadsheet takes a text to be."""
    return len(text.encode("utf-16-le")) // 2
