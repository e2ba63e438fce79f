"""What must hold of the books on every day. Each sentence that comes back is something that does not. For tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Final

from pipeline.resources import read_catalogue
from pipeline.sandbox.clock.documents import COMPANIES, KINDS, Document, Kind, is_counted, load, prefetch, total
from pipeline.sandbox.clock.filters import Record, seconds
from pipeline.sandbox.clock.moving import Clock
from pipeline.sandbox.clock.overlay import Version

_REFERENCES: Final = {
    "entityId": "entity",
    "divisionId": "division",
    "projectId": "project",
    "portfolioId": "portfolio",
    "taxCodeId": "tax_code",
}
_DIMENSIONS: Final = ("entity", "division", "tax_code", "portfolio", "project", "supplier")
_STATUSES: Final = ("None", "NotSubmitted", "PendingApproval", "Approved", "Finalised", "Rejected")
_ASKED: Final = ("PendingApproval", "Approved", "Finalised", "Rejected")
Keys = dict[tuple[str, str], dict[str, Record]]
"""The rows of each dimension by key, by dimension and company."""


def violations(clock: Clock, *, since_day: int = 0) -> list[str]:
    """Everything that is wrong with the books now; none in sound books.

    Args:
        clock: the books and their history.
        since_day: look at the documents that something happened to on that day or later; 0 looks at all of them.
    """
    ledger = clock.ledger
    rows: Keys = {
        (name, company): {version.key: version.record for version in ledger.standing(name, (company,))}
        for name in _DIMENSIONS
        for company in COMPANIES
    }
    found = list(_of_dimensions(rows))
    for kind in KINDS:
        for company, key in _documents(clock, kind, since_day):
            document = load(ledger, kind, company, key)
            found += [f"{kind.name} {key}: {text}" for text in _of_document(document, rows)]
    ledger.forget_prefetched()
    if not since_day:
        for resource in read_catalogue().names:
            found += _of_lists(clock.as_of(resource, clock.now))
            found += _of_history(clock.history(resource))
    return found


def _documents(clock: Clock, kind: Kind, since_day: int) -> list[tuple[str, str]]:
    """Companies and keys of the documents to look at."""
    ledger = clock.ledger
    if since_day:
        names = {(e.context[0], e.key) for e in clock.events_since(since_day) if e.resource == kind.name}
        found = sorted(name for name in names if ledger.get(kind.name, name[:1], name[1]) is not None)
    else:
        found = [(company, each.key) for company in COMPANIES for each in ledger.standing(kind.name, (company,))]
    prefetch(ledger, kind, found)
    return found


def _of_dimensions(rows: Keys) -> Iterator[str]:
    for (name, company), records in rows.items():
        for key, record in records.items():
            wanted = [("entity", each) for each in record.get("entityIds", ())]
            wanted += [("entity", record["entityId"])] if "entityId" in record else []
            wanted += [("portfolio", each) for each in record.get("portfolio", ())]
            for target, reference in wanted:
                if reference not in rows[target, company]:
                    yield f"{name} {key}: there is no {target} {reference}"
            yield from (f"{name} {key}: {text}" for text in _of_dates(record))


def _of_lists(versions: Iterable[Version]) -> Iterator[str]:
    """Of each list: no key twice."""
    for name, group in groupby(versions, key=lambda version: (version.resource, version.context)):
        keys = [version.key for version in group]
        if len(set(keys)) != len(keys):
            yield f"{name}: a key stands twice in the list"


def _of_dates(record: Record) -> Iterator[str]:
    if "updatedDate" in record and record["createdDate"] > record["updatedDate"]:
        yield "was updated before it was created"


def _of_document(document: Document, rows: Keys) -> Iterator[str]:
    for record in _records(document):
        yield from (f"{record['id']}: {text}" for text in _of_dates(record))
        for money in _money(record):
            if money["grossAmount"] != money["netAmount"] + money["taxAmount"]:
                yield f"{record['id']}: gross is not net plus tax"
    yield from _of_totals(document)
    yield from _of_parts(document)
    yield from _of_life(document.header)
    yield from _of_references(document, rows)


def _records(document: Document) -> Iterator[Record]:
    yield document.header
    for line in document.lines:
        yield line.record
        yield from line.parts


def _money(value: object) -> Iterator[Record]:
    if isinstance(value, dict):
        if "grossAmount" in value:
            yield value
        for inner in value.values():
            yield from _money(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _money(inner)


def _of_totals(document: Document) -> Iterator[str]:
    counted = [line.record for line in document.lines if is_counted(line.record)]
    lists = [("transactionTotals", counted)]
    if "claimCurrencyTotals" in document.header:
        lists.append(("claimCurrencyTotals", [record["claimCurrencyTotal"] for record in counted]))
    for name, amounts in lists:
        if _by_currency(amounts) != {each["currencyCode"]: each for each in document.header[name]}:
            yield f"{name} are not the sums of the lines"


def _by_currency(amounts: list[Record]) -> dict[str, Record]:
    codes = {each["currencyCode"] for each in amounts}
    return {code: total([each for each in amounts if each["currencyCode"] == code], code) for code in codes}


def _of_parts(document: Document) -> Iterator[str]:
    for line in document.lines:
        record, parts = line.record, line.parts
        if record["isSplit"] != bool(parts) or record["splitChildren"] != [part["id"] for part in parts]:
            yield f"{record['id']}: its parts are not those it names"
        if not parts:
            continue
        code = record["currencyCode"]
        if total(parts, code) != total([record], code) or sum(Decimal(each["percentage"]) for each in parts) != 100:
            yield f"{record['id']}: its parts do not add up to it"
        if "claimCurrencyTotal" in record:
            home = record["claimCurrencyTotal"]
            if total((each["claimCurrencyTotal"] for each in parts), home["currencyCode"]) != home:
                yield f"{record['id']}: its parts do not add up to it in the claim's currency"


def _of_life(header: Record) -> Iterator[str]:
    status, approvals = header["status"], [each["approvedDate"] for each in header["approvers"]]
    if status not in _STATUSES:
        yield f"there is no status {status}"
    if (header["finalisedDate"] is not None) != (status == "Finalised"):
        yield f"finalisedDate does not fit {status}"
    is_approved = status in ("Approved", "Finalised")
    if header["approvedDate"] != (max(approvals, default=None) if is_approved and None not in approvals else None):
        yield f"approvedDate does not fit {status}"
    if is_approved and (None in approvals or not approvals):
        yield f"{status} without every approval"
    if bool(approvals) != (status in _ASKED) or (status in ("PendingApproval", "Rejected") and None not in approvals):
        yield f"approvers do not fit {status}"
    given = [each for each in approvals if each is not None]
    instants = [header["createdDate"], *given, header["approvedDate"], header["finalisedDate"], header["updatedDate"]]
    present = [each for each in instants if each is not None]
    if present != sorted(present):
        yield "its instants are out of order"


def _of_references(document: Document, rows: Keys) -> Iterator[str]:
    company = document.company
    supplier = document.header.get("supplier")
    if supplier is not None and supplier["id"] not in rows["supplier", company]:
        yield f"there is no supplier {supplier['id']}"
    for line in document.lines:
        for record in (line.record, *line.parts):
            for name, target in _REFERENCES.items():
                if record.get(name) is not None and record[name] not in rows[target, company]:
                    yield f"{record['id']}: there is no {target} {record[name]}"
            division = rows["division", company].get(record["divisionId"])
            if division is not None and division["entityId"] != record["entityId"]:
                yield f"{record['id']}: its division is of another entity"


# From one status to the next as people see them: what happens between two versions is one event.
_STEPS: Final = {
    ("NotSubmitted", "PendingApproval"),
    ("PendingApproval", "Approved"),
    ("PendingApproval", "Rejected"),
    ("Rejected", "NotSubmitted"),
    ("Approved", "Finalised"),
    ("Finalised", "Approved"),
}


def _of_history(versions: Iterable[Version]) -> Iterator[str]:
    """Of each record: one version at a time, later ones updated later, and statuses that may follow one another."""
    for name, group in groupby(versions, key=lambda version: (version.resource, version.context, version.key)):
        ordered = list(group)
        for old, new in pairwise(ordered):
            if old.visible_to_s is None or new.visible_from_s is None or old.visible_to_s > new.visible_from_s:
                yield f"{name}: two versions at once"
                continue
            before, after = old.record, new.record
            stayed = old.visible_to_s == new.visible_from_s
            if stayed and "updatedDate" in before and seconds(before["updatedDate"]) > seconds(after["updatedDate"]):
                yield f"{name}: went back in time while it was visible"
            step = (before["status"], after["status"]) if "approvers" in before else ("", "")
            if step[0] != step[1] and step not in _STEPS:
                yield f"{name}: from {step[0]} to {step[1]}"
