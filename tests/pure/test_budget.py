"""Budgets: what may still be made, when more may be, and where the month is heading."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.budget import (
    Allowance,
    Used,
    hourly,
    month_ends_on,
    monthly,
    next_hour,
    next_month,
    refuse_if_hopeless,
    refuse_if_spent,
)
from pipeline.errors import BudgetReached
from pipeline.settings import Budget

NOW = datetime(2026, 11, 16, 2, 30, tzinfo=UTC)
BUDGET = Budget(hourly=100, monthly=1000, reserve_percent=10)


def test_the_reserve_is_left_to_others():
    """Ten per cent of each limit is not touched; what is left is never negative."""
    assert hourly(BUDGET, Used(40, 500)) == Allowance(100, 90, 40)
    assert hourly(BUDGET, Used(40, 500)).left == 50
    assert monthly(BUDGET, Used(40, 2000)).left == 0
    assert hourly(Budget(), Used(10**9, 10**9)) is None


@pytest.mark.parametrize(
    ("used", "said", "again"),
    [
        (Used(90, 500), "hourly call budget is used up: 90 of 90", "2026-11-16 03:00 UTC"),
        (Used(10, 900), "monthly call budget is used up: 900 of 900", "2026-12-01 00:00 UTC"),
        (Used(90, 900), "monthly", "2026-12-01 00:00 UTC"),
    ],
)
def test_a_spent_budget_says_when_to_come_back(used, said, again):
    """Exit 42, which budget, and from when on; the month counts before the hour."""
    with pytest.raises(BudgetReached) as caught:
        refuse_if_spent(BUDGET, used, NOW)
    assert caught.value.exit_code == 42
    assert said in caught.value.what
    assert again in caught.value.do


def test_the_last_call_of_a_budget_may_be_made():
    """One below the limit is not refused, and no budget refuses nothing."""
    refuse_if_spent(BUDGET, Used(89, 899), NOW)
    refuse_if_spent(Budget(), Used(10**9, 10**9), NOW)


def test_a_run_that_cannot_end_does_not_begin():
    """A run larger than what the month has left would only burn calls."""
    refuse_if_hopeless(BUDGET, Used(0, 400), 500, NOW)
    with pytest.raises(BudgetReached, match="needs about 501 calls; the month has 500 left of 900"):
        refuse_if_hopeless(BUDGET, Used(0, 400), 501, NOW)


def test_the_months_pace_is_carried_forward():
    """Half the allowance after a quarter of the month ends it half-way; a slow pace lasts."""
    assert month_ends_on(Allowance(1000, 900, 450), datetime(2026, 11, 8, tzinfo=UTC)) == datetime(
        2026, 11, 15, tzinfo=UTC
    )
    assert month_ends_on(Allowance(1000, 900, 10), NOW) is None
    assert month_ends_on(Allowance(1000, 900, 0), NOW) is None


@pytest.mark.parametrize(
    ("now", "hour", "month"),
    [
        (NOW, datetime(2026, 11, 16, 3, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (
            datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
        ),
        (
            datetime(2028, 2, 29, 12, tzinfo=UTC),
            datetime(2028, 2, 29, 13, tzinfo=UTC),
            datetime(2028, 3, 1, tzinfo=UTC),
        ),
    ],
)
def test_hours_and_months_turn_in_utc(now, hour, month):
    """Turns of year and leap years included."""
    assert (next_hour(now), next_month(now)) == (hour, month)
