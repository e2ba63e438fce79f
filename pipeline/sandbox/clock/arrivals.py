"""Documents that appear: new ones, ones committed late behind newer rows, deleted ones that come back, mass imports."""

from __future__ import annotations

from typing import Final

from pipeline.sandbox.clock.births import Coding, born
from pipeline.sandbox.clock.dice import Dice
from pipeline.sandbox.clock.documents import COMPANIES, Document, Kind, Line, put
from pipeline.sandbox.clock.filters import instant
from pipeline.sandbox.clock.overlay import Context, Version
from pipeline.sandbox.clock.world import Buried, Picked, World, updated_s

_LATE_FROM_S: Final = 60
_LATE_SPAN_S: Final = 7200
_TRIES: Final = 20


def templates(world: World, dice: Dice, kind: Kind, count: int) -> list[tuple[str, int]]:
    """Companies and rows of the tables that new documents will be like: documents with lines."""
    table, lines = world.ledger.books.tables[kind.name], world.ledger.books.tables[kind.line]
    found: list[tuple[str, int]] = []
    for _ in range(count * _TRIES):
        if len(found) == count:
            break
        company = world.company(dice, kind)
        rows = table.group(COMPANIES.index(company))
        if rows.stop > rows.start:
            row = rows.start + dice.below(rows.stop - rows.start)
            if lines.starts[row + 1] > lines.starts[row]:
                found.append((company, row))
    return found


def _original(world: World, kind: Kind, company: str, row: int) -> Document:
    """A document as the books were made with it."""
    ledger, tables = world.ledger, world.ledger.books.tables
    [header] = ledger.originals(kind.name, (company,), [row])
    lines = []
    under: Context = (company, header.key)
    rows = tables[kind.line].group(row)
    for place, line in enumerate(ledger.originals(kind.line, under, range(rows.start, rows.stop)), rows.start):
        parts = tables[kind.part].group(place)
        found = ledger.originals(kind.part, (*under, line.key), range(parts.start, parts.stop))
        lines.append(Line(line.record, [part.record for part in found]))
    return Document(kind, company, header.record, lines)


def arrive(world: World, dice: Dice, kind: Kind, template: tuple[str, int], *, stamp_s: int, at_s: int) -> Document:
    """Enter a document that says it was made at one second, visible from another on."""
    company, row = template
    coding = Coding(None, None)
    if dice.below(4) == 0:
        coding = Coding(world.used(dice, "supplier", company), world.used(dice, "project", company))
    document = born(_original(world, kind, company, row), world.numbers, coding, stamp_s)
    put(world.ledger, document, at_s)
    return document


def late_stamp(world: World, dice: Dice, resource: str, company: str) -> int:
    """A second that lies behind the newest row of a list."""
    return world.ledger.newest_s(resource, (company,)) - _LATE_FROM_S - dice.below(_LATE_SPAN_S)


def edit_late(world: World, document: Document, *, stamp_s: int, at_s: int) -> bool:
    """Change a document's notes with a last update that lies behind what is already visible."""
    if updated_s(document.header) > stamp_s:
        return False
    document.header["notes"] = f"Noted on {instant(stamp_s)[:10]}"
    document.header["updatedDate"] = instant(stamp_s)
    world.ledger.put(document.kind.name, document.home, document.header, at_s)
    return True


def touch(world: World, picked: Picked, at_s: int) -> Version:
    """What a mass import does to a document: a custom field and the time it shares with all others of the import."""
    version = world.ledger.get(picked.kind.name, (picked.company,), picked.key)
    assert version is not None
    record = version.record
    record["customFields"] = [{"type": "text", "name": "Import", "value": instant(at_s)[:10]}]
    record["updatedDate"] = instant(at_s)
    return world.ledger.put(version.resource, version.context, record, at_s)


def unbury(world: World, dice: Dice, resource: str, at_s: int, *, as_new: bool) -> Version | None:
    """Bring a deleted row back with all that hung under it, with its old last update or a new one."""
    buried = world.buried.get(resource)
    if not buried:
        return None
    back: Buried = buried.pop(dice.below(len(buried)))
    first = back.versions[0]
    record = first.record
    if as_new and "updatedDate" in record:
        record["updatedDate"] = instant(at_s)
    returned = world.ledger.put(first.resource, first.context, record, at_s)
    for version in back.versions[1:]:
        world.ledger.restore(version, at_s)
    return returned
