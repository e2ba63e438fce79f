"""How a claim or an invoice has fared by the end of the books: submitted, approved, finalised, touched again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.sandbox.data.draw import Draws, Ints
from pipeline.sandbox.data.people import People
from pipeline.sandbox.data.text import Value, lists, put_together, raw_texts, take
from pipeline.sandbox.data.times import BOOKS_S, DAY_S, FIRST_DAY, HOUR_S
from pipeline.sandbox.data.values import instants

STATUSES: Final = ("None", "NotSubmitted", "PendingApproval", "Approved", "Finalised", "Rejected")
NONE, NOT_SUBMITTED, PENDING, APPROVED, FINALISED, REJECTED = range(len(STATUSES))
STATUS_TEXTS: Final = raw_texts(f'"{status}"' for status in STATUSES)
# Mass imports: many documents share the instant of one.
_IMPORTS: Final = np.array([(FIRST_DAY + day) * DAY_S + 14 * HOUR_S for day in (95, 210, 330, 450, 560, 640, 700, 722)])


@dataclass(frozen=True, slots=True)
class Fate:
    """Columns by document; instants are UTC seconds, 0 where a thing has not happened."""

    status: Ints
    first_approved: Ints
    second_approved: Ints
    finalised: Ints
    updated: Ints
    has_second: Ints

    @property
    def approved(self) -> Ints:
        """When the last needed approval was given."""
        done = (self.status == APPROVED) | (self.status == FINALISED)
        return np.where(done, np.maximum(self.first_approved, self.second_approved), 0)

    def moved(self, seconds: int) -> Fate:
        """The same fate, so much later."""

        def later(instants: Ints) -> Ints:
            return np.where(instants > 0, instants + seconds, 0)

        return Fate(
            status=self.status,
            first_approved=later(self.first_approved),
            second_approved=later(self.second_approved),
            finalised=later(self.finalised),
            updated=later(self.updated),
            has_second=self.has_second,
        )


def decide(draws: Draws, rows: Ints, created: Ints) -> Fate:
    """What has become of documents created at these instants; follows from their numbers and the books' end."""
    submitted = created + HOUR_S + draws.skewed("submit", rows, 20 * DAY_S)
    first = submitted + HOUR_S + draws.skewed("approve", rows, 14 * DAY_S)
    second = first + HOUR_S // 2 + draws.skewed("second", rows, 7 * DAY_S)
    has_second = draws.chance("two approvers", rows, 300)
    approved = np.where(has_second, second, first)
    finalised = approved + HOUR_S + draws.skewed("finalise", rows, 16 * DAY_S)
    outcome = draws.below("outcome", rows, 1000)
    status = np.full(len(rows), FINALISED, dtype=np.int64)
    status[(finalised > BOOKS_S) | ((outcome >= 900) & (outcome < 930))] = APPROVED
    status[(approved > BOOKS_S) | ((outcome >= 930) & (outcome < 945))] = PENDING
    status[(first <= BOOKS_S) & (outcome >= 945) & (outcome < 980)] = REJECTED
    status[(submitted > BOOKS_S) | ((outcome >= 980) & (outcome < 995))] = NOT_SUBMITTED
    status[outcome >= 995] = NONE
    one_given = has_second & (first <= BOOKS_S) & (status == PENDING)
    first_approved = np.where((status == APPROVED) | (status == FINALISED) | one_given, first, 0)
    second_approved = np.where(has_second & ((status == APPROVED) | (status == FINALISED)), second, 0)
    pending_since = np.where(one_given, first, submitted)
    last = np.select(
        [status == FINALISED, status == APPROVED, status == PENDING, status == REJECTED],
        [finalised, approved, np.minimum(pending_since, BOOKS_S), first],
        default=created + (np.minimum(submitted, BOOKS_S) - created) // 2,
    )
    return Fate(
        status=status,
        first_approved=first_approved,
        second_approved=second_approved,
        finalised=np.where(status == FINALISED, finalised, 0),
        updated=_touched_again(draws, rows, last),
        has_second=has_second.astype(np.int64),
    )


def _touched_again(draws: Draws, rows: Ints, last: Ints) -> Ints:
    """Later edits of one in sixteen, and a mass import that one in twelve was in."""
    edited = last + draws.skewed("edit", rows, 60 * DAY_S)
    updated = np.where(draws.chance("edited", rows, 60) & (edited <= BOOKS_S), edited, last)
    next_import = np.searchsorted(_IMPORTS, updated, side="right")
    imported = draws.chance("imported", rows, 80) & (next_import < len(_IMPORTS))
    return np.where(imported, _IMPORTS[np.minimum(next_import, len(_IMPORTS) - 1)], updated)


def approvers(fate: Fate, people: People, *, first: Ints, second: Ints) -> Value:
    """The list of approvers in order: none before submission, with null for an approval still to be given."""
    asked = (fate.status != NONE) & (fate.status != NOT_SUBMITTED)
    counts = np.where(asked, 1 + fate.has_second, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    is_second = np.arange(len(owner)) != np.repeat(np.cumsum(counts) - counts, counts)
    person = np.where(is_second, second[owner], first[owner])
    at = np.where(is_second, fate.second_approved[owner], fate.first_approved[owner])
    if not len(owner):
        return ("[]",)
    items = put_together((take(people.approver_openings, person), *instants(at, present=at > 0), "}"))
    return lists(counts, items)
