"""The span of the books, and days and months as integers. Instants are whole UTC seconds since 1970.

No clock is read: the books end at a fixed instant, so that the same seed gives the same bytes on any day. They can
be moved on by whole weeks: every instant in them moves, nothing else does.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np

from pipeline.sandbox.data.draw import Draws, Ints

DAY_S = 86_400
HOUR_S = 3_600
BOOKS_AT = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
BOOKS_S = int(BOOKS_AT.timestamp())
DAY_COUNT = 730
FIRST_DAY = BOOKS_S // DAY_S - DAY_COUNT + 1  # 2024-07-01: two Australian financial years

# Calendar tables reach from 2023 to the end of 2039, well beyond the books on both sides.
TABLE_FIRST_DAY = int(np.datetime64("2023-01-01", "D").astype(np.int64))
_DAYS = np.arange(np.datetime64("2023-01-01", "D"), np.datetime64("2040-01-01", "D"))
_MONTHS = _DAYS.astype("datetime64[M]")
_MONTH_INDEX = (_MONTHS - _MONTHS[0]).astype(np.int64)
_MONTH_FIRST = _MONTHS.astype("datetime64[D]").astype(np.int64)
DAY_TEXTS = tuple(str(day) for day in _DAYS)


def days_to_end_by(day: date) -> int:
    """By how many days books are moved that end by a day, at most a week before: whole weeks, so that weekdays stay.

    Raises:
        ValueError: before the books' own end, or beyond the calendar.
    """
    latest = BOOKS_AT.date() + timedelta(days=3650)  # instants end with 2037, and the clock moves on from there
    if not BOOKS_AT.date() <= day <= latest:
        raise ValueError(f"the books can end from {BOOKS_AT.date()} to {latest}, not on {day}")
    return (day - BOOKS_AT.date()).days // 7 * 7


def month_of(days: Ints) -> Ints:
    """Months since January 2023 for days since 1970."""
    months: Ints = _MONTH_INDEX[days - TABLE_FIRST_DAY]
    return months


def month_before(days: Ints) -> tuple[Ints, Ints]:
    """First and last day of the month before each day's month."""
    last = _MONTH_FIRST[days - TABLE_FIRST_DAY] - 1
    return _MONTH_FIRST[last - TABLE_FIRST_DAY], last


def _day_weights() -> Ints:
    """How busy each day of the books is: quiet weekends and summers, a rush before 30 June, slow growth."""
    days = np.arange(FIRST_DAY, FIRST_DAY + DAY_COUNT)
    weekday = (days + 3) % 7  # day 0 was a Thursday
    weights = np.where(weekday >= 5, 8, 40)
    month = (_MONTH_INDEX[days - TABLE_FIRST_DAY] % 12) + 1
    weights = np.where(month == 1, weights * 6 // 10, weights)
    weights = np.where(month == 6, weights * 13 // 10, weights)
    return weights * (1000 + np.arange(DAY_COUNT)) // 10


_BUSY_ENDS = np.cumsum(_day_weights())


def creation_times(draws: Draws, rows: Ints, count: int) -> Ints:
    """When each of `count` documents was created, by its number: days in order, during office hours in Sydney."""
    day = FIRST_DAY + np.searchsorted(_BUSY_ENDS, rows * int(_BUSY_ENDS[-1]) // max(count, 1), side="right")
    # 21:00 to 07:00 UTC is 7:00 to 17:00 in Sydney, less an hour in summer: work of the next calendar day.
    second = (21 * HOUR_S + draws.below("created", rows, 10 * HOUR_S)) % DAY_S
    created: Ints = np.minimum(day * DAY_S + second, BOOKS_S - 60)
    return created
