"""Faults of schema and type drift, and of times that are none: what does not fit is set aside, and too much of it refused."""

from __future__ import annotations

import json

from fault_rows.body_cases import REFUSED, added, body, claim
from fault_rows.case import Case, Scene


def updated(text: bytes):
    """A claim whose time of change is written so."""
    return added("claim", claim(b"1").replace(b'"2026-06-30T00:00:00Z"', text))


def division(**changed: object):
    """A division with fields of another type."""
    record = {"id": "bad", "entityId": "1", "name": "x", "glCode": "1", "status": "active", **changed}
    return added("division", json.dumps(record).encode())


def ids_given_out_anew(scene: Scene) -> None:
    """Every division is there, under a key that another never had."""
    for company in ("1", "2"):
        books = scene.sandbox.records("division", (company,), includeInactive="true")
        records = [{**record, "id": f"9{record['id']}"} for _, record in books]
        sent = body(json.dumps({"page": records, "nextCursor": None}).encode())
        scene.sandbox.answer_with(f"/beta/company/{company}/division", sent)


CASES = (
    # ---- 73: a time of change without a zone
    Case(73, "without a zone", updated(b'"2026-06-30T00:00:00"'), **REFUSED),
    # ---- 78: other types
    Case(78, "an object for a text", division(name={"en": "x"}), **REFUSED),
    Case(78, "a text for an amount", added("claim", claim(b'"eleven"')), **REFUSED),
    # ---- 79: an amount that passed through a binary float
    Case(79, "0.1 + 0.2", added("claim", claim(b"0.30000000000000004")), **REFUSED),
    # ---- 84: keys that mean something else
    Case(84, "ids given out anew", ids_given_out_anew, 41, ("keys_overlap did not pass", "division: 0 of", "--accept-shrink division"),
         "check"),
)  # fmt: skip
