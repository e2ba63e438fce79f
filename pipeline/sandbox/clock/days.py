"""One day of the books: how much happens by weekday and size, and in what order. The same seed gives the same day."""

from __future__ import annotations

from typing import Final

from pipeline.sandbox.clock.arrivals import arrive, edit_late, late_stamp, templates, touch, unbury
from pipeline.sandbox.clock.dice import Dice, business_days_until, is_business_day
from pipeline.sandbox.clock.dimension_events import live_dimensions
from pipeline.sandbox.clock.document_events import ACTIONS
from pipeline.sandbox.clock.documents import COMPANIES, KINDS, Kind, load, prefetch
from pipeline.sandbox.clock.world import Picked, World

_BORN_PER_DAY: Final = 1370  # in a million documents: what two years of books come to
_SMALLEST: Final = 400  # smaller books live as if they held so many documents
_WEEKEND_SHARE: Final = 6
_IMPORTED: Final = 120  # more than a page of 100
_IMPORTED_SHARE: Final = 50
_SETTLED: Final = ("Finalised", "Approved")
_ANY: Final = ("Finalised", "Approved", "PendingApproval", "NotSubmitted", "Rejected")


def live(world: World, seed: int, day: int) -> None:
    """Let one day happen; days are counted from 1."""
    dice = Dice(seed, day, world.ledger.books.moved_days)
    world.busy.clear()
    turn = business_days_until(day)
    is_business = is_business_day(day)
    taken: list[Picked] = []
    for kind in KINDS:
        if is_business:
            taken += _rare(world, dice, kind, day, turn)
        taken += _usual(world, dice, kind, day, turn if is_business else None)
    if is_business:
        live_dimensions(world, dice, day, turn)
    for one in taken:
        version = world.ledger.get(one.kind.name, (one.company,), one.key)
        if version is not None:
            world.pool(one.kind, one.company, version.record["status"]).append(one.key)
    world.ledger.forget_prefetched()


def _count(world: World, dice: Dice, kind: Kind, per_day: int, *, is_business: bool) -> int:
    expected = max(world.size(kind), _SMALLEST) * per_day
    return dice.count(expected if is_business else expected // _WEEKEND_SHARE)


def _usual(world: World, dice: Dice, kind: Kind, day: int, turn: int | None) -> list[Picked]:
    """New documents and the life of others; `turn` is the business day, on one. Returns the documents taken."""
    born_count = _count(world, dice, kind, _BORN_PER_DAY, is_business=turn is not None)
    born_count = max(born_count, int(turn is not None and turn % 2 == KINDS.index(kind)))
    like = templates(world, dice, kind, born_count)
    plan: list[tuple[str, Picked]] = []
    for place, (name, action) in enumerate(ACTIONS.items()):
        count = _count(world, dice, kind, action.per_day, is_business=turn is not None)
        if turn is not None and (turn + place + KINDS.index(kind)) % action.every == 0:
            count = max(count, 1)
        picks = (world.take(dice, kind, action.statuses) for _ in range(count))
        plan += [(name, picked) for picked in picks if picked is not None]
    keys = [(picked.company, picked.key) for _, picked in plan]
    prefetch(world.ledger, kind, keys, rows=[row for _, row in like])
    taken = [picked for _, picked in plan]
    for template in like:
        at_s = dice.moment()
        document = arrive(world, dice, kind, template, stamp_s=at_s, at_s=at_s)
        world.note(day, at_s, "born", document)
        taken.append(Picked(kind, document.company, document.key))
    for name, picked in plan:
        at_s = dice.moment()
        document = load(world.ledger, kind, picked.company, picked.key)
        if ACTIONS[name].happens(world, dice, document, at_s):
            world.note(day, at_s, name, document)
    return taken


def _rare(world: World, dice: Dice, kind: Kind, day: int, turn: int) -> list[Picked]:
    """Late commits, returns and mass imports, each in its turn, before all else: they look at what is visible.

    Returns the documents taken: nothing more happens to them that day.
    """
    place = KINDS.index(kind)
    taken = _arrive_late(world, dice, kind, day) if (turn + place) % 3 == 0 else []
    if (turn + place) % 5 == 0:
        taken += _edit_late(world, dice, kind, day)
    if (turn + place) % 9 in (2, 6):
        at_s, as_new = dice.moment(), (turn + place) % 9 == 2
        version = unbury(world, dice, kind.name, at_s, as_new=as_new)
        if version is not None:
            world.note(day, at_s, f"back, {'new' if as_new else 'old'} update", version)
            taken.append(Picked(kind, version.context[0], version.key))
    if (turn + place * 5) % 10 == 3:
        taken += _import(world, dice, kind, day)
    return taken


def _arrive_late(world: World, dice: Dice, kind: Kind, day: int) -> list[Picked]:
    at_s = dice.moment()
    taken = []
    for template in templates(world, dice, kind, 1):
        stamp_s = late_stamp(world, dice, kind.name, template[0])
        document = arrive(world, dice, kind, template, stamp_s=stamp_s, at_s=at_s)
        world.note(day, at_s, "committed late", document)
        taken.append(Picked(kind, document.company, document.key))
    return taken


def _edit_late(world: World, dice: Dice, kind: Kind, day: int) -> list[Picked]:
    picked, at_s = world.take(dice, kind, _ANY), dice.moment()
    if picked is None:
        return []
    document = load(world.ledger, kind, picked.company, picked.key)
    stamp_s = late_stamp(world, dice, kind.name, picked.company)
    if edit_late(world, document, stamp_s=stamp_s, at_s=at_s):
        world.note(day, at_s, "edited late", document)
    return [picked]


def _import(world: World, dice: Dice, kind: Kind, day: int) -> list[Picked]:
    """A mass import: one time for more documents of one company than a page holds."""
    at_s = dice.moment()
    taken = []
    for _ in range(max(_IMPORTED, world.size(kind) // _IMPORTED_SHARE)):
        picked = world.take(dice, kind, _SETTLED, company=COMPANIES[0])
        if picked is None:
            break
        taken.append(picked)
    prefetch(world.ledger, kind, [(one.company, one.key) for one in taken], headers_only=True)
    for picked in taken:
        world.note(day, at_s, "imported", touch(world, picked, at_s))
    return taken
