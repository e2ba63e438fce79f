"""A fifth of all requests fails, by a seeded schedule: everything is read all the same, and no page is asked too often."""

from __future__ import annotations

from collections import Counter

import pytest
from session_world import Jumping, asked

from pipeline.extract import Scope, extract
from pipeline.resources import read_catalogue
from pipeline.sandbox.faults import plan


def everything(page_limit: int):
    """An action that reads all lists, and comes to a count of every record's text."""

    async def act(session) -> Counter[tuple[str, bytes]]:
        found: Counter[tuple[str, bytes]] = Counter()

        async def deliver(resource, pages) -> None:
            found.update((resource.name, bytes(record)) for page in pages for record in page.records)

        await extract(Scope(read_catalogue(), "beta", page_limit=page_limit), session.send, deliver, lambda _: None)
        return found

    return act


@pytest.mark.parametrize("seed", range(6))
def test_a_fifth_of_failures_loses_nothing(sandbox, seed):
    """Complete and equal to the books; at most ten attempts a page by the server's own journal, the share expected."""
    whole = asked(sandbox, everything(7))
    pages = sandbox.journal.counts.requests
    sandbox.journal.clear()
    sandbox.faults(plan("mix:seconds=0.01", seed=seed))
    told: list[str] = []
    assert asked(sandbox, everything(7), Jumping(seed), count=told.append) == whole
    counts = sandbox.journal.counts
    asks = Counter((entry.path, entry.query) for entry in sandbox.journal.entries)
    assert len(asks) == pages
    assert max(asks.values()) <= 10
    assert counts.faults["mix"] > pages / 10
    assert counts.requests == len(told)
    assert counts.requests <= pages / (1 - 0.2) * 1.15


def test_half_of_failures_loses_nothing(sandbox):
    """A source that fails every other time: complete all the same, within the attempts that a request has."""
    whole = asked(sandbox, everything(50))
    sandbox.journal.clear()
    sandbox.faults(plan("server-error:status=drawn,share=0.5", seed=3))
    assert asked(sandbox, everything(50), Jumping(3), attempts=20) == whole
    asks = Counter((entry.path, entry.query) for entry in sandbox.journal.entries)
    assert max(asks.values()) <= 20
    assert sandbox.journal.counts.faults["server-error"] > len(asks) / 2
