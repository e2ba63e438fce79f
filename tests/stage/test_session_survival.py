"""A share of all requests fails, by a seeded schedule: everything is read all the same, and no page is asked too often.

Many seeds are for `make soak`.
"""

from __future__ import annotations

import pytest
from failing import attempts_of_pages, everything, survived, thousand_pages, whole_of
from session_world import Jumping, asked

from pipeline.sandbox.faults import plan


@pytest.fixture(scope="module")
def books(authority):
    """One sandbox for all seeds."""
    with thousand_pages(authority) as running:
        yield running


@pytest.fixture(scope="module")
def whole(books):
    """What is read where nothing fails."""
    return whole_of(books)


@pytest.mark.parametrize("seed", range(4))
def test_a_fifth_of_failures_loses_nothing(books, whole, seed):
    """Complete and equal to the books; ten attempts a page at most, one more request a failure, none too early."""
    assert survived(books, whole, 0.2, seed).held


def test_half_of_failures_loses_nothing(sandbox):
    """A source that fails every other time: complete all the same, within the attempts that a request has."""
    whole = asked(sandbox, everything(50))
    sandbox.journal.clear()
    sandbox.faults(plan("server-error:status=drawn,share=0.5", seed=3))
    assert asked(sandbox, everything(50), Jumping(3), attempts=20) == whole
    attempts = attempts_of_pages(sandbox)
    assert max(attempts.values()) <= 20
    assert sandbox.journal.counts.faults["server-error"] > len(attempts) / 2
