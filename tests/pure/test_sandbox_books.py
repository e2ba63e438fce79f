"""The sandbox's books: everything ties, everything is referenced, and the same seed gives the same bytes."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from pipeline.resources import read_catalogue
from pipeline.sandbox.data import Books, make_books, times
from pipeline.sandbox.data.suppliers import abn, nzbn

CATALOGUE = read_catalogue()
ZERO = Decimal(0)
STATUSES = {"None", "NotSubmitted", "PendingApproval", "Approved", "Finalised", "Rejected"}
# Changes with any change to what the books say; it is what makes "the same bytes on every machine" testable on one.
DIGEST_OF_100_CLAIMS = "f168cebebded5ca4766f7b6e3dfb9337c839932ffd10568cc0ab354d35b12b03"


@cache
def books() -> Books:
    return make_books(seed=11, claim_count=900)


def raw(source: Books, resource: str) -> bytes:
    table = source.tables[resource]
    return bytes(table.block(np.arange(table.row_count, dtype=np.int64)).text)


@cache
def records(resource: str) -> list[dict]:
    return json.loads(b"[" + raw(books(), resource)[:-1] + b"]", parse_float=Decimal)


def by_parent(resource: str) -> list[list[dict]]:
    """Records in lists, one for each parent row."""
    starts = books().tables[resource].starts.tolist()
    return [records(resource)[first:stop] for first, stop in itertools.pairwise(starts)]


def money_in(value: object) -> list[dict]:
    if isinstance(value, list):
        return [found for item in value for found in money_in(item)]
    if isinstance(value, dict):
        inside = [found for item in value.values() for found in money_in(item)]
        return [value, *inside] if "grossAmount" in value else inside
    return []


def added(amounts: list[dict]) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    """Gross, net and tax by currency."""
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    for each in amounts:
        for place, name in enumerate(("grossAmount", "netAmount", "taxAmount")):
            sums[each["currencyCode"]][place] += each[name]
    return {currency: (gross, net, tax) for currency, (gross, net, tax) in sums.items()}


def digest(source: Books) -> str:
    found = hashlib.sha256()
    for name in sorted(source.tables):
        found.update(raw(source, name))
    return found.hexdigest()


@pytest.mark.parametrize("resource", CATALOGUE.names)
def test_every_known_column_is_served_and_nothing_else(resource: str):
    """Records have exactly the catalogue's columns, and companyId where the reference shows it."""
    shown_with_company = {"division", "tax_code", "portfolio", "claim", "invoice"}
    extra = {"companyId"} if resource in shown_with_company else set()
    wanted = {column.name for column in CATALOGUE[resource].columns} | extra
    assert records(resource)
    assert all(set(record) == wanted for record in records(resource))


@pytest.mark.parametrize("resource", [r.name for r in CATALOGUE])
def test_nested_objects_have_the_columns_of_the_catalogue(resource: str):
    """Objects in objects and in lists have exactly the known columns, and each list is filled somewhere."""
    for column in CATALOGUE[resource].columns:
        values = [record[column.name] for record in records(resource)]
        inner = [item for value in values for item in (value if isinstance(value, list) else [value])]
        if column.table:
            assert inner, f"{column.name} is always empty"
        if column.columns:
            wanted = {each.name for each in column.columns}
            assert all(set(item) == wanted for item in inner)


@pytest.mark.parametrize("resource", ["claim", "expense", "expense_split", "invoice", "invoice_line", "invoice_split"])
def test_gross_is_net_plus_tax_at_every_level(resource: str):
    """Every money object of every record adds up exactly."""
    amounts = money_in(records(resource))
    assert len(amounts) >= len(records(resource)) * 0.9
    assert [each for each in amounts if each["grossAmount"] != each["netAmount"] + each["taxAmount"]] == []


def test_claim_totals_are_the_sums_of_their_counted_expenses():
    """Both lists: by original currency, and in the claim's, personal and omitted left out."""
    left_out = 0
    for claim, expenses in zip(records("claim"), by_parent("expense"), strict=True):
        counted = [e for e in expenses if not e["isPersonal"] and not e["isOmitted"]]
        left_out += len(expenses) - len(counted)
        assert added(claim["transactionTotals"]) == added(counted)
        assert len(claim["transactionTotals"]) == len({e["currencyCode"] for e in counted})
        assert added(claim["claimCurrencyTotals"]) == added([e["claimCurrencyTotal"] for e in counted])
        assert len(claim["claimCurrencyTotals"]) == (1 if counted else 0)
    assert left_out > 50


def test_invoice_totals_are_the_sums_of_their_counted_lines():
    """Omitted lines add nothing; credit notes are negative."""
    negative = 0
    for invoice, lines in zip(records("invoice"), by_parent("invoice_line"), strict=True):
        counted = [line for line in lines if not line["isOmitted"]]
        assert added(invoice["transactionTotals"]) == added(counted)
        negative += any(line["grossAmount"] < 0 for line in lines)
    assert 0 < negative < len(records("invoice")) / 20


@pytest.mark.parametrize(("lines", "parts"), [("expense", "expense_split"), ("invoice_line", "invoice_split")])
def test_split_lines_add_up_to_their_parent(lines: str, parts: str):
    """In cents, in percent and in the claim's currency; the ids named are the ids served."""
    split = 0
    for line, under in zip(records(lines), by_parent(parts), strict=True):
        assert line["isSplit"] == bool(under)
        assert line["splitChildren"] == [part["id"] for part in under]
        if under:
            split += 1
            assert added(under) == added([line])
            assert sum(Decimal(part["percentage"]) for part in under) == 100
            assert {part["splitParent"] for part in under} == {line["id"]}
            if "claimCurrencyTotal" in line:
                assert added([p["claimCurrencyTotal"] for p in under]) == added([line["claimCurrencyTotal"]])
    assert split > 30


def test_an_invoice_line_is_units_times_price():
    """The net amount is exact: quantity times unit price."""
    assert all(Decimal(r["quantity"]) * Decimal(r["unitPrice"]) == r["netAmount"] for r in records("invoice_line"))


def test_amounts_are_whole_cents_without_trailing_zeros():
    """1143.3 and 300, never 1143.30, 300.0 or an exponent; yen have no cents."""
    for resource in ("claim", "expense", "invoice", "invoice_line"):
        written = re.findall(rb'"(?:gross|net|tax)Amount":([^,}]*)', raw(books(), resource))
        assert written
        assert all(re.fullmatch(rb"-?(0|[1-9]\d*)(\.\d?[1-9])?", each) for each in written)
    yen = [each for each in money_in(records("expense")) if each["currencyCode"] == "JPY"]
    assert yen
    assert all(each[name] == int(each[name]) for each in yen for name in ("grossAmount", "netAmount", "taxAmount"))


@pytest.mark.parametrize("resource", CATALOGUE.names)
def test_keys_are_unique_and_rows_ascend_by_update_then_id(resource: str):
    """Under each parent; the order that cursors rely on."""
    key = CATALOGUE[resource].key
    for rows in by_parent(resource):
        keys = [record[key] for record in rows]
        assert len(set(keys)) == len(keys)
        if "updatedDate" in rows[0] if rows else False:
            order = [(r["updatedDate"], [int(n) for n in r[key].split(":")]) for r in rows]
            assert order == sorted(order)
    if ":" not in records(resource)[0][key]:
        assert len({record[key] for record in records(resource)}) == len(records(resource))


@pytest.mark.parametrize("resource", ["claim", "invoice"])
def test_the_life_cycle_is_legal(resource: str):
    """Instants agree with the status, come in order and end before the books do."""
    seen = set()
    for record in records(resource):
        status, approvals = record["status"], [a["approvedDate"] for a in record["approvers"]]
        seen.add(status)
        assert (record["finalisedDate"] is not None) == (status == "Finalised")
        assert (record["approvedDate"] is not None) == (status in ("Approved", "Finalised"))
        assert bool(approvals) == (status not in ("None", "NotSubmitted"))
        if status in ("Approved", "Finalised"):
            assert record["approvedDate"] == max(approvals)
        if status in ("Rejected", "PendingApproval"):
            assert None in approvals
        instants = [
            record["createdDate"],
            *(a for a in approvals if a),
            record["approvedDate"],
            record["finalisedDate"],
        ]
        present = [each for each in instants if each]
        assert present == sorted(present)
        assert present[-1] <= record["updatedDate"] <= "2026-06-30T12:00:00Z"
    assert seen == STATUSES


@pytest.mark.parametrize("resource", ["expense", "invoice_line"])
def test_lines_change_no_later_than_their_document(resource: str):
    """Created, then updated, then at the latest the document's last update."""
    parents = records(CATALOGUE[resource].parent)
    for parent, lines in zip(parents, by_parent(resource), strict=True):
        for line in lines:
            assert parent["createdDate"] <= line["createdDate"] <= line["updatedDate"] <= parent["updatedDate"]


def test_every_reference_leads_to_a_row_of_the_same_company():
    """Entities, divisions, projects, portfolios, tax codes and suppliers exist where they are named."""
    ids = {
        name: [{r["id"] for r in group} for group in by_parent(name)]
        for name in ("entity", "division", "project", "portfolio", "tax_code", "supplier")
    }
    names = {"entityId": "entity", "divisionId": "division", "projectId": "project", "portfolioId": "portfolio"}
    names["taxCodeId"] = "tax_code"
    division_entity = {r["id"]: r["entityId"] for r in records("division")}
    for document, resource in (("claim", "expense"), ("invoice", "invoice_line")):
        company_of = [int(r["companyId"]) - 1 for r in records(document)]
        for company, lines in zip(company_of, by_parent(resource), strict=True):
            for line in lines:
                for field, target in names.items():
                    assert line[field] is None or line[field] in ids[target][company]
                assert division_entity[line["divisionId"]] == line["entityId"]
    for company, invoices in enumerate(by_parent("invoice")):
        assert {r["companyId"] for r in invoices} == {str(company + 1)}
        assert {r["supplier"]["id"] for r in invoices} <= ids["supplier"][company]


def test_there_is_something_of_everything():
    """Inactive dimensions, foreign currencies, mass imports, personal and omitted lines, custom fields, awkward text."""
    assert {r["status"] for r in records("entity")} == {"active", "disabled"}
    assert {r["status"] for r in records("division")} == {"active", "disabled"}
    assert {r["status"] for r in records("tax_code")} == {"active", "disabled"}
    assert {r["isUserDefined"] for r in records("tax_code")} == {True, False}
    assert {r["active"] for r in records("project")} == {True, False}
    assert {r["isActive"] for r in records("supplier")} == {True, False}
    assert len({r["currencyCode"] for r in records("expense")}) >= 7
    assert {r["currencyCode"] for c in records("claim") for r in c["claimCurrencyTotals"]} == {"AUD", "NZD"}
    assert len({r["claimType"] for r in records("claim")}) == 5
    stamps = [r["updatedDate"] for r in records("claim")]
    assert len(stamps) - len(set(stamps)) > 30, "mass imports share one stamp"
    share = sum(r["isPersonal"] or r["isOmitted"] for r in records("expense")) / len(records("expense"))
    assert 0.02 < share < 0.07
    assert any('"' in r["notes"] for r in records("claim"))
    assert any("Ō" in r["notes"] for r in records("claim"))
    assert any(r["recipients"] for r in records("expense"))


def test_default_books_have_the_promised_size():
    """4,000 claims come with about 12,000 expenses, 3,000 invoices and 8,000 lines, over two years."""
    tables = make_books(seed=20260630, claim_count=4000).tables
    assert (tables["claim"].row_count, tables["invoice"].row_count) == (4000, 3000)
    assert 11_500 < tables["expense"].row_count < 13_000
    assert 7_500 < tables["invoice_line"].row_count < 8_500
    created = [r["createdDate"] for r in records("claim")]
    assert min(created) < "2024-07-15"
    assert max(created) > "2026-06-15"


def test_business_numbers_have_right_check_digits():
    """ABNs by the register's rule, NZBNs by the GS1 rule, both against published examples."""
    assert abn(824753556) == "51 824 753 556"
    for number in range(0, 10**9, 9_999_991):
        digits = [int(d) for d in abn(number).replace(" ", "")]
        digits[0] -= 1
        assert sum(w * d for w, d in zip((10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19), digits, strict=True)) % 89 == 0
        digits = [int(d) for d in nzbn(number)]
        assert len(digits) == 13
        assert (sum(digits[0::2]) + 3 * sum(digits[1::2])) % 10 == 0


def test_the_same_seed_gives_the_same_bytes_everywhere():
    """Pinned: a machine, a numpy or a hash seed that changes a byte fails here."""
    assert digest(make_books(seed=5, claim_count=100)) == DIGEST_OF_100_CLAIMS
    assert digest(make_books(seed=6, claim_count=100)) != DIGEST_OF_100_CLAIMS


def test_text_does_not_depend_on_how_it_is_asked_for():
    """One row alone, a block, and rows in any order give the same records."""
    table = books().tables["claim"]
    whole = records("claim")
    picked = np.array([700, 3, 250, 3], dtype=np.int64)
    scattered = json.loads(b"[" + bytes(table.block(picked).text)[:-1] + b"]", parse_float=Decimal)
    assert scattered == [whole[row] for row in picked.tolist()]
    assert json.loads(table.one(41, books().shelf), parse_float=Decimal) == whole[41]
    assert (
        json.loads(b"".join((b"[", *table.pieces(slice(100, 300), books().shelf), b"]")), parse_float=Decimal)
        == whole[100:300]
    )


def test_no_books_at_all_are_books_too():
    """With no claims every list but the dimensions is empty."""
    tables = make_books(seed=1, claim_count=0).tables
    assert tables["claim"].row_count == tables["expense"].row_count == tables["invoice_split"].row_count == 0
    assert tables["supplier"].row_count > 0


@pytest.mark.parametrize("count", [-1, 3_000_001])
def test_impossible_books_are_refused(count: int):
    """A negative number of claims, and more than the ids have room for."""
    with pytest.raises(ValueError, match="the books hold"):
        make_books(seed=1, claim_count=count)


def _days_later(text: str, days: int) -> str:
    """JSON with every instant moved."""
    return re.sub(
        r'(?<=")20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ(?=")',
        lambda found: (datetime.fromisoformat(found[0]) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        text,
    )


def test_moved_books_are_the_same_books_later():
    """Moved by whole weeks, every instant is later by as much, and nothing else differs: no amount, state or order."""
    days = times.days_to_end_by(date(2026, 11, 26))
    assert days % 7 == 0
    assert 0 <= (date(2026, 11, 26) - times.BOOKS_AT.date()).days - days < 7
    plain, moved = make_books(seed=5, claim_count=100), make_books(seed=5, claim_count=100, moved_days=days)
    for name in plain.tables:
        assert raw(moved, name).decode() == _days_later(raw(plain, name).decode(), days), name


def test_books_end_within_the_calendar():
    """They can be moved on, not back, and not so far that the clock has no room."""
    assert times.days_to_end_by(times.BOOKS_AT.date()) == 0
    for day in (date(2026, 6, 29), date(2040, 1, 1)):
        with pytest.raises(ValueError, match="the books can end from 2026-06-30 to"):
            times.days_to_end_by(day)
