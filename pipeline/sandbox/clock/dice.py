"""Draws in sequence that depend on nothing but a seed and a day, and how many events a day brings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from pipeline.sandbox.data.times import BOOKS_S, DAY_S, HOUR_S

T = TypeVar("T")
_OFFICE_OPENS_S = 9 * HOUR_S  # a day of the clock starts at noon UTC; 21:00 UTC is 7:00 the next morning in Sydney
_OFFICE_HOURS_S = 10 * HOUR_S


class Dice:
    """The draws of one day, one after another: the same on every machine and in every process."""

    def __init__(self, seed: int, day: int, moved_days: int = 0) -> None:
        self._salt = f"clock/{seed}/{day}/".encode()
        self._count = 0
        self.opens_s = BOOKS_S + (moved_days + day - 1) * DAY_S

    def below(self, bound: int) -> int:
        """A number in [0, bound)."""
        self._count += 1
        digest = hashlib.blake2b(self._salt + str(self._count).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") * bound >> 64

    def pick(self, values: Sequence[T]) -> T:
        """One of some values."""
        return values[self.below(len(values))]

    def moment(self) -> int:
        """A second of the day in office hours."""
        return self.opens_s + _OFFICE_OPENS_S + self.below(_OFFICE_HOURS_S)

    def count(self, expected_millionths: int) -> int:
        """A whole number that is on average so many millionths."""
        whole, rest = divmod(expected_millionths, 1_000_000)
        return whole + (self.below(1_000_000) < rest)


def is_business_day(day: int) -> bool:
    """Whether the people of Sydney work on a day of the clock: the calendar day after the noon it starts at.

    Books are moved by whole weeks, so it is the same for all.
    """
    return (BOOKS_S // DAY_S + day + 3) % 7 < 5  # day 0 of 1970 was a Thursday


def business_days_until(day: int) -> int:
    """How many business days there are from day 1 to a day, the day included."""
    weeks, rest = divmod(day, 7)
    return weeks * 5 + sum(is_business_day(each) for each in range(day - rest + 1, day + 1))
