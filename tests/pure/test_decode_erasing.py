"""What becomes of rows and records that tell of people who are to be forgotten."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from pipeline.decode import (
    NOTHING,
    Erased,
    decode_pages,
    erase,
    erase_quarantined,
    named,
    named_quarantined,
    owned,
    owned_quarantined,
)
from pipeline.errors import ConfigError
from pipeline.fills import table_fills
from pipeline.model import Page, Quarantined, Walk
from pipeline.resources import read_catalogue
from pipeline.resources.reading import parse_catalogue
from pipeline.totals import table_totals

CATALOGUE = read_catalogue()
CLAIM, EXPENSE, INVOICE = (CATALOGUE[name] for name in ("claim", "expense", "invoice"))
AT = datetime(2026, 11, 23, tzinfo=UTC)
KEY = bytes(range(32))
GONE = Erased(KEY).name_of("7")
ERASED = Erased(KEY, frozenset({GONE}))
AMOUNT = {"grossAmount": 11, "netAmount": 10, "taxAmount": 1, "currencyCode": "AUD"}


def table_of(resource, *records: dict[str, Any]) -> pa.Table:
    context = tuple((name, "1") for name in resource.context_names)
    raw = tuple(json.dumps(one).encode() for one in records)
    return decode_pages([Page(Walk(resource.name, context), 0, raw, AT)], resource, run_id="r").table


def claim(key: str, person: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": key,
        "claimantId": person,
        "claimantName": f"Person {person}",
        "employeeNumber": f"E{person}",
        "summary": "with Person 7",
        "transactionTotals": [AMOUNT],
        **fields,
    }


def test_listed_people_are_found_wherever_ids_stand():
    """In a record and in its lists, by id or made-up name; in records that did not fit; never a name in a text."""
    both = Erased(KEY, frozenset({GONE, Erased(KEY).name_of("9")}))
    rows = table_of(CLAIM, claim("a", "8", approvers=[{"id": "7"}, {"id": GONE}], summary="9"))
    assert named(rows, CLAIM, both) == {GONE}
    misfit = Quarantined("claim", (), 0, 0, "", "", b'{"id":"a","approvers":[{"id":9}],"summary":"7"}', AT)
    assert named_quarantined(misfit, CATALOGUE, both) == {Erased(KEY).name_of("9")}


def test_what_is_theirs_gets_a_made_up_name_and_the_rest_stays():
    """Id, name, number and texts of the person's claims; another's claim, amounts, keys and fingerprints stay."""
    before = table_of(CLAIM, claim("a", "7", customFields=[{"name": "Car", "value": "X1"}]), claim("b", "8"))
    after, count = erase(before, CLAIM, ERASED, {})
    theirs, others = after.to_pylist()
    assert count == 1
    assert {name for name, value in theirs.items() if value == GONE} == {
        "claimantId",
        "claimantName",
        "employeeNumber",
        "summary",
    }
    assert theirs["customFields"] == [{"type": None, "name": "Car", "value": GONE, "_extra": None}]
    assert theirs["claimantExternalCode"] is None
    assert others == before.to_pylist()[1]
    kept = [name for name in before.column_names if name not in ("customFields", *(c.name for c in CLAIM.columns))]
    assert after.select(kept).equals(before.select(kept))
    assert after.schema.equals(before.schema)
    assert (table_totals(after, CLAIM), table_fills(after, CLAIM)) == (
        table_totals(before, CLAIM),
        table_fills(before, CLAIM),
    )


def test_a_name_in_somebody_elses_record_goes_alone():
    """An approver is erased from the list; the claim stays its claimant's, but for unknown fields."""
    approvers = [
        {"id": "8", "name": "Person 8"},
        {"id": "7", "name": "Person 7", "approvedDate": "2026-01-01T00:00:00Z"},
    ]
    before = table_of(CLAIM, claim("a", "8", approvers=approvers, approverMail="7@example.org"), claim("b", "8"))
    after, count = erase(before, CLAIM, ERASED, {})
    first, second = after.to_pylist()
    assert [(one["id"], one["name"]) for one in first["approvers"]] == [("8", "Person 8"), (GONE, GONE)]
    assert first["approvers"][1]["approvedDate"] == before.to_pylist()[0]["approvers"][1]["approvedDate"]
    assert (first["claimantName"], first["summary"], first["_extra"]) == ("Person 8", "with Person 7", None)
    assert (count, second) == (1, before.to_pylist()[1])


def test_a_piece_of_a_table_is_erased_like_the_whole():
    """Lists stand at an offset in it, and some are missing or empty."""
    lists = [[], None, [{"id": "7"}], [{"id": "8"}, {"id": "7"}, None], [{"id": "8"}]]
    whole = table_of(CLAIM, *({**claim(str(n), "8"), "approvers": one} for n, one in enumerate(lists)))
    for start in range(len(lists)):
        after, count = erase(whole.slice(start), CLAIM, ERASED, {})
        assert after.to_pylist() == erase(whole, CLAIM, ERASED, {})[0].to_pylist()[start:]
        assert count == len([one for one in lists[start:] if {"id": "7"} in (one or [])])


def test_unknown_fields_of_a_person_go():
    """Nobody knows what is in them."""
    before = table_of(CLAIM, claim("a", "7", mail="7@example.org"), claim("b", "8", mail="8@example.org"))
    assert all(before["_extra"].to_pylist())
    assert erase(before, CLAIM, ERASED, {})[0]["_extra"].to_pylist() == [None, '{"mail":"8@example.org"}']


def test_what_hangs_under_their_record_is_theirs():
    """Lines say nothing of the claimant: the claim they hang under does, whichever run told so."""
    owners = owned(table_of(CLAIM, claim("1", "7"), claim("2", "8")), CLAIM, ERASED)
    assert owners == {("1", "1"): GONE}
    recipients = [{"type": "client", "name": "A guest"}, None]
    before = table_of(
        EXPENSE, {"id": "x", "claimId": "1", "description": "lunch", "recipients": recipients, "grossAmount": 5}
    )
    after, count = erase(before, EXPENSE, ERASED, owners)
    (row,) = after.to_pylist()
    assert (row["description"], row["recipients"][0]["name"], row["recipients"][1], count) == (GONE, GONE, None, 1)
    assert after["grossAmount"].equals(before["grossAmount"])
    assert erase(before, EXPENSE, ERASED, {("1", "2"): GONE})[0] is before


def test_erasing_twice_changes_nothing_more():
    """The made-up name is recognised as the person it stands for, and the very table comes back."""
    before = table_of(CLAIM, claim("a", "7", approvers=[{"id": "7", "name": "Person 7"}], mail="x"))
    once, count = erase(before, CLAIM, ERASED, {})
    twice, again = erase(once, CLAIM, ERASED, {})
    assert twice is once
    assert (count, again) == (1, 1)
    assert owned(once, CLAIM, ERASED) == {("1", "a"): GONE}


@pytest.mark.parametrize("resource", list(CATALOGUE), ids=lambda one: one.name)
def test_without_a_listed_person_nothing_is_touched(resource):
    """The very table comes back, also of resources that tell of nobody, and of one without rows."""
    for table in (table_of(resource), table_of(resource, {"id": "1", "companyId": "1", "code": "c"})):
        assert erase(table, resource, ERASED, {}) == (table, 0)


def test_rows_of_an_earlier_catalogue_are_erased_as_far_as_they_go():
    """A part that lacks a personal column has the person in the others and in `_extra`."""
    before = table_of(CLAIM, claim("a", "7", mail="x")).drop_columns(["employeeNumber", "customFields"])
    after, count = erase(before, CLAIM, ERASED, {})
    assert (after["claimantName"].to_pylist(), after["_extra"].to_pylist(), count) == ([GONE], [None], 1)


def test_columns_of_another_catalogue_are_emptied():
    """Ids that were numbers are recognised; what today's catalogue has no column for may be anything."""
    table = table_of(CLAIM, claim("a", "7"), claim("b", "8"))
    number = pa.array([7, 8], pa.int64())
    mail = pa.array([{"work": "7@x"}, {"work": "8@x"}])
    approvers = pa.array(["Person 7", None])
    for name, values in (("claimantId", number), ("approvers", approvers)):
        table = table.set_column(table.schema.get_field_index(name), name, values)
    after, count = erase(table.append_column("mails", mail), CLAIM, ERASED, {})
    assert [after[name].to_pylist() for name in ("claimantId", "claimantName", "mails", "approvers")] == [
        [None, 8],
        [GONE, "Person 8"],
        [None, {"work": "8@x"}],
        [None, None],
    ]
    assert (count, after["_fingerprint"]) == (1, table["_fingerprint"])


def misfit(resource: str, raw: bytes, **context: str) -> Quarantined:
    return Quarantined(resource, tuple(context.items()), 0, 0, "field", "reason", raw, AT)


@pytest.mark.parametrize(
    ("raw", "is_kept"),
    [
        (b'{"id":"a","claimantId":"7","approvers":5}', False),
        (b'{"id":"a","claimantId":7,"approvers":5}', False),
        (b'{"id":"a","claimantId":"8","claimantId":"7"}', False),
        (b'{"id":"a","claimantId":"8","approvers":[{"id":"7"}],"status":4}', False),
        (b'{"id":"a","claimantId":"7', False),
        (b'{"id":"a","claimantId":"8","amount":7,"status":4}', True),
        (b'{"id":"a","claimantId":"8', True),
        (b'["7"]', False),
    ],
)
def test_a_record_that_did_not_fit_is_emptied_if_it_names_them(raw, is_kept):
    """Where ids stand, as text or number; of what cannot be read, anywhere. What is left can never fit."""
    one = misfit("claim", raw, companyId="1")
    after = erase_quarantined(one, CATALOGUE, ERASED, {})
    assert after == (one if is_kept else replace(one, raw=NOTHING))


def test_a_line_that_did_not_fit_is_emptied_if_its_claim_is_theirs():
    """Also where the claim itself did not fit, as long as its key can be read."""
    line = misfit("expense", b'{"id":"x","description":5}', companyId="1", claimId="a")
    owners = owned_quarantined(misfit("claim", b'{"id":"a","claimantId":"7","status":4}', companyId="1"), CLAIM, ERASED)
    assert owners == {("1", "a"): GONE}
    assert erase_quarantined(line, CATALOGUE, ERASED, {"claim": owners}).raw == NOTHING
    emptied = replace(line, raw=NOTHING)
    assert erase_quarantined(emptied, CATALOGUE, ERASED, {"claim": owners}) is emptied
    assert erase_quarantined(line, CATALOGUE, ERASED, {}) == line
    unreadable = misfit("claim", b'{"id":"a"', companyId="1")
    assert owned_quarantined(unreadable, CLAIM, ERASED) == {}


def test_a_made_up_name_tells_nothing_without_the_key():
    """Another key, another name; the key is in no representation."""
    assert Erased(bytes(32)).name_of("7") != GONE
    assert repr(KEY) not in repr(ERASED)


_TOML = """
format = 1
[resource.note]
path = "/{{version}}/note"
key = "id"
order = "inferred"
evidence = "inferred"
about = "A note"
[resource.note.column]
id = {{ type = "text", evidence = "inferred", about = "key" }}
{column}
"""


@pytest.mark.parametrize(
    "column",
    [
        'who = { type = "text", personal = "name", evidence = "inferred", about = "who" }',
        'who = { type = "integer", personal = "id", evidence = "inferred", about = "who" }',
        """a = { type = "text", personal = "id", evidence = "inferred", about = "a" }
b = { type = "text", personal = "id", evidence = "inferred", about = "b" }""",
    ],
    ids=["another-word", "no-text", "two-ids"],
)
def test_the_catalogue_says_whose_a_value_is_or_is_refused(column):
    """Only ids and values, only texts, one id an object."""
    with pytest.raises(ConfigError, match="personal"):
        parse_catalogue(_TOML.format(column=column), "test")
