"""The table from status to action, and the waits."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.errors import NotPermitted, NotThere, RequestRefused, SecurityStop, SourceContractBroken, TokenError
from pipeline.retry import (
    _WAITS,
    Again,
    Kind,
    RetryPolicy,
    Stop,
    exhausted,
    http_date,
    judged,
    next_step,
    retry_after_s,
    says_limited,
)

NOW = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
POLICY = RetryPolicy(
    attempts=4, first_wait_s=1, longest_wait_s=3, total_s=100, limited_wait_s=60, longest_limited_wait_s=200
)
FINAL = {400: RequestRefused, 401: TokenError, 403: NotPermitted, **dict.fromkeys((404, 410, 419), NotThere)}
AGAIN = {
    408: Kind.UNWELL, 425: Kind.UNWELL, 429: Kind.LIMITED, 503: Kind.BUSY, 504: Kind.BUSY,
    **dict.fromkeys((500, 502, *range(506, 600)), Kind.UNWELL),
}  # fmt: skip


def step(kind=Kind.UNWELL, *, attempt=1, spent_s=0.0, left_s=1e9, draw=1.0, asked_s=None, policy=POLICY):
    return next_step(
        policy, kind, attempt=attempt, spent_s=spent_s, left_s=left_s, random=lambda: draw, asked_s=asked_s
    )


@pytest.mark.parametrize("status", [n for n in range(100, 1000) if n != 200])
def test_every_status_has_its_meaning(status):
    """Time-outs, limits and server failures get another attempt, each of its kind; all else but 200 stops the run."""
    found = judged(status)
    if status in AGAIN:
        assert found is AGAIN[status]
    else:
        assert type(found) is FINAL.get(status, SourceContractBroken)
        assert str(status) in found.what
    assert isinstance(judged(status, leads_away=True, is_limit=True), SecurityStop)
    limited = judged(status, is_limit=True)
    if status == 403:
        assert limited is Kind.LIMITED
    else:  # what headers say of a limit changes no other status: a 503 with Retry-After stays what it is
        assert (type(limited), str(limited)) == (type(found), str(found))


def test_a_refused_and_an_unpermitted_token_are_told_apart():
    """401 asks for another token, 403 for a permission."""
    refused, unpermitted = judged(401), judged(403)
    assert isinstance(refused, TokenError)
    assert isinstance(unpermitted, NotPermitted)
    assert (refused.exit_code, unpermitted.exit_code) == (11, 12)
    assert "issue a new token" in refused.do
    assert "administrator" in unpermitted.do
    assert refused.what != unpermitted.what


@pytest.mark.parametrize(
    ("headers", "is_limit"),
    [
        ({"Retry-After": "30"}, True), ({"retry-after": "soon"}, True), ({"Retry-After": ""}, True),
        ({"X-RateLimit-Remaining": "0"}, True), ({"x-ratelimit-remaining": " 00 "}, True),
        ({"X-Rate-Limit-Remaining": "0"}, True), ({"RateLimit-Remaining": "0"}, True),
        ({"RateLimit": '"hour";r=0;t=60'}, True), ({"RateLimit": "limit=9, remaining=0, reset=50"}, True),
        ({"RateLimit": '"hour";r=0'}, True),
        ({}, False), ({"X-RateLimit-Remaining": "1"}, False), ({"X-RateLimit-Remaining": "10"}, False),
        ({"X-RateLimit-Remaining": ""}, False), ({"X-RateLimit-Remaining": "none"}, False),
        ({"X-RateLimit-Remaining": "-0"}, False), ({"X-RateLimit-Limit": "0"}, False),
        ({"RateLimit": '"hour";r=7;t=0'}, False), ({"RateLimit": '"hour";r=0.5'}, False),
        ({"RateLimit": '"hour";after=0'}, False), ({"RateLimit": "limit=0, remaining=3"}, False),
        ({"X-RateLimit-Reset": "0", "Date": "Sun, 01 Mar 2026 16:31:00 GMT"}, False),
    ],
)  # fmt: skip
def test_headers_tell_a_limit_from_a_missing_permission(headers, is_limit):
    """A Retry-After, whatever it says, or a count of requests left that is nought; anything else is no limit."""
    assert says_limited(headers) is is_limit


@pytest.mark.parametrize(
    ("kind", "asked_s", "waits"),
    [
        (Kind.LIMITED, None, [(60, True), (120, True), (200, True)]),
        (Kind.BUSY, None, [(1, False), (2, False), (3, False)]),
        (Kind.UNWELL, None, [(1, False), (2, False), (3, False)]),
        (Kind.LATE, None, [(1, False), (2, False), (3, False)]),
        (Kind.DROPPED, None, [(0, False), (2, False), (3, False)]),
        (Kind.BROKEN, None, [(1, False), (2, False), (3, False)]),
        *((kind, 0.0, [(1, False), (2, False), (3, False)]) for kind in Kind),
        *((kind, 42.0, [(42, True)] * 3) for kind in Kind),
    ],
)
def test_every_kind_has_its_waits(kind, asked_s, waits):
    """The whole table at the greatest draw: each kind, without a word, asked for "soon", and asked for a time."""
    assert [step(kind, attempt=n, asked_s=asked_s) for n in (1, 2, 3)] == [Again(*wait) for wait in waits]
    assert step(kind, attempt=4, asked_s=asked_s) is Stop.ATTEMPTS


def test_every_kind_stands_in_the_table():
    """A kind that is added has to be given its waits here and there."""
    assert {kind for kind in Kind if isinstance(step(kind), Again)} == set(Kind) == set(_WAITS)


def test_waits_grow_are_jittered_and_end():
    """Full jitter below a doubling, capped bound; none after the last attempt."""
    assert [step(attempt=n) for n in (1, 2, 3, 4)] == [Again(1), Again(2), Again(3), Stop.ATTEMPTS]
    assert step(attempt=3, draw=0.5) == Again(1.5)
    assert step(attempt=3, draw=0.0) == Again(0)


def test_the_default_is_ten_attempts():
    """Where a fifth of all requests fails, a page is lost once in ten million: 0.2 to the tenth."""
    assert RetryPolicy().attempts == 10
    assert 0.2 ** RetryPolicy().attempts < 1.1e-7


def test_a_wait_asked_for_is_obeyed_exactly_or_not_at_all():
    """Never another length; beyond the run's deadline the run stops. The bound of one request does not count."""
    for kind in Kind:
        assert step(kind, asked_s=42.0, draw=0.1) == Again(42.0, holds_all=True)
        assert step(kind, asked_s=42.0, spent_s=99) == Again(42.0, holds_all=True)
        assert step(kind, asked_s=42.0, left_s=42) == Again(42.0, holds_all=True)
        assert step(kind, asked_s=42.0, left_s=41) is Stop.DEADLINE


def test_a_limit_without_a_word_holds_the_whole_client_for_a_minute_and_longer_each_time():
    """429 without Retry-After: at least 60 s, doubling to a bound, for all requests."""
    assert [step(Kind.LIMITED, attempt=n, draw=0.0) for n in (1, 2, 3)] == [
        Again(60, holds_all=True),
        Again(120, holds_all=True),
        Again(200, holds_all=True),
    ]
    assert step(Kind.LIMITED, attempt=4) is Stop.ATTEMPTS
    assert step(Kind.LIMITED, left_s=59) is Stop.DEADLINE


def test_a_limit_that_says_now_waits_as_after_any_failure():
    """Retry-After of zero, or a date in the past, allows the next request: jittered, and alone."""
    assert step(Kind.LIMITED, asked_s=0.0, attempt=2, draw=0.5) == Again(1.0)


def test_a_kept_connection_that_was_closed_is_replaced_at_once():
    """The server had ended it while idle: nobody is at fault the first time."""
    assert step(Kind.DROPPED) == Again(0)
    assert step(Kind.DROPPED, attempt=2) == Again(2)


def test_no_wait_ends_beyond_a_bound():
    """Over the whole table: each wait fits the request's bound or is asked for, and always the run's deadline."""
    table = itertools.product(Kind, range(1, 6), (0.0, 97.5, 99.9, 200.0), (0.0, 1.0, 70.0, 1e9), (None, 0.0, 5.0))
    for (kind, attempt, spent_s, left_s, asked_s), draw in itertools.product(table, (0.0, 0.5, 0.999)):
        found = step(kind, attempt=attempt, spent_s=spent_s, left_s=left_s, asked_s=asked_s, draw=draw)
        if isinstance(found, Stop):
            assert found is Stop.ATTEMPTS or attempt < POLICY.attempts
            continue
        assert attempt < POLICY.attempts
        assert 0 <= found.wait_s <= left_s
        assert found.holds_all or spent_s + found.wait_s <= POLICY.total_s
        assert found.holds_all == (bool(asked_s) or (kind is Kind.LIMITED and asked_s is None))


def test_a_fifth_of_failures_is_survived():
    """A thousand pages, each attempt failing with probability 0.2, many seeds: none is lost."""
    policy = RetryPolicy()
    for seed in range(50):
        draw = random.Random(seed)
        for _ in range(1000):
            attempt, spent_s = 1, 0.0
            while draw.random() < 0.2:
                found = next_step(policy, Kind.UNWELL, attempt=attempt, spent_s=spent_s, left_s=1e9, random=draw.random)
                assert isinstance(found, Again)
                attempt, spent_s = attempt + 1, spent_s + found.wait_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), (" 0 ", 0), ("Sun, 01 Mar 2026 16:31:00 GMT", 60), ("Sun, 01 Mar 2026 16:00:00 GMT", 0),
        ("Sunday, 01-Mar-26 16:31:00 GMT", 60), ("Sun Mar  1 16:31:00 2026", 60), ("2678400", 2678400),
        ("-5", None), ("1e9", None), ("99999999999", None), ("1000000000", None), ("2678401", None), ("soon", None),
        ("", None), (None, None), ("1.5", None), ("\u0661\u0662", None), ("Sun, 01 Mar 2037 16:31:00 GMT", None),
        ("Sun, 99 Mar 2026 16:31:00 GMT", None), ("120, 240", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value, seconds):
    """RFC 9110: a number or an HTTP date, at most a month away; anything else is as if absent."""
    assert retry_after_s(value, NOW) == seconds


def test_a_date_without_a_zone_is_universal():
    """`-0000` says the zone is unknown; HTTP dates are universal time."""
    assert http_date("Sun, 01 Mar 2026 16:30:00 -0000") == NOW
    assert http_date("Sun, 01 Mar 2026 17:30:00 +0100") == NOW
    assert http_date(None) is None


def test_giving_up_tells_what_failed_how_often_and_when_to_come_back():
    """Each kind of failure with its count; never an earlier moment than the source asked for."""
    error = exhausted(Stop.ATTEMPTS, {"503": 3, "cut": 1}, spent_s=61.2, now=NOW)
    assert error.what == "503 (3 times), cut; gave up after 4 attempts in 61 s, all attempts were used"
    assert error.do == type(error).default_do
    local = NOW.astimezone(timezone(timedelta(hours=10)))
    asked = exhausted(Stop.DEADLINE, {"429": 1}, spent_s=0, now=local, asked_s=3600.0)
    assert "2026-03-01 17:30:01 UTC" in asked.do
    assert "in 3600 s" in asked.do
    assert asked.exit_code == 20
