"""What one extraction reads, and the proof that it did. Values only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pipeline.model import Context, Page, Params
from pipeline.paginate import LIMITS
from pipeline.readings import Reading
from pipeline.resources import Catalogue, Resource
from pipeline.stretches import Spread

Deliver = Callable[[Resource, Sequence[Page]], Awaitable[None]]
"""Takes pages of one resource, in order of arrival, and returns when it has room for more."""

Unchanged = Callable[[Resource, Context, Sequence[str], Sequence[int]], Sequence[bool]]
"""Which of some records, given by keys and fingerprints, are as they were when they were last read."""


def all_changed(_resource: Resource, _context: Context, keys: Sequence[str], _marks: Sequence[int]) -> Sequence[bool]:
    """What is known before the first run: nothing."""
    return [False] * len(keys)


def nothing_known(_resource: Resource, _context: Context) -> Spread:
    """How a list's records lie in time, before the first run."""
    return ()


def nothing_expected(_resource: Resource, _context: Context) -> float | None:
    """How many records a list has, before the first run."""
    return None


class Entered(Protocol):
    """Where further walkers entered lists, kept with the pages: a run that goes on from them asks the same again."""

    def entries(self, path: str, params: Params) -> Sequence[datetime]:
        """The moments at which an earlier run had entered a list."""
        ...

    def enter(self, path: str, params: Params, moment: datetime) -> None:
        """A list is entered here, too."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What one extraction reads.

    `companies` are keys, or None for all the token sees; `switches` are the settings that resources' switches may ask
    for; `page_limit` is None to find the greatest accepted one, from `first_limit` down. A resource that is not in
    `readings` is read in full; `are_unchanged` tells of the records of an incremental list, so that what hangs under
    them is not read again. Long lists are shared by several walkers if `shared_until` says when the newest change may
    have been; those named in `alone` are not. `spread` tells how the records of a list lie in time, `expected` about
    how many it will give, None if nobody knows.
    """

    catalogue: Catalogue
    version: str
    companies: tuple[str, ...] | None = None
    switches: frozenset[str] = frozenset()
    page_limit: int | None = None
    first_limit: int = LIMITS[0]
    concurrency: int = 16
    readings: Mapping[str, Reading] = field(default_factory=dict)
    are_unchanged: Unchanged = all_changed
    shared_until: datetime | None = None
    alone: frozenset[str] = frozenset()
    spread: Callable[[Resource, Context], Spread] = nothing_known
    expected: Callable[[Resource, Context], float | None] = nothing_expected

    def reading(self, name: str) -> Reading:
        """How a resource is read."""
        return self.readings.get(name, Reading("full"))


@dataclass(frozen=True, slots=True)
class WalksDone:
    """How a resource's walks went: each came to its proven end, or there is no such value.

    A walk ends at the source's end marker. One that several walkers share is one: `entry_count` tells how often one was
    entered on its way, `met_count` how many of all walkers ended at what their neighbour had begun with, and
    `given_up_count` how many stopped because another reads what they would have read. `restart_count` tells how often
    one began anew; `recheck_count` walks under parents that had not changed are among `walk_count`.
    """

    resource: str
    walk_count: int
    page_count: int
    record_count: int
    restart_count: int = 0
    recheck_count: int = 0
    entry_count: int = 0
    met_count: int = 0
    given_up_count: int = 0


@dataclass(frozen=True, slots=True)
class Extracted:
    """The proof of a complete extraction: one entry a resource, in catalogue order.

    `page_limit` is the greatest page that was accepted; `page_length` the most records on any page that another one
    followed, 0 if none did: less than the limit where the source gives less than it accepts.
    """

    walks: tuple[WalksDone, ...]
    page_limit: int
    page_length: int = 0
