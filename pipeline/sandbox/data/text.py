"""JSON text for whole columns at once: numbers, amounts, instants and records, no Python object a row.

A value of a field is a tuple of pieces, each a constant or one Arrow string a row; a record is put together from its
fields' pieces in one pass. Not here: which fields a record has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.sandbox.data.draw import Ints, Mask
from pipeline.sandbox.data.times import DAY_S, DAY_TEXTS, TABLE_FIRST_DAY

Texts = pa.StringArray
Piece = str | Texts
Value = tuple[Piece, ...]

_arrow: Final = cast("Any", pa)
_compute: Final = cast("Any", pc)  # the stubs of pyarrow.compute refuse mixed constants and arrays


class Raw(str):
    """JSON text that stands in a record as it is: `10.000` keeps its zeros."""

    __slots__ = ()


def json_text(value: object) -> str:
    """Compact JSON, non-ASCII characters as themselves; a dict may hold `Raw` values at its top level."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(str(key))}:{json_text(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def texts(values: Iterable[object]) -> Texts:
    """One JSON text for each value, to `take` from."""
    return pa.array([json_text(value) for value in values], pa.string())


def raw_texts(values: Iterable[str]) -> Texts:
    """The strings as they are."""
    return pa.array(list(values), pa.string())


def take(choices: Texts, index: NDArray[Any]) -> Texts:
    """The choice of each row."""
    return choices.take(pa.array(index))


def integers(values: Ints) -> Texts:
    """Decimal digits of each number."""
    return cast("Texts", pc.cast(pa.array(values), pa.string()))


def where(condition: Mask, chosen: Texts, otherwise: str) -> Texts:
    """The chosen text where the condition holds, a constant elsewhere."""
    return cast("Texts", _compute.if_else(pa.array(condition), chosen, otherwise))


def _fractions(digits: int) -> Texts:
    return raw_texts(f".{n:0{digits}d}".rstrip("0").rstrip(".") for n in range(10**digits))


_CENTS = _fractions(2)
_SMALL_COUNT = 1 << 14
_SMALL = raw_texts(str(n) for n in range(_SMALL_COUNT))


def _digits(values: Ints) -> Texts:
    """Like `integers`; nearly all amounts are small, and looking them up is three times as fast."""
    return take(_SMALL, values) if values.size == 0 or int(values.max()) < _SMALL_COUNT else integers(values)


def money(cents: Ints) -> Value:
    """Amounts in hundredths as JSON numbers without trailing zeros: 114330 gives 1143.3."""
    size = np.abs(cents)
    whole, part = np.divmod(size, 100)
    digits = _digits(whole)
    negative = cents < 0
    if negative.any():
        digits = _compute.if_else(pa.array(negative), _compute.binary_join_element_wise("-", digits, ""), digits)
    return (digits, take(_CENTS, part))


_DATES = np.array([f'"{text}T' for text in DAY_TEXTS], dtype="S12").view("V12")
_TIMES = np.array([f'{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}Z"' for s in range(DAY_S)], dtype="S10").view("V10")
_INSTANT = np.dtype([("date", "V12"), ("time", "V10")])


def instants(seconds: Ints, *, present: Mask | None = None) -> Value:
    """Quoted ISO 8601 instants with Z; null where not present.

    Raises:
        IndexError: an instant outside the calendar tables.
    """
    days, second = np.divmod(seconds if present is None else np.where(present, seconds, 0), DAY_S)
    if present is not None:
        days = np.where(present, days, TABLE_FIRST_DAY)
    filled = np.empty(len(seconds), _INSTANT)
    filled["date"] = _DATES[days - TABLE_FIRST_DAY]
    filled["time"] = _TIMES[second]
    ends = np.arange(0, _INSTANT.itemsize * (len(seconds) + 1), _INSTANT.itemsize, dtype=np.int32)
    made = pa.StringArray.from_buffers(len(seconds), pa.py_buffer(ends.data), pa.py_buffer(filled.data))
    return (made if present is None else where(present, made, "null"),)


def quoted(value: Value) -> Value:
    """A JSON string of text that needs no escapes."""
    return ('"', *value, '"')


def booleans(values: Mask) -> Value:
    """True or false."""
    return (take(_BOOLEANS, values.astype(np.int8)),)


_BOOLEANS = raw_texts(("false", "true"))


def record(fields: Mapping[str, Value]) -> Value:
    """A JSON object with these fields in this order."""
    pieces: list[Piece] = []
    for opening, (name, value) in zip(["{", *[","] * len(fields)], fields.items(), strict=False):
        pieces += (f'{opening}"{name}":', *value)
    return (*pieces, "}")


def put_together(value: Value) -> Texts:
    """One text a row; at least one piece must be a column."""
    merged: list[Piece] = []
    for piece in value:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return cast("Texts", _compute.binary_join_element_wise(*merged, ""))


def lists(counts: Ints, items: Texts) -> Value:
    """A JSON array a row, of the next `counts[row]` items."""
    ends = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=ends[1:])
    return ("[", _compute.binary_join(_arrow.ListArray.from_arrays(pa.array(ends), items), ","), "]")
