"""The forms of all marts, and what becomes of lines and documents that are hard to judge; one case a test."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date

import duckdb
import pytest
from planted_marts import CATALOGUE, HOUSE, claim, expense, invoice, money, part, row, total
from warehouse_parts import run_of

from pipeline import warehouse
from pipeline.marts import Mart, all_marts
from pipeline.resources import Kind
from pipeline.tables import all_tables
from pipeline.warehouse import Parts
from pipeline.warehouse import reporting as making

# Stand in every warehouse: days, and the resources that were read.
NEVER_EMPTY = {"calendar", "freshness"}


# ---- forms -------------------------------------------------------------------------------------------------------------


def test_an_empty_warehouse_has_every_mart_without_rows(made):
    marts = made()
    assert not marts.wrong
    filled = {mart.name for mart in all_marts() if marts(f"SELECT 1 FROM mart.{mart.name} LIMIT 1")}
    assert filled <= NEVER_EMPTY


def test_every_mart_says_what_it_has(made):
    """Tables and columns are commented, keys and amounts are columns, amounts are exact."""
    marts = made()
    for mart in all_marts():
        types = dict(marts(f"SELECT column_name, column_type FROM (DESCRIBE mart.{mart.name})"))
        assert list(types) == [name for name, _ in mart.columns]
        assert set(mart.grain) <= types.keys()
        assert set(mart.currency_of.values()) <= types.keys()
        assert {name for name in types if name.endswith("_amount")} == set(mart.currency_of), mart.name
        assert all(types[amount].startswith("DECIMAL(") for amount in mart.currency_of)
        assert not {name for name, kind in types.items() if kind in ("NULL", "HUGEINT", "FLOAT")}, mart.name
        about = marts(f"SELECT comment FROM duckdb_tables() WHERE schema_name = 'mart' AND table_name = '{mart.name}'")
        assert about == [(mart.about,)]
    assert not marts("SELECT table_name FROM duckdb_columns() WHERE schema_name = 'mart' AND comment IS NULL")


def test_sums_of_amounts_are_by_currency_in_the_grain():
    """A mart that adds has the currency among what identifies its rows, or takes the amounts of one document or line."""
    of_one = {"document_id", "line_id"}
    for mart in all_marts():
        for currency in mart.currency_of.values():
            assert currency in mart.grain or of_one & set(mart.grain), mart.name


# ---- split lines -------------------------------------------------------------------------------------------------------

HALVES = (part("e:1", 60), part("e:2", 40))
STANDING = "SELECT line_id, split_id FROM mart.spend_line ORDER BY ALL"


@pytest.mark.parametrize("is_split", [True, None])
def test_parts_stand_in_place_of_their_line(made, is_split):
    """Also where the line does not say that it is split."""
    marts = made(claim(), total("claim", "c", 100), expense(is_split=is_split), *HALVES)
    assert marts(STANDING) == [("e", "e:1"), ("e", "e:2")]
    assert not marts.wrong
    assert not marts("FROM mart.coding_gap")


def test_a_split_line_without_parts_stands_itself_and_is_told(made):
    marts = made(claim(), total("claim", "c", 100), expense(is_split=True))
    assert marts(STANDING) == [("e", None)]
    assert marts("SELECT gap, line_id, gross_amount FROM mart.coding_gap") == [("split_without_parts", "e", 100)]
    assert not marts.wrong


def test_a_line_that_says_it_is_not_split_stands_itself(made):
    """Parts of which an earlier night knew are not counted beside it."""
    marts = made(claim(), total("claim", "c", 100), expense(is_split=False), *HALVES)
    assert marts(STANDING) == [("e", None)]
    assert not marts.wrong


def test_deleted_rows_are_left_out(made):
    """A deleted part is none, and a line whose parts are all deleted stands itself."""
    gone = "2026-11-01T00:00:00Z"
    marts = made(
        claim(),
        expense(is_split=True),
        part("e:1", _deleted_at=gone),
        expense("f", _deleted_at=gone),
        claim("d", _deleted_at=gone),
    )
    assert marts(STANDING) == [("e", None)]
    assert marts("SELECT document_id FROM mart.document") == [("c",)]


def test_parts_of_a_line_that_could_not_be_read_are_not_lost(made):
    marts = made(claim(), *HALVES)
    assert marts(STANDING) == [("e", "e:1"), ("e", "e:2")]
    assert "mart.spend_line.lines_once" not in marts.wrong


def test_lines_of_a_document_that_could_not_be_read_are_not_lost(made):
    """Nothing is known of its status: they count until it is."""
    marts = made(expense())
    assert marts("SELECT status, counts_as, gross_amount FROM mart.spend_line") == [(None, "spend", 100)]


def test_an_invoice_line_is_replaced_likewise(made):
    line = {"company_id": "1", "invoice_id": "i"}
    marts = made(
        invoice(),
        total("invoice", "i", 100),
        row("invoice_line", **line, id="l", is_split=True, **money(100)),
        *(row("invoice_split", **line, invoice_line_id="l", id=f"l:{n}", **money(50)) for n in (1, 2)),
    )
    assert marts(STANDING) == [("l", "l:1"), ("l", "l:2")]
    assert not marts.wrong


# ---- what counts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "counts_as"),
    [
        ("None", "spend"),
        ("NotSubmitted", "spend"),
        ("PendingApproval", "spend"),
        ("Approved", "spend"),
        ("Finalised", "spend"),
        ("Teleported", "spend"),
        (None, "spend"),
        ("Rejected", "rejected"),
        ("REJECTED", "rejected"),
        ("Cancelled", "cancelled"),
        ("Canceled", "cancelled"),
    ],
)
def test_what_a_status_counts_as(made, status, counts_as):
    """Whatever nobody knows stays visible, and counts unless it is known not to."""
    marts = made(claim(status=status), total("claim", "c", 100), expense())
    assert marts("SELECT counts_as, is_spend FROM mart.spend_line") == [(counts_as, counts_as == "spend")]
    assert marts("SELECT counts_as, is_open FROM mart.document") == [
        (counts_as, counts_as == "spend" and status != "Finalised")
    ]
    assert bool(marts("FROM mart.spend_month")) == (counts_as == "spend")


def test_codes_are_the_same_however_they_are_written(made):
    """Spaces and small letters make no other currency, and no other status."""
    marts = made(
        claim(status=" Rejected "),
        total("claim", "c", 100),
        expense("e0"),
        invoice(status="Finalised "),
        total("invoice", "i", 100, "aud "),
        *(
            row("invoice_line", company_id="1", invoice_id="i", id=key, **money(50, currency))
            for key, currency in {"l1": "AUD", "l2": " aud"}.items()
        ),
    )
    asked = "SELECT document_id, counts_as, is_open, currency_code FROM mart.document ORDER BY 1"
    assert marts(asked) == [("c", "rejected", False, None), ("i", "spend", False, "AUD")]
    assert marts("SELECT status, currency_code, gross_amount FROM mart.spend_month") == [("Finalised", "AUD", 100)]
    assert not marts.wrong


def test_personal_and_omitted_lines_are_flagged_and_never_spend(made):
    marts = made(
        claim(),
        total("claim", "c", 100),
        expense("e1", is_personal=True),
        expense("e2", is_omitted=True),
        expense("e3", is_split=True),
        part("e3:1", of="e3", is_personal=True),
        part("e3:2", of="e3"),
    )
    assert marts("SELECT line_id, split_id, counts_as, is_in_totals FROM mart.spend_line ORDER BY ALL") == [
        ("e1", None, "personal", False),
        ("e2", None, "omitted", False),
        ("e3", "e3:1", "personal", True),  # totals of documents count the line that it is a part of
        ("e3", "e3:2", "spend", True),
    ]
    assert marts("SELECT gross_amount FROM mart.spend_month") == [(50,)]
    assert not marts.wrong


def test_a_credit_note_is_an_invoice_whose_totals_are_negative(made):
    """A negative line of another document lowers its spend; one of both signs is no credit note, and no claim is one."""

    def line(key: str, on: str, gross: float) -> str:
        return row("invoice_line", company_id="1", invoice_id=on, id=key, **money(gross))

    marts = made(
        invoice("c"), total("invoice", "c", -100), line("l1", "c", -100),
        invoice("d"), total("invoice", "d", 70), line("l2", "d", 100), line("l3", "d", -30),
        invoice("f"), total("invoice", "f", -5), total("invoice", "f", 5, "NZD", 1), line("l4", "f", -5),
        claim("p"), total("claim", "p", -8), expense("e5", -8, on="p"),
    )  # fmt: skip
    assert marts("SELECT line_id, counts_as, is_credit FROM mart.spend_line ORDER BY 1") == [
        ("e5", "spend", False),
        ("l1", "credit", True),
        ("l2", "spend", False),
        ("l3", "spend", False),
        ("l4", "spend", False),
    ]
    assert marts("SELECT document_id, counts_as FROM mart.document WHERE document_id IN ('c', 'p') ORDER BY 1") == [
        ("c", "credit"),
        ("p", "spend"),
    ]
    assert marts("SELECT sum(gross_amount) FROM mart.spend_month") == [(57,)]


def test_names_are_those_of_rows_that_are_not_deleted(made):
    """But a supplier that is gone keeps the name on its invoices."""
    marts = made(
        row("division", company_id="1", id="10", name="Gone", _deleted_at="2026-11-01T00:00:00Z"),
        row("supplier", company_id="1", id="s", display_name="New name"),
        claim(),
        expense(division_id="10", entity_id="5"),
        invoice("i", supplier_name="Old name"),
        invoice("j", supplier_id="t", supplier_name="Left"),
    )
    assert marts("SELECT division_id, division_name FROM mart.spend_line") == [("10", None)]
    names = marts("SELECT document_id, supplier_name FROM mart.document WHERE document_type = 'invoice' ORDER BY ALL")
    assert names == [("i", "New name"), ("j", "Left")]
    assert marts("SELECT gap FROM mart.coding_gap WHERE line_id IS NOT NULL") == [("division_not_listed",)]


# ---- fields that are missing -----------------------------------------------------------------------------------------


def test_without_the_inferred_fields_marts_are_empty_and_not_wrong(made):
    """Lines stand without amounts; no answer that rests on them says anything, and no test cries wolf."""
    line = {"company_id": "1", "invoice_id": "i"}
    marts = made(
        claim(),
        total("claim", "c", 100),
        row("expense", company_id="1", claim_id="c", id="e", code="X"),
        invoice(due_date="2026-12-01T00:00:00Z", reference="A1"),
        total("invoice", "i", 50),
        row("invoice_line", **line, id="l", code="Y", quantity=1),
        row("tax_code", company_id="1", id="1", tax_rate=10),
    )
    assert marts("SELECT line_id, gross_amount, claim_gross_amount FROM mart.spend_line ORDER BY 1") == [
        ("e", None, None),
        ("l", None, None),
    ]
    resting = {"spend_month", "spend_trend", "accrual", "gst_bas", "gst_departure", "fbt_entertainment"}
    resting |= {"duplicate_suspect", "coding_gap"}
    assert {name for name in resting if marts(f"SELECT 1 FROM mart.{name} LIMIT 1")} == set()
    assert marts("SELECT gross_amount FROM mart.payable_due") == [(50,)]
    assert not marts.wrong


def test_a_missing_value_is_a_gap_where_other_lines_have_one(made):
    marts = made(claim(), expense("e1", division_id="10"), expense("e2"), row("division", company_id="1", id="10"))
    assert marts("SELECT line_id, gap FROM mart.coding_gap") == [("e2", "line_without_division")]


def test_a_document_without_lines_is_a_gap_where_others_have_some(made):
    marts = made(claim("c"), claim("d"), claim("f", "Rejected"), expense(on="c"), invoice())
    assert marts("SELECT document_id, gap FROM mart.coding_gap") == [("d", "document_without_lines")]


def test_a_catalogue_without_lines_has_marts_of_what_there_is(tmp_path):
    """A site's own catalogue may read claims alone: what rests on the rest is empty, and nothing fails."""
    chosen = [CATALOGUE["company"], CATALOGUE["claim"]]
    built = warehouse.build(tmp_path / "w.duckdb", [run_of(*(Parts(one, ()) for one in chosen))], temp_dir=tmp_path)
    with closing(duckdb.connect(str(built.path))) as connection:
        connection.execute(claim())
        connection.execute(total("claim", "c", 100))
    assert not [one for one in warehouse.make_marts(built, all_tables(chosen), HOUSE, temp_dir=tmp_path) if one.blamed]
    with closing(duckdb.connect(str(built.path), read_only=True)) as connection:
        filled = {mart.name for mart in all_marts() if connection.execute(f"SELECT 1 FROM mart.{mart.name}").fetchall()}
    assert filled - NEVER_EMPTY == {"claimant", "document", "document_total", "open_item"}


def test_a_catalogue_with_other_types_has_the_same_marts(tmp_path):
    """A site's own catalogue may take days, rates and flags for text: what reads as the built-in type counts as that."""
    as_text = {"expense": ("transactionDate", "isSplit"), "tax_code": ("taxRate",)}
    chosen = [
        replace(
            one,
            columns=tuple(
                replace(column, kind=Kind.TEXT) if column.name in as_text.get(one.name, ()) else column
                for column in one.columns
            ),
        )
        for one in CATALOGUE
    ]
    built = warehouse.build(tmp_path / "w.duckdb", [run_of(*(Parts(one, ()) for one in chosen))], temp_dir=tmp_path)
    with closing(duckdb.connect(str(built.path))) as connection:
        for statement in (
            row("tax_code", company_id="1", id="1", tax_rate="10.0"),
            row("tax_code", company_id="1", id="2", tax_rate="ten"),
            claim(),
            expense("e1", transaction_date="2026-10-02T00:00:00Z", is_split="false", tax_code_id="1", tax_amount=9),
            part("p1", of="e1"),
            expense("e2", transaction_date="soon", is_split="true"),
        ):
            connection.execute(statement)
    warehouse.make_marts(built, all_tables(chosen), HOUSE, temp_dir=tmp_path)
    with closing(duckdb.connect(str(built.path), read_only=True)) as connection:
        marts = connection.execute
        assert marts("SELECT line_id, split_id, spent_on FROM mart.spend_line ORDER BY ALL").fetchall() == [
            ("e1", None, date(2026, 10, 2)),
            ("e2", None, None),
        ]
        assert marts("SELECT tax_rate FROM mart.tax_code ORDER BY tax_code_id").fetchall() == [(10,), (None,)]
        assert marts("SELECT expected_tax_amount FROM mart.gst_departure").fetchall() == [(10,)]


# ---- a planted double count -------------------------------------------------------------------------------------------


def test_a_line_counted_with_its_parts_is_told(made, monkeypatch):
    """The statement without its exclusion of split lines: each line beside its parts, and the totals too high."""

    def broken(mart: Mart) -> Mart:
        exclusion = "WHERE (split.expense_id IS NULL OR expense.is_split IS false)"
        assert mart.name != "spend_line" or exclusion in mart.sql
        return replace(mart, sql=mart.sql.replace(exclusion, ""))

    monkeypatch.setattr(making, "all_marts", lambda: tuple(broken(mart) for mart in all_marts()))
    marts = made(claim(), total("claim", "c", 100), expense(is_split=True), *HALVES)
    assert marts.wrong == {
        "mart.spend_line.lines_once": ["stands 1 times itself and in 2 parts, and not 0 times and in 2"],
        "mart.spend_line.ties_to_headers": ["lines less totals: gross 100.0000 net 100.0000 tax 0.0000"],
    }
