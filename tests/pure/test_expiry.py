"""Milestones, warnings that grow more urgent, and the token that ends too soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.auth import MILESTONES, Passport, milestone, newly_crossed, refuse_expired, state_of
from pipeline.errors import TokenError
from pipeline.model import TokenState
from pipeline.planning import expected_duration

NOW = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
NOW_OR_NEVER = "renew it now, or no run succeeds after that"


def ending_in(left: timedelta, *, is_assumed: bool = False) -> Passport:
    return Passport(None, NOW + left, is_assumed=is_assumed)


def state(days_left: int, *, expires_at: datetime = NOW) -> TokenState:
    return TokenState(expires_at, days_left, is_assumed=False, warning=None)


@pytest.mark.parametrize(
    ("warn_days", "passed"),
    [
        (60, {61: None, 60: None, 59: 60, 30: 60, 29: 30, 14: 30, 13: 14, 7: 14, 6: 7, 0: 7, -1: 0, -500: 0}),
        (90, {90: None, 89: 90, 60: 90, 59: 60, 6: 7, -1: 0}),
        (20, {59: None, 20: None, 19: 20, 14: 20, 13: 14, 6: 7}),
        (30, {30: None, 29: 30, 13: 14}),
        (5, {6: None, 5: None, 4: 5, 0: 5, -1: 0}),
        (0, {59: None, 6: None, 0: None, -1: 0}),
    ],
)
def test_the_first_milestone_is_the_sites_and_those_below_follow(warn_days, passed):
    """60, 30, 14 and 7 days, as far as they lie below `token.warn_days`; with 0 only the expiry itself."""
    assert {days: milestone(days, warn_days) for days in passed} == passed
    assert milestone(None, warn_days) is None


def test_milestones_are_passed_one_by_one():
    """Day by day over three months: each is passed exactly once, in order, and never taken back."""
    seen = [milestone(days, 60) for days in range(90, -3, -1)]
    assert list(dict.fromkeys(seen)) == [None, *MILESTONES, 0]


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (timedelta(days=60), None),
        (timedelta(days=59, hours=23), "the token expires in 59 days (2026-04-30 15:30 UTC): plan its renewal"),
        (timedelta(days=30), "the token expires in 30 days (2026-03-31 16:30 UTC): plan its renewal"),
        (timedelta(days=29), "the token expires in 29 days (2026-03-30 16:30 UTC): renew it within two weeks"),
        (timedelta(days=13), "the token expires in 13 days (2026-03-14 16:30 UTC): renew it this week"),
        (timedelta(days=6), f"URGENT: the token expires in 6 days (2026-03-07 16:30 UTC): {NOW_OR_NEVER}"),
        (timedelta(hours=29), f"URGENT: the token expires in 29 hours 0 minutes (2026-03-02 21:30 UTC): {NOW_OR_NEVER}"),
        (timedelta(minutes=61), f"URGENT: the token expires in 1 hour 1 minute (2026-03-01 17:31 UTC): {NOW_OR_NEVER}"),
        (timedelta(minutes=9), f"URGENT: the token expires in 9 minutes (2026-03-01 16:39 UTC): {NOW_OR_NEVER}"),
        (timedelta(0), f"URGENT: the token expires in 0 minutes (2026-03-01 16:30 UTC): {NOW_OR_NEVER}"),
        (timedelta(-1), "URGENT: the token expired at 2026-02-28 16:30 UTC: no run succeeds until a new one is stored"),
    ],
)  # fmt: skip
def test_warnings_grow_more_urgent(left, text):
    """Days, then hours and minutes, and what to do when; none before the first milestone."""
    found = state_of(ending_in(left), NOW, 60)
    assert found == TokenState(NOW + left, left.days, is_assumed=False, warning=text)


def test_an_assumed_expiry_is_warned_of_as_such():
    """It may be wrong: the warning says what it rests on."""
    near = state_of(ending_in(timedelta(days=20), is_assumed=True), NOW, 60)
    past = state_of(ending_in(timedelta(days=-20), is_assumed=True), NOW, 60)
    assert near.is_assumed
    assert near.warning is not None
    assert past.warning is not None
    assert "UTC, assumed from its issue)" in near.warning
    assert "has probably expired" in past.warning


def test_an_unknown_expiry_warns_of_nothing():
    """There is nothing to count."""
    assert state_of(Passport(None, None), NOW, 60) == TokenState(None, None, is_assumed=False, warning=None)


def told(days_left: object, expires_at: str = NOW.isoformat()) -> dict[str, object]:
    return {"expires_at": expires_at, "days_left": days_left, "is_assumed": False, "warning": None}


@pytest.mark.parametrize(
    ("earlier", "current", "crossed"),
    [
        (told(61), state(61), None), (told(60), state(59), 60), (told(59), state(58), None), (told(31), state(29), 30),
        (told(61), state(6), 7), (told(7), state(6), 7), (told(6), state(5), None), (told(0), state(-1), 0),
        (told(-1), state(-2), None),
        (None, state(61), None), (None, state(40), 60), ({}, state(40), 60), (told(None), state(40), 60),
        (told("59"), state(40), 60),
        (told(20), state(730, expires_at=NOW + timedelta(days=730)), None),
        (told(2, "2025-01-01T00:00:00+00:00"), state(10), 14),
    ],
)  # fmt: skip
def test_each_milestone_is_new_once(earlier, current, crossed):
    """Compared with the earlier run's report; another token begins anew, and an unreadable report tells nothing."""
    assert newly_crossed(earlier, current, 60) == crossed


def test_a_year_of_nights_tells_of_each_milestone_once():
    """Run after run, with one night left out now and then: four milestones and the expiry, in order."""
    earlier, seen = None, []
    for days in (day for day in range(200, -30, -1) if day % 5):
        current = state(days)
        seen.append(newly_crossed(earlier, current, 60))
        earlier = told(days)
    assert [one for one in seen if one is not None] == [60, 30, 14, 7, 0]


def test_an_expired_token_is_refused_before_any_request():
    """Only an expiry that the token itself states is trusted enough to stop."""
    with pytest.raises(TokenError, match="expired at 2026-03-01 15:30 UTC"):
        refuse_expired(ending_in(timedelta(hours=-1)), NOW, place="x")
    refuse_expired(ending_in(timedelta(hours=-1), is_assumed=True), NOW, place="x")
    refuse_expired(Passport(None, None), NOW, place="x")


def test_a_token_that_ends_before_the_run_is_refused_at_its_start():
    """Within the time that the run may take: exit 11 before any request; what is only assumed stops nothing."""
    soon, hour = ending_in(timedelta(minutes=59)), timedelta(hours=1)
    with pytest.raises(
        TokenError, match=r"expires at 2026-03-01 17:29 UTC, before a run would end \(about 2026-03-01 17:30"
    ):
        refuse_expired(soon, NOW, place="x", within=hour)
    refuse_expired(soon, NOW, place="x")
    refuse_expired(ending_in(timedelta(minutes=61)), NOW, place="x", within=hour)
    refuse_expired(ending_in(timedelta(minutes=59), is_assumed=True), NOW, place="x", within=hour)


def test_the_refusal_tells_the_moment_as_the_sites_people_read_it():
    """In UTC and in the site's zone, which may be on another day; where the token came from; how to renew it."""
    with pytest.raises(TokenError) as caught:
        refuse_expired(
            ending_in(timedelta(minutes=5)),
            NOW,
            place="here",
            within=timedelta(hours=1),
            zone=ZoneInfo("Australia/Sydney"),
        )
    assert "2026-03-01 16:35 UTC (2026-03-02 03:35 AEDT)" in caught.value.what
    assert caught.value.where == "here"
    assert "token show --renewal" in caught.value.do
    assert all(len(text) <= 400 for _, text in caught.value.lines())


@pytest.mark.parametrize(
    ("last_s", "deadline_s", "expected_s"),
    [
        (None, 21600, 3600), (60, 21600, 3600), (2400, 21600, 3600), (2401, 21600, 3601.5), (7200, 21600, 10800),
        (20000, 21600, 21600), (None, 600, 600), (7200, 600, 600),
    ],
)  # fmt: skip
def test_a_run_is_expected_to_take_half_as_long_again(last_s, deadline_s, expected_s):
    """An hour at least, the run's deadline at most, which also bounds the hour."""
    assert expected_duration(last_s, deadline_s) == timedelta(seconds=expected_s)
