"""New documents: like an existing one, with ids, dates and a life of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.sandbox.clock.documents import KINDS, Document, Kind, Line
from pipeline.sandbox.clock.filters import Record, instant, seconds
from pipeline.sandbox.data.books import Books
from pipeline.sandbox.data.times import DAY_S

_SHIFTED = ("fromDate", "toDate", "invoiceDate", "dueDate", "transactionDate")


@dataclass(slots=True)
class Numbers:
    """The next free id of each resource."""

    last: dict[str, int] = field(default_factory=dict)

    @classmethod
    def after(cls, books: Books) -> Numbers:
        """Ids that follow those of some books."""
        names = [name for kind in KINDS for name in (kind.name, kind.line)]
        found = {name: books.tables[name].ids for name in (*names, "supplier", "project")}
        floors = {"claim": 1_000_000, "expense": 5_000_000, "invoice": 20_000_000, "invoice_line": 40_000_000}
        return cls({name: int(ids.max(initial=floors.get(name, 0))) for name, ids in found.items()})

    def take(self, resource: str) -> str:
        """An id that nothing had before."""
        self.last[resource] += 1
        return str(self.last[resource])


@dataclass(frozen=True, slots=True)
class Coding:
    """A supplier and a project that came with the clock, for new documents to use; None without one."""

    supplier: Record | None
    project: Record | None


def born(template: Document, numbers: Numbers, coding: Coding, at_s: int) -> Document:
    """A document just entered, with lines like those of the template."""
    kind, now = template.kind, instant(at_s)
    shift_s = (at_s - seconds(template.header["createdDate"])) // DAY_S * DAY_S
    header = {
        **_moved(template.header, shift_s),
        "id": numbers.take(kind.name),
        "status": "NotSubmitted",
        "approvers": [],
        "approvedDate": None,
        "finalisedDate": None,
        "createdDate": now,
        "updatedDate": now,
    }
    if "supplier" in header:
        header["reference"] = f"INV-{header['id']}"
        if coding.supplier is not None and _trades_in(template, coding.supplier["currency"]):
            supplier = coding.supplier
            chosen = {"id": supplier["id"], "name": supplier["displayName"], "code": supplier["supplierCode"]}
            header["supplier"] = chosen
    lines = [_line(kind, line, numbers, coding, shift_s, now) for line in template.lines]
    return Document(kind, template.company, header, lines)


def _trades_in(document: Document, currency: str) -> bool:
    return {line.record["currencyCode"] for line in document.lines} == {currency}


def _moved(record: Record, shift_s: int) -> Record:
    """The record with its calendar dates moved by whole days."""
    return {
        name: instant(seconds(value) + shift_s) if name in _SHIFTED and value else value
        for name, value in record.items()
    }


def _line(kind: Kind, line: Line, numbers: Numbers, coding: Coding, shift_s: int, now: str) -> Line:
    identity = numbers.take(kind.line)
    record = {**_moved(line.record, shift_s), "id": identity, "createdDate": now, "updatedDate": now}
    if coding.project is not None and record["projectId"] is not None:
        record["projectId"] = coding.project["id"]
        record["portfolioId"] = next(iter(coding.project["portfolio"]), None)
    parts = [
        {**part, "id": f"{identity}:{place}", "splitParent": identity, "createdDate": now, "updatedDate": now}
        for place, part in enumerate(line.parts, 1)
    ]
    record["splitChildren"] = [part["id"] for part in parts]
    return Line(record, parts)
