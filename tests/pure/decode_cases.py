"""A small catalogue with a column of every kind, and short ways to decode records of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import settings

from pipeline.decode import Decoded, decode_pages
from pipeline.model import Page, Walk
from pipeline.resources import parse_catalogue

# No limit of time for an example: the first one loads packages.
SOME = settings(deadline=None, max_examples=40)
FETCHED_AT = datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=UTC)

CATALOGUE = parse_catalogue(
    """
format = 1
[shape.total]
grossAmount = { type = "money", evidence = "documented", about = "amount" }
taxAmount = { type = "money", evidence = "documented", about = "tax" }
currencyCode = { type = "text", evidence = "documented", aliases = ["currency"], about = "currency" }

[resource.company]
path = "/{version}/company"
key = "companyId"
envelope = "any"
order = "inferred"
evidence = "documented"
about = "company"
[resource.company.column]
companyId = { type = "text", evidence = "documented", about = "key" }
name = { type = "text", evidence = "documented", about = "name" }

[resource.thing]
path = "/{version}/company/{companyId}/thing"
parent = "company"
key = "id"
order = "inferred"
evidence = "documented"
about = "thing"
[resource.thing.column]
id = { type = "text", evidence = "documented", about = "key" }
code = { type = "text", evidence = "documented", about = "code" }
note = { type = "text", evidence = "documented", aliases = ["remark", "oldRemark"], about = "note" }
status = { type = "text", evidence = "documented", values = ["open", "closed"], about = "status" }
amount = { type = "money", evidence = "documented", currency = "currencyCode", about = "amount" }
fee = { type = "money", evidence = "documented", aliases = ["charge"], currency = "currencyCode", about = "fee" }
currencyCode = { type = "text", evidence = "documented", about = "currency" }
rate = { type = "decimal(18,8)", evidence = "documented", about = "rate" }
share = { type = "decimal(2,2)", evidence = "documented", about = "share" }
pieces = { type = "decimal(5,0)", evidence = "documented", about = "pieces" }
count = { type = "integer", evidence = "documented", about = "count" }
isOpen = { type = "boolean", evidence = "documented", about = "open" }
changedAt = { type = "timestamp", evidence = "documented", about = "time" }
dueOn = { type = "date", evidence = "documented", about = "day" }
totals = { type = "list", aliases = ["sums"], evidence = "documented", shape = "total", table = "thing_total", about = "totals" }
tags = { type = "list", evidence = "documented", table = "thing_tag", item = { name = "tag", type = "text", evidence = "documented", about = "tag" }, about = "tags" }
seenAt = { type = "list", evidence = "documented", table = "thing_seen", item = { name = "seenAt", type = "timestamp", evidence = "documented", about = "time" }, about = "times" }
class = { type = "object", aliases = ["total"], evidence = "documented", shape = "total", about = "an object named as a keyword" }
[resource.thing.column.steps]
type = "list"
table = "thing_step"
evidence = "documented"
about = "steps"
[resource.thing.column.steps.column]
name = { type = "text", evidence = "documented", about = "name" }
kind = { type = "text", evidence = "documented", values = ["a", "b"], about = "kind" }
doneAt = { type = "timestamp", evidence = "documented", about = "time" }

[resource.part]
path = "/{version}/company/{companyId}/thing/{thingId}/part"
parent = "thing"
key = "id"
order = "inferred"
evidence = "documented"
about = "part"
[resource.part.column]
id = { type = "text", evidence = "documented", about = "key" }
""",
    "test catalogue",
)
THING, PART, COMPANY = CATALOGUE["thing"], CATALOGUE["part"], CATALOGUE["company"]
CONTEXT = (("companyId", "1"),)


def record(key: str = "k", /, **raw: str) -> bytes:
    """A thing as JSON text; each keyword is a field with its JSON text."""
    members = {"id": json.dumps(key), **raw}
    return ("{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}").encode()


def page(*records: bytes, ordinal: int = 0, resource=THING, context=CONTEXT) -> Page:
    return Page(Walk(resource.name, context), ordinal, tuple(records), FETCHED_AT)


def decode(*records: bytes, resource=THING, context=CONTEXT) -> Decoded:
    """One page of these records, decoded."""
    return decode_pages([page(*records, resource=resource, context=context)], resource, run_id="run")


def notes_of(decoded: Decoded) -> dict[tuple[str, str], int]:
    return {(note.field, note.kind): note.record_count for note in decoded.notes}


def reasons_of(decoded: Decoded) -> list[tuple[int, str, str]]:
    return [(bad.record, bad.field, bad.reason) for bad in decoded.quarantined]
