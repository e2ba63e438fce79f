"""How many calls may still be made, when more may be, and where the month is heading.

Pure: counts and the time come in as arguments. Hours and months are UTC. A reserve is left untouched for whoever else
uses the same token.
"""

from __future__ import annotations

import calendar
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.errors import BudgetReached
from pipeline.settings import Budget


@dataclass(frozen=True, slots=True)
class Used:
    """Calls made so far in the current UTC hour and in the current UTC month."""

    hour: int
    month: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """One budget: its limit, what this program may use of it, and what is used."""

    limit: int
    allowed: int
    used: int

    @property
    def left(self) -> int:
        """Calls that may still be made, never negative."""
        return max(0, self.allowed - self.used)


def hourly(budget: Budget, used: Used) -> Allowance | None:
    """The allowance of the current hour, or None without an hourly budget."""
    return _allowance(budget.hourly, budget.reserve_percent, used.hour)


def monthly(budget: Budget, used: Used) -> Allowance | None:
    """The allowance of the current month, or None without a monthly budget."""
    return _allowance(budget.monthly, budget.reserve_percent, used.month)


def refuse_if_spent(budget: Budget, used: Used, now: datetime) -> None:
    """Nothing, if one more call may be made.

    Raises:
        BudgetReached: none may; the message says from when on.
    """
    month, hour = monthly(budget, used), hourly(budget, used)
    if month is not None and not month.left:
        raise _spent("monthly", month, next_month(now))
    if hour is not None and not hour.left:
        raise _spent("hourly", hour, next_hour(now))


def refuse_if_hopeless(budget: Budget, used: Used, expected_calls: int, now: datetime) -> None:
    """Nothing, if the month has room for a run of this size: a run that cannot end would only burn calls.

    Raises:
        BudgetReached: it has not.
    """
    month = monthly(budget, used)
    if month is not None and expected_calls > month.left:
        raise BudgetReached(
            f"this run needs about {expected_calls:,} calls; the month has {month.left:,} left of {month.allowed:,}",
            where="plan",
            do=f"run again after {next_month(now):%Y-%m-%d %H:%M} UTC, raise budget.monthly, or lower the reserve",
        )


def month_ends_on(allowance: Allowance, now: datetime) -> datetime | None:
    """When the month's calls are used up at the pace so far; None if they last to the month's end."""
    began = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    elapsed = (now - began) / timedelta(days=1)
    if not allowance.used or elapsed <= 0:
        return None
    days = allowance.allowed / (allowance.used / elapsed)
    ends = began + timedelta(days=days) if math.isfinite(days) and days < 62 else None
    return ends if ends is not None and ends < next_month(now) else None


def next_hour(now: datetime) -> datetime:
    """The beginning of the next UTC hour."""
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def next_month(now: datetime) -> datetime:
    """The beginning of the next UTC month."""
    days = calendar.monthrange(now.year, now.month)[1]
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)


def _allowance(limit: int | None, reserve_percent: float, used: int) -> Allowance | None:
    if limit is None:
        return None
    return Allowance(limit, math.floor(limit * (100 - reserve_percent) / 100), used)


def _spent(name: str, allowance: Allowance, again_at: datetime) -> BudgetReached:
    spent = BudgetReached(
        f"the {name} call budget is used up: {allowance.used:,} of {allowance.allowed:,} calls "
        f"(limit {allowance.limit:,}, the reserve is not touched)",
        do=f"run again after {again_at:%Y-%m-%d %H:%M} UTC, or raise budget.{name}",
    )
    spent.again_at = again_at
    return spent
