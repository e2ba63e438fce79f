"""Waiting, slowing down, and giving up: the client against a source that limits, strains or is down."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest
from session_world import CLAIMS, Jumping, asked

from pipeline.errors import BudgetReached, NotPermitted, SourceUnavailable
from pipeline.sandbox.faults import plan


async def once(session):
    return await session.send(CLAIMS)


def many(count):
    async def act(session):
        return await asyncio.gather(*(session.send(CLAIMS) for _ in range(count)), return_exceptions=True)

    return act


def test_a_wait_asked_for_holds_every_request(sandbox):
    """After one 429 with Retry-After: 7 no request of any worker goes before the seven seconds are over."""
    sandbox.faults(plan("rate-limit:after=7,times=1"))
    jumping = Jumping()
    sent_at: list[float] = []

    async def act(session):
        await session.send(CLAIMS)
        await asyncio.gather(*(session.send(CLAIMS) for _ in range(20)))

    asked(sandbox, act, jumping, count=lambda _: sent_at.append(jumping.monotonic()))
    assert len(sent_at) == 22
    assert sent_at[1] - sent_at[0] >= 7
    assert max(jumping.slept) <= 7


def test_workers_under_way_learn_of_a_limit(sandbox):
    """One of many gets a 429 without a word: the whole client is silent for a minute, then goes on at half the pace."""
    sandbox.faults(plan("rate-limit-bare:nth=3"))
    jumping = Jumping()
    sent_at: list[float] = []

    async def act(session):
        answers = await asyncio.gather(*(session.send(CLAIMS) for _ in range(200)))
        return answers, session.gate.pace

    answers, pace = asked(sandbox, act, jumping, count=lambda _: sent_at.append(jumping.monotonic()), concurrency=4)
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent_at)]
    assert len(answers) == 200
    assert sum(gap >= 59.9 for gap in gaps) == 1
    assert pace.cut_at_s > 0
    assert pace.allowed <= 4


def test_a_limit_that_stays_grows_the_wait(sandbox):
    """429 without a word again and again: a minute, two, four, to a quarter of an hour; ten attempts, then exit 20."""
    sandbox.faults(plan("rate-limit-bare"))
    jumping = Jumping()
    with pytest.raises(SourceUnavailable) as caught:
        asked(sandbox, once, jumping)
    waits = [round(wait) for wait in jumping.slept]
    assert waits == [60, 120, 240, 480, 900, 900, 900, 900, 900]
    assert sandbox.journal.counts.requests == 10
    assert "answered 429 (10 times)" in caught.value.what
    assert caught.value.where == CLAIMS.label


@pytest.mark.parametrize(
    ("fault", "waits"),
    [("rate-limit:status=403,after=7", [7, 7]), ("rate-limit-bare:status=403,remaining=0", [60, 120])],
)
def test_a_403_that_says_it_is_a_limit_is_waited_for(sandbox, fault, waits):
    """As after a 429: exactly what Retry-After asks, else a minute and longer, and then the answer."""
    sandbox.faults(plan(f"{fault},times=2"))
    jumping = Jumping()
    asked(sandbox, once, jumping)
    assert [round(wait) for wait in jumping.slept] == waits
    assert sandbox.journal.counts.statuses == {403: 2, 200: 1}


def test_a_403_that_says_nothing_stops_at_once(sandbox):
    """It is a missing permission: one call, exit 12."""
    sandbox.faults(plan("rate-limit-bare:status=403"))
    with pytest.raises(NotPermitted):
        asked(sandbox, once)
    assert sandbox.journal.counts.requests == 1


def test_a_wait_beyond_the_deadline_stops_at_once_and_says_when_to_come_back(sandbox):
    """One call, no wait, exit 20, and the moment."""
    sandbox.faults(plan("rate-limit:after=7200"))
    jumping = Jumping()
    with pytest.raises(SourceUnavailable) as caught:
        asked(sandbox, once, jumping, run_deadline_s=3600.0)
    back = jumping.clock() + timedelta(seconds=7200)
    assert back.strftime("%Y-%m-%d %H:") in caught.value.do
    assert "in 7200 s" in caught.value.do
    assert sandbox.journal.counts.requests == 1
    assert jumping.slept == []


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_date_is_compared_with_the_source_s_own_clock(sandbox, ahead_s):
    """Retry-After as a date is obeyed to the second, however wrong this machine's clock is."""
    sandbox.faults(plan("rate-limit-date:after=30,times=1"))
    jumping = Jumping(ahead=timedelta(seconds=ahead_s))
    asked(sandbox, once, jumping)
    assert 30 <= sum(jumping.slept) <= 32


def test_a_failure_is_retried_by_one_layer_only(sandbox):
    """Ten attempts a request, counted by the server; every one was announced before it was sent."""
    sandbox.faults(plan("server-error"))
    told: list[str] = []
    with pytest.raises(SourceUnavailable) as caught:
        asked(sandbox, once, count=told.append)
    assert sandbox.journal.counts.requests == 10
    assert told == ["claim"] * 10
    assert "gave up after 10 attempts" in caught.value.what


def test_the_setting_bounds_the_attempts(sandbox):
    """`api.attempts` is how often one request is tried."""
    sandbox.faults(plan("server-error"))
    with pytest.raises(SourceUnavailable):
        asked(sandbox, once, attempts=3)
    assert sandbox.journal.counts.requests == 3


def test_a_source_that_is_down_gets_probes_only_and_is_given_up(sandbox):
    """All of many requests fail: after half a minute one goes each quarter minute, and the error says since when."""
    sandbox.faults(plan("server-error:status=500"))
    jumping = Jumping()
    sent_at: list[float] = []
    failed = asked(sandbox, many(64), jumping, count=lambda _: sent_at.append(jumping.monotonic()), attempts=20)
    assert {type(one) for one in failed} == {SourceUnavailable}
    assert {one.exit_code for one in failed} == {20}
    given_up = [one for one in failed if "nothing has succeeded since" in one.what]
    assert given_up
    probes = [moment for moment in sent_at if moment - sent_at[0] > 31]
    gaps = [later - earlier for earlier, later in itertools.pairwise(probes)]
    assert gaps
    assert min(gaps) >= 15
    assert sent_at[-1] - sent_at[0] <= 930
    assert len(probes) <= 62


def test_a_source_that_comes_back_is_read_on(sandbox):
    """The first probe that succeeds closes the circuit: everything is read."""
    sandbox.faults(plan("server-error:status=500,times=60"))
    answers = asked(sandbox, many(16), Jumping(), attempts=20)
    assert {len(one.body) > 0 for one in answers} == {True}


def test_what_the_count_refuses_is_not_sent(sandbox):
    """A spent budget stops the request before the network; its error travels as it is."""
    told: list[str] = []

    def count(resource: str) -> None:
        told.append(resource)
        if len(told) > 2:
            raise BudgetReached("spent")

    failed = asked(sandbox, many(8), count=count, concurrency=1)
    assert sum(isinstance(one, BudgetReached) for one in failed) == 6
    assert sandbox.journal.counts.requests == 2


def test_a_closed_kept_connection_is_replaced_and_counted(sandbox):
    """The server ends an idle connection under us: the request goes again at once, and both attempts are counted."""
    told: list[str] = []
    jumping = Jumping()

    async def act(session):
        await session.send(CLAIMS)
        sandbox.faults(plan("reset:times=1"))
        return await session.send(CLAIMS)

    assert asked(sandbox, act, jumping, count=told.append).body
    assert jumping.slept == []
    assert len(told) == 3
    assert sandbox.journal.counts.requests == 3
