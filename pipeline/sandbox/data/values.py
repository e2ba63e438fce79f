"""How numbers, amounts, flags and instants look in JSON, for whole columns."""

from __future__ import annotations

from typing import Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sandbox.data.draw import Ints, Mask
from pipeline.sandbox.data.text import Choice, Choices, Texts, Value, as_texts, column, nullable, raw_texts, take
from pipeline.sandbox.data.times import DAY_S, DAY_TEXTS, TABLE_FIRST_DAY

_SMALL_COUNT: Final = 1 << 20


def integers(values: Ints) -> Texts:
    """Decimal digits of each number."""
    return cast("Texts", pc.cast(column(values.astype(np.int64), pa.int64()), pa.string()))


def fraction_texts(digits: int) -> Choices:
    """`.5` for 5 of one digit, nothing for 0: what follows the whole part of a number without trailing zeros."""
    return raw_texts(f".{n:0{digits}d}".rstrip("0").rstrip(".") for n in range(10**digits))


_CENTS: Final = fraction_texts(2)
# Whole parts are looked up: three times as fast as writing their digits.
_SMALL: Final = Choices(integers(np.arange(_SMALL_COUNT, dtype=np.int64)))
_FLAGS: Final = raw_texts(("false", "true"))
_MINUS: Final = raw_texts(("", "-"))


def money(cents: Ints) -> Value:
    """Amounts in hundredths as JSON numbers without trailing zeros: 114330 gives 1143.3."""
    lowest = int(cents.min(initial=0))
    size = np.abs(cents) if lowest < 0 else cents
    whole = size // 100
    part = take(_CENTS, size - whole * 100)
    digits = take(_SMALL, whole) if int(whole.max(initial=0)) < _SMALL_COUNT else integers(whole)
    return (take(_MINUS, (cents < 0).astype(np.int32)), digits, part) if lowest < 0 else (digits, part)


def booleans(values: Mask) -> Value:
    """JSON true or false."""
    return (take(_FLAGS, values.astype(np.int32)),)


_MIDNIGHTS: Final = Choices(as_texts(f'"{text}T00:00:00Z"' for text in DAY_TEXTS))
_DATES: Final = np.array([f'"{text}T' for text in DAY_TEXTS], dtype="S12").view("V12")
_TIMES: Final = (
    np.char.add(
        np.char.add(
            np.repeat(np.array([f"{n:02d}:" for n in range(24)], dtype="S3"), 3600),
            np.tile(np.repeat(np.array([f"{n:02d}:" for n in range(60)], dtype="S3"), 60), 24),
        ),
        np.tile(np.array([f'{n:02d}Z"' for n in range(60)], dtype="S4"), 1440),
    )
    .astype("S10")
    .view("V10")
)
_INSTANT: Final = np.dtype([("date", "V12"), ("time", "V10")])


def midnights(days: Ints) -> Value:
    """Quoted ISO 8601 instants at the start of UTC days, counted since 1970."""
    return (Choice(_MIDNIGHTS, days - TABLE_FIRST_DAY),)


def instants(seconds: Ints, *, present: Mask | None = None) -> Value:
    """Quoted ISO 8601 instants with Z; null where not present.

    Raises:
        IndexError: an instant outside the calendar tables.
    """
    days = seconds // DAY_S
    second = seconds - days * DAY_S
    if present is not None:
        days = np.where(present, days, TABLE_FIRST_DAY)
    filled = np.empty(len(seconds), _INSTANT)
    filled["date"] = _DATES[days - TABLE_FIRST_DAY]
    filled["time"] = _TIMES[second]
    ends = np.arange(0, _INSTANT.itemsize * (len(seconds) + 1), _INSTANT.itemsize, dtype=np.int32)
    made = pa.StringArray.from_buffers(len(seconds), pa.py_buffer(ends.data), pa.py_buffer(filled.data))
    return (made if present is None else nullable(present, made),)
