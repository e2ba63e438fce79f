"""JSON text for whole columns at once, no Python object a row.

A value of a field is a tuple of pieces: a constant, one Arrow string a row, or a choice from a small set of texts. A
record is put together from its pieces in one pass; before that, neighbours that are constants or small choices are
merged, since each piece costs time on every row. Not here: which fields a record has (`fields`), how a number looks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.sandbox.data.draw import Ints, Mask

Texts = pa.StringArray
_arrow: Final = cast("Any", pa)  # the stubs of pyarrow refuse much that it takes
_compute: Final = cast("Any", pc)
_MERGED_LIMIT: Final = 8192


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


def column(values: NDArray[Any], kind: pa.DataType) -> Any:
    """An Arrow array over the same memory. `pa.array` would import pandas, which takes longer than making the books."""
    return _arrow.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values).data)])


def as_texts(values: Iterable[str]) -> Texts:
    """The strings as an Arrow array."""
    encoded = [value.encode() for value in values]
    ends = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(value) for value in encoded], out=ends[1:])
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends.data), pa.py_buffer(b"".join(encoded)))


class Choices:
    """A set of texts to pick from by number; what it was merged with is remembered, so that merging costs once."""

    def __init__(self, values: Texts) -> None:
        self.values = values
        self.size = len(values)
        self._merged: dict[object, Choices] = {}

    def __len__(self) -> int:
        return len(self.values)

    def followed_by(self, constant: str) -> Choices:
        """The same texts, each with a constant after it."""
        return self._remembered((constant, "after"), self.values, constant)

    def after(self, constant: str) -> Choices:
        """The same texts, each with a constant before it."""
        return self._remembered((constant, "before"), constant, self.values)

    def beside(self, other: Choices) -> Choices:
        """Text i of this set with text i of another."""
        return self._remembered((other, "beside"), self.values, other.values)

    def times(self, other: Choices) -> Choices:
        """Every pair: text i with text j at i * len(other) + j."""
        if (other, "times") not in self._merged:
            pairs = np.arange(len(self) * len(other), dtype=np.int64)
            first, second = np.divmod(pairs, max(len(other), 1))
            joined = _join(_picked(self.values, first), _picked(other.values, second))
            self._merged[other, "times"] = Choices(joined)
        return self._merged[other, "times"]

    def or_else(self, constant: str) -> Choices:
        """The same texts, and one more at the end."""
        if (constant, "or else") not in self._merged:
            self._merged[constant, "or else"] = Choices(_arrow.concat_arrays([self.values, as_texts([constant])]))
        return self._merged[constant, "or else"]

    def _remembered(self, key: object, *parts: str | Texts) -> Choices:
        if key not in self._merged:
            self._merged[key] = Choices(_join(*parts))
        return self._merged[key]


@dataclass(frozen=True, eq=False, slots=True)
class Choice:
    """One of a set of texts for each row."""

    choices: Choices
    index: Ints


Piece = str | Texts | Choice
Value = tuple[Piece, ...]


def texts(values: Iterable[object]) -> Choices:
    """The JSON text of each value, to pick from."""
    return Choices(as_texts(json_text(value) for value in values))


def raw_texts(values: Iterable[str]) -> Choices:
    """The strings as they are, to pick from."""
    return Choices(as_texts(values))


def take(choices: Choices, index: Ints) -> Choice:
    """The choice of each row."""
    return Choice(choices, index)


def where(condition: Mask, chosen: Choice, otherwise: str) -> Choice:
    """The chosen text where the condition holds, a constant elsewhere."""
    return Choice(chosen.choices.or_else(otherwise), np.where(condition, chosen.index, len(chosen.choices)))


def nullable(present: Mask, filled: Texts) -> Texts:
    """The text where it is present, null elsewhere."""
    bits = np.packbits(present, bitorder="little")
    mask = _arrow.Array.from_buffers(pa.bool_(), len(present), [None, pa.py_buffer(bits.data)])
    return cast("Texts", _compute.if_else(mask, filled, _constant("null")))


def quoted(value: Value) -> Value:
    """A JSON string of text that needs no escapes."""
    return ('"', *value, '"')


def record(fields: Mapping[str, Value]) -> Value:
    """A JSON object with these fields in this order."""
    pieces: list[Piece] = []
    opening = "{"
    for name, value in fields.items():
        pieces += (f'{opening}"{name}":', *value)
        opening = ","
    return (*pieces, "}")


def lists(counts: Ints, items: Texts) -> Value:
    """A JSON array a row, of the next `counts[row]` items."""
    ends = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=ends[1:])
    return (
        "[",
        _compute.binary_join(_arrow.ListArray.from_arrays(column(ends, pa.int32()), items), _constant(",")),
        "]",
    )


def put_together(value: Value) -> Texts:
    """One text a row; at least one piece must not be a constant."""
    return _join(*(_picked(p.choices.values, p.index) if isinstance(p, Choice) else p for p in _merged(value)))


def _join(*parts: str | Texts) -> Texts:
    columns = (_constant(part) if isinstance(part, str) else part for part in parts)
    return cast("Texts", _compute.binary_join_element_wise(*columns, _constant("")))


@lru_cache(maxsize=4096)
def _constant(text: str) -> object:
    """A text as an Arrow scalar. `pa.scalar` would import pandas."""
    return as_texts([text])[0]


def _picked(values: Texts, index: Ints) -> Texts:
    wide = index if index.dtype in (np.int32, np.int64) else index.astype(np.int32)
    return values.take(column(wide, pa.int32() if wide.dtype == np.int32 else pa.int64()))


def _merged(value: Value) -> list[Piece]:
    """Fewer pieces with the same text: each piece is merged into the one before it where that is possible."""
    merged: list[Piece] = []
    for piece in value:
        both = _both(merged[-1], piece) if merged else None
        if both is None:
            merged.append(piece)
        else:
            merged[-1] = both
    return merged


def _both(first: Piece, second: Piece) -> Piece | None:
    match first, second:
        case str(), str():
            return first + second
        case str(), Choice(choices, index) if choices.size <= _MERGED_LIMIT:
            return Choice(choices.after(first), index)
        case Choice(choices, index), str() if choices.size <= _MERGED_LIMIT:
            return Choice(choices.followed_by(second), index)
        case Choice(choices, index), Choice(others, other) if index is other and choices.size == others.size:
            return Choice(choices.beside(others), index)
        case Choice(choices, index), Choice(others, other) if choices.size * others.size <= _MERGED_LIMIT:
            return Choice(choices.times(others), index * np.int32(others.size) + other)
        case _:
            return None
