"""The clock of the books: moves them forward day by day and remembers what was when.

`Clock` is what the sandbox holds and what tests ask; what it serves is an `Overlay`, which never changes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from pipeline.sandbox.clock.births import Numbers
from pipeline.sandbox.clock.days import live
from pipeline.sandbox.clock.ledger import Ledger, Rendering
from pipeline.sandbox.clock.overlay import Overlay, Version
from pipeline.sandbox.clock.world import Event, World
from pipeline.sandbox.data.books import Books
from pipeline.sandbox.data.times import BOOKS_AT

MOST_DAYS: Final = 4000  # instants end with 2037


class Clock:
    """The time of some books; at first it stands at their end and nothing has changed.

    Safe to use from several threads: one moves it, the others wait.

    Args:
        books: as they were made, without variants.
        seed: decides everything that happens.
        renderings: by resource, what turns a record as the books write it into what is served, where that differs.
    """

    def __init__(self, books: Books, seed: int, renderings: Mapping[str, Rendering] | None = None) -> None:
        self.days = 0
        self.overlay = Overlay()
        self._seed = seed
        self._ledger = Ledger(books, renderings or {})
        self._world: World | None = None
        self._lock = threading.Lock()

    @property
    def now(self) -> datetime:
        """The instant the books have reached."""
        return BOOKS_AT + timedelta(days=self._ledger.books.moved_days + self.days)

    @property
    def events(self) -> tuple[Event, ...]:
        """All that has happened, in the order it was written."""
        return tuple(self._world.events) if self._world is not None else ()

    def events_since(self, day: int) -> list[Event]:
        """What has happened on a day and after it."""
        newest = takewhile(lambda event: event.day >= day, reversed(self._world.events if self._world else []))
        return list(newest)[::-1]

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    def advance(self, days: int = 1) -> tuple[Event, ...]:
        """Let some days pass; what happened in them.

        Raises:
            ValueError: no days, or more than the calendar of the books holds.
        """
        with self._lock:
            most = MOST_DAYS - self._ledger.books.moved_days - self.days
            if not 1 <= days <= most:
                raise ValueError(f"the clock can move 1 to {most} days from here, not {days}")
            if self._world is None:
                self._world = World(self._ledger, Numbers.after(self._ledger.books))
                self._world.open_pools()
            before = len(self._world.events)
            for day in range(self.days + 1, self.days + days + 1):
                live(self._world, self._seed, day)
            self.days += days
            self.overlay = self._ledger.freeze()
            return tuple(self._world.events[before:])

    def history(self, resource: str) -> list[Version]:
        """Every version of every record of a resource, by parents' keys, key and time."""
        with self._lock:
            return self._ledger.history(resource)

    def as_of(self, resource: str, at: datetime) -> list[Version]:
        """Exactly the records of a resource that could be seen at an instant, in the order of their lists."""
        at_s = int(at.timestamp())
        seen = [version for version in self.history(resource) if version.is_visible_at(at_s)]
        return sorted(seen, key=lambda version: (version.context, version.sort_key))
