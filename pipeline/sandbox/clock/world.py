"""What events act on: the ledger, the documents by status, what was deleted, and a log of what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from pipeline.sandbox.clock.births import Numbers
from pipeline.sandbox.clock.dice import Dice
from pipeline.sandbox.clock.documents import COMPANIES, KINDS, Document, Kind
from pipeline.sandbox.clock.filters import Record, seconds
from pipeline.sandbox.clock.ledger import Ledger
from pipeline.sandbox.clock.overlay import Context, Version
from pipeline.sandbox.data.lifecycle import STATUSES

_ROSTER_FROM: Final = 200


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: on which day, when (UTC seconds), what, and to which record."""

    day: int
    at_s: int
    name: str
    resource: str
    context: Context
    key: str


class Picked(NamedTuple):
    """A document chosen for an event: nothing else happens to it that day."""

    kind: Kind
    company: str
    key: str


@dataclass(frozen=True, slots=True)
class Buried:
    """A deleted document or dimension row as it was: its own version first, then what hung under it."""

    versions: tuple[Version, ...]


@dataclass(slots=True)
class World:
    """Everything that changes from day to day."""

    ledger: Ledger
    numbers: Numbers
    pools: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    roster: dict[str, list[Record]] = field(default_factory=dict)
    buried: dict[str, list[Buried]] = field(default_factory=dict)
    disabled: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    came: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    busy: set[tuple[str, str, str]] = field(default_factory=set)

    def size(self, kind: Kind) -> int:
        """How many documents the books were made with."""
        return self.ledger.books.tables[kind.name].row_count

    def note(self, day: int, at_s: int, name: str, what: Document | Version) -> None:
        """Write one event into the log."""
        if isinstance(what, Document):
            self.events.append(Event(day, at_s, name, what.kind.name, what.home, what.key))
        else:
            self.events.append(Event(day, at_s, name, what.resource, what.context, what.key))

    # ---- documents by status ---------------------------------------------------------------------------------------

    def company(self, dice: Dice, kind: Kind) -> str:
        """A company, the larger one more often."""
        starts = self.ledger.books.tables[kind.name].starts
        return COMPANIES[int(dice.below(max(int(starts[-1]), 1)) >= int(starts[1]))]

    def take(self, dice: Dice, kind: Kind, statuses: tuple[str, ...], *, company: str | None = None) -> Picked | None:
        """A document of one of the statuses, out of its pool until it is given back; None when there is none."""
        first = self.company(dice, kind) if company is None else company
        others = [each for each in COMPANIES if company is None and each != first]
        for owner in (first, *others):
            pools = [self.pool(kind, owner, status) for status in statuses]
            count = sum(len(pool) for pool in pools)
            if not count:
                continue
            place = dice.below(count)
            for pool in pools:
                if place < len(pool):
                    pool[place], pool[-1] = pool[-1], pool[place]
                    return Picked(kind, owner, pool.pop())
                place -= len(pool)
        return None

    def pool(self, kind: Kind, company: str, status: str) -> list[str]:
        """The keys of a company's documents of one status."""
        name = (kind.name, company, status)
        if name not in self.pools:
            table = self.ledger.books.tables[kind.name]
            rows = table.group(COMPANIES.index(company))
            chosen = np.flatnonzero(table.conditions["status"](rows, status)) + rows.start
            self.pools[name] = [str(number) for number in table.ids[chosen].tolist()]
        return self.pools[name]

    def open_pools(self) -> None:
        """Make every pool while the tables are all there is."""
        for kind in KINDS:
            for company in COMPANIES:
                for status in STATUSES:
                    self.pool(kind, company, status)

    # ---- people -----------------------------------------------------------------------------------------------------

    def approvers(self, company: str) -> list[Record]:
        """People who have approved before, in order of first appearance."""
        if company not in self.roster:
            found: dict[str, Record] = {}
            for kind in KINDS:
                rows = self.ledger.books.tables[kind.name].group(COMPANIES.index(company))
                chosen = range(rows.start, min(rows.stop, rows.start + _ROSTER_FROM))
                for version in self.ledger.originals(kind.name, (company,), chosen):
                    for person in version.record["approvers"]:
                        found.setdefault(person["id"], {"id": person["id"], "name": person["name"]})
            self.roster[company] = list(found.values())
        return self.roster[company]

    # ---- dimensions -------------------------------------------------------------------------------------------------

    def rows(self, resource: str, company: str) -> list[Version]:
        """The rows of a dimension that nothing has happened to today."""
        found = self.ledger.standing(resource, (company,))
        return [version for version in found if (resource, company, version.key) not in self.busy]

    def used(self, dice: Dice, resource: str, company: str) -> Record | None:
        """A supplier or project that came with the clock and may be used; every third is never used."""
        keys = [key for key in self.came.get((resource, company), ()) if is_for_use(key)]
        if not keys:
            return None
        version = self.ledger.get(resource, (company,), dice.pick(keys))
        return version.record if version is not None else None


def is_for_use(key: str) -> bool:
    """Whether documents may refer to a row that came with the clock; the others can be deleted without harm."""
    return int(key) % 3 != 0


def updated_s(record: Record) -> int:
    """When a record was last changed."""
    return seconds(record["updatedDate"])
