"""What happens to claims and invoices: each event changes one document as the product's rules allow.

Every function takes a document as it stands and the second it happens, writes what changed, and returns the status the
document has then. Not here: how often things happen, and to which document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.sandbox.clock.dice import Dice
from pipeline.sandbox.clock.documents import (
    Document,
    Line,
    drop,
    drop_line,
    is_counted,
    put_line,
    raise_price,
    write_totals,
)
from pipeline.sandbox.clock.filters import instant
from pipeline.sandbox.clock.world import Buried, World

Happens = Callable[[World, Dice, Document, int], bool]
"""Change a document at a second; False when it does not lend itself to that."""


@dataclass(frozen=True, slots=True)
class Action:
    """An event of documents.

    Args:
        happens: what it does.
        statuses: of which documents it can happen to.
        per_day: how many documents in a million it happens to on a business day.
        every: it happens at least once in so many business days.
    """

    happens: Happens
    statuses: tuple[str, ...]
    per_day: int
    every: int


def _write_header(world: World, document: Document, at_s: int) -> None:
    document.header["updatedDate"] = instant(at_s)
    world.ledger.put(document.kind.name, document.home, document.header, at_s)


def submit(world: World, dice: Dice, document: Document, at_s: int) -> bool:
    """Ask one or two people for approval."""
    people = [
        person for person in world.approvers(document.company) if person["id"] != document.header.get("claimantId")
    ]
    if not people:
        return False
    first = dice.below(len(people))
    asked = [people[first], people[(first + 1) % len(people)]][: min(len(people), 1 + (dice.below(10) < 3))]
    document.header["status"] = "PendingApproval"
    document.header["approvers"] = [{**person, "approvedDate": None} for person in asked]
    _write_header(world, document, at_s)
    return True


def approve(world: World, _dice: Dice, document: Document, at_s: int) -> bool:
    """Give the next approval; the last one approves the document."""
    waiting = [person for person in document.header["approvers"] if person["approvedDate"] is None]
    waiting[0]["approvedDate"] = instant(at_s)
    if len(waiting) == 1:
        document.header["status"] = "Approved"
        document.header["approvedDate"] = instant(at_s)
    _write_header(world, document, at_s)
    return True


def reject(world: World, _dice: Dice, document: Document, at_s: int) -> bool:
    """Refuse it: approvals already given are void."""
    document.header["status"] = "Rejected"
    for person in document.header["approvers"]:
        person["approvedDate"] = None
    _write_header(world, document, at_s)
    return True


def revise(world: World, dice: Dice, document: Document, at_s: int) -> bool:
    """Take a rejected document back and correct a line."""
    document.header["status"] = "NotSubmitted"
    document.header["approvers"] = []
    if document.lines:
        return edit_line(world, dice, document, at_s)
    _write_header(world, document, at_s)
    return True


def finalise(world: World, _dice: Dice, document: Document, at_s: int) -> bool:
    """Close an approved document."""
    document.header["status"] = "Finalised"
    document.header["finalisedDate"] = instant(at_s)
    _write_header(world, document, at_s)
    return True


def unfinalise(world: World, _dice: Dice, document: Document, at_s: int) -> bool:
    """Open a finalised document again: the date of its finalisation disappears."""
    document.header["status"] = "Approved"
    document.header["finalisedDate"] = None
    _write_header(world, document, at_s)
    return True


def edit_line(world: World, dice: Dice, document: Document, at_s: int) -> bool:
    """Change the amount of a line; its document's totals and last update follow."""
    if not document.lines:
        return False
    line = dice.pick(document.lines)
    raise_price(line, 1 + dice.below(20))
    _write_line(world, document, line, at_s)
    write_totals(document)
    _write_header(world, document, at_s)
    return True


def edit_line_silently(world: World, dice: Dice, document: Document, at_s: int) -> bool:
    """Change the words of a line; its document's last update stays as it was."""
    if not document.lines:
        return False
    line = dice.pick(document.lines)
    line.record["description"] = f"{line.record['name']}, described again on {instant(at_s)[:10]}"
    _write_line(world, document, line, at_s)
    return True


def _write_line(world: World, document: Document, line: Line, at_s: int) -> None:
    for record in (line.record, *line.parts):
        record["updatedDate"] = instant(at_s)
    put_line(world.ledger, document, line, at_s)


def delete_line(world: World, dice: Dice, document: Document, at_s: int) -> bool:
    """Delete one of several lines; a line that enters no total goes without a trace in its document."""
    if len(document.lines) < 2:
        return False
    line = document.lines.pop(dice.below(len(document.lines)))
    drop_line(world.ledger, document, line, at_s)
    if is_counted(line.record):
        write_totals(document)
        _write_header(world, document, at_s)
    return True


def delete(world: World, _dice: Dice, document: Document, at_s: int) -> bool:
    """Delete a document with all its lines; it is remembered, as it may come back."""
    ledger, kind = world.ledger, document.kind
    header = ledger.get(kind.name, document.home, document.key)
    assert header is not None
    lines = ledger.standing(kind.line, document.under)
    parts = [part for line in lines for part in ledger.standing(kind.part, (*document.under, line.key))]
    world.buried.setdefault(kind.name, []).append(Buried((header, *lines, *parts)))
    drop(ledger, document, at_s)
    return True


_ANY: Final = ("NotSubmitted", "PendingApproval", "Approved", "Finalised", "Rejected")
_OPEN: Final = ("NotSubmitted", "PendingApproval", "Rejected")
_SETTLED: Final = ("Approved", "Finalised")
ACTIONS: Final[Mapping[str, Action]] = {
    "submitted": Action(submit, ("NotSubmitted",), 1350, 1),
    "approved": Action(approve, ("PendingApproval",), 1500, 1),
    "rejected": Action(reject, ("PendingApproval",), 60, 4),
    "revised": Action(revise, ("Rejected",), 60, 4),
    "finalised": Action(finalise, ("Approved",), 1300, 1),
    "unfinalised": Action(unfinalise, ("Finalised",), 40, 4),
    "edited after approval": Action(edit_line, _SETTLED, 80, 3),
    "line edited": Action(edit_line, _OPEN, 300, 2),
    "line edited silently": Action(edit_line_silently, _ANY, 200, 2),
    "line deleted": Action(delete_line, _ANY, 40, 4),
    "deleted": Action(delete, _ANY, 40, 5),
}
