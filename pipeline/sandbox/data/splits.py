"""How a line is divided into parts: percentages that add up to a hundred, cents that add up to the line's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.sandbox.data.draw import Draws, Ints, Mask
from pipeline.sandbox.data.text import Choice, Value, lists, put_together, raw_texts, take
from pipeline.sandbox.data.values import integers

WHOLE: Final = 1_000_000  # a hundred per cent in ten-thousandths
# Patterns of two parts, then of three; the last entry is padding.
_PATTERNS: Final = (
    (500_000, 500_000, 0),
    (600_000, 400_000, 0),
    (750_000, 250_000, 0),
    (400_000, 400_000, 200_000),
    (500_000, 250_000, 250_000),
    (333_333, 333_333, 333_334),
)
_ENDS: Final = np.array([[0, a, a + b, a + b + c] for a, b, c in _PATTERNS], dtype=np.int64)
_PERCENTAGES: Final = raw_texts(
    f"{share // 10_000}.{share % 10_000:04d}".rstrip("0").rstrip(".") for pattern in _PATTERNS for share in pattern
)


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """Parts in table order: part k of parent row p is row `starts[p] + k`."""

    starts: Ints
    parent: Ints

    def place(self, rows: Ints) -> Ints:
        """Which part of its parent each row is, from 0."""
        return rows - self.starts[self.parent[rows]]


def make_parts(draws: Draws, numbers: Ints, is_split: Mask) -> Parts:
    """Two parts for most of the split lines, three for one in three of them."""
    counts = np.where(is_split, 2 + draws.chance("three parts", numbers, 330), 0)
    starts = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=starts[1:])
    return Parts(starts, np.repeat(np.arange(len(counts), dtype=np.int32), counts))


@dataclass(frozen=True, eq=False, slots=True)
class Shares:
    """The share of its parent that each part has."""

    first: Ints
    last: Ints
    percentage: Choice

    def of(self, cents: Ints) -> Ints:
        """The part's cents; those of all parts of a parent add up to the parent's."""
        return cents * self.last // WHOLE - cents * self.first // WHOLE


def shares(draws: Draws, parent_numbers: Ints, place: Ints, count: Ints) -> Shares:
    """Shares of parts by their parent's number, their place in it and the number of its parts."""
    pattern = (count - 2) * 3 + draws.below("pattern", parent_numbers, 3)
    return Shares(_ENDS[pattern, place], _ENDS[pattern, place + 1], take(_PERCENTAGES, pattern * 3 + place))


def part_ids(parent_ids: Ints, place: Ints) -> Value:
    """Ids in the documented form `1234567:1`, quoted."""
    return ('"', integers(parent_ids), ":", integers(place + 1), '"')


def child_ids(parent_ids: Ints, counts: Ints) -> Value:
    """The list of its parts' ids for each parent."""
    owner = np.repeat(np.arange(len(counts)), counts)
    if not owner.size:
        return ("[]",)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return lists(counts, put_together(part_ids(parent_ids[owner], place)))
