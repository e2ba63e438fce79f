"""The page over marts of planted rows: whatever is missing or out of range, it is written, and missing is not zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from planted_marts import HOUSE, claim, expense, invoice, money, row, total
from report_page import facts, taken_apart

from pipeline.report.page import page

BOOKS_ARE_OF_TODAY = f"UPDATE meta.snapshot_info SET data_as_at = TIMESTAMPTZ '{HOUSE.as_at}'"
END_OF_TIME = "9999-12-31T23:59:59Z"  # in Sydney the year 10000 has begun
LAST_MONTH, THIS_MONTH, LATER_THIS_MONTH = "2026-10-20T00:00:00Z", "2026-11-05T00:00:00Z", "2026-11-28T00:00:00Z"


def html_of(marts) -> str:
    return page(marts.connection, facts())


def figures(html: str, of: str) -> dict[str, str | None]:
    """The figures of a statement's first row that the page shows, exact."""
    return {cell.column: cell.exact for cell in taken_apart(html).cells if (cell.of, cell.row) == (of, 0)}


def claim_total(key: str, gross: float) -> str:
    """What a claim comes to: in the currency of its lines, and in its own."""
    own = row("claim_currency_total", company_id="1", claim_id=key, _index=0, **money(gross))
    return f"{total('claim', key, gross)}; {own}"


def without(key: str, *fields: str, **more) -> str:
    """An expense for which some amounts were not sent."""
    return expense(key, **{**{f"claim_currency_total_{one}_amount": None for one in fields}, **more})


def test_days_that_no_calendar_holds_are_shown_as_missing(made):
    """In whatever field they come: the page is written, and every other figure stands."""
    instants = ("created_date", "approved_date", "finalised_date", "updated_date")
    html = html_of(
        made(
            BOOKS_ARE_OF_TODAY,
            claim("c", **dict.fromkeys(instants, END_OF_TIME)),
            claim("d", status="Finalised", **dict.fromkeys(instants, END_OF_TIME)),
            claim_total("c", 100),
            expense("e", transaction_date=END_OF_TIME),
            expense("f", transaction_date=THIS_MONTH),
            invoice("i", due_date=END_OF_TIME, **{**dict.fromkeys(instants, END_OF_TIME), "invoice_date": END_OF_TIME}),
            total("invoice", "i", 70),
            row("claim_approver", company_id="1", claim_id="c", _index=0, id="a", name="A", approved_date=END_OF_TIME),
        )
    )
    assert figures(html, "headline_spend")["month_gross"] == "100.0000"
    assert figures(html, "headline_payable")["gross"] == "70.0000"
    assert [cell.shown for cell in taken_apart(html).cells if (cell.of, cell.column) == ("payable_due", "due_on")] == [
        "\N{EN DASH}"
    ]


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (["net"], ["No net amount sent in AUD."]),
        (["tax"], ["No tax sent in AUD."]),
        (["net", "tax"], ["No net amount sent in AUD.", "No tax sent in AUD."]),
        (["gross"], ["spend cannot be told from lines"]),
        (["gross", "tax"], ["spend cannot be told from lines"]),
    ],
)
def test_whatever_amounts_are_missing_the_page_is_written(made, missing, told):
    """Gross only, net only, no tax: it is said what was not sent, and no figure in its place is zero."""
    html = html_of(
        made(
            BOOKS_ARE_OF_TODAY,
            claim(approved_date=LAST_MONTH),
            claim_total("c", 100),
            without("e", *missing, transaction_date=LAST_MONTH),
            without("f", *missing, transaction_date=THIS_MONTH),
            invoice(),
            total("invoice", "i", 70),
        )
    )
    for one in told:
        assert one in html
    for name in missing:
        shown = [cell.exact for cell in taken_apart(html).cells if cell.column == name and cell.of != "headline_claim"]
        assert [one for one in shown if one and Decimal(one) == 0] == []


def test_what_was_not_sent_is_no_zero_among_the_key_figures(made):
    """No line with tax or net amounts: a dash, and that it was not sent. No line at all: 0."""
    html = html_of(
        made(
            BOOKS_ARE_OF_TODAY,
            claim(approved_date=LAST_MONTH),
            claim_total("c", 100),
            without("e", "net", "tax", transaction_date=LAST_MONTH),
        )
    )
    assert figures(html, "headline_gst") == {"tax": "", "finalised_tax": "0.0000"}
    assert figures(html, "headline_accrual") == {"net": "", "approved_net": ""}
    assert figures(html, "headline_spend")["month_gross"] == "0.0000"
    assert html.count("<p>A dash: not sent.</p>") == 2


def test_lines_without_an_amount_are_no_spend_of_zero(made):
    """This month has lines, none with an amount: its spend is not known, that of other months is."""
    html = html_of(
        made(
            BOOKS_ARE_OF_TODAY,
            claim(),
            claim_total("c", 100),
            expense("e", transaction_date=LAST_MONTH),
            without("f", "gross", transaction_date=THIS_MONTH),
        )
    )
    spend = figures(html, "headline_spend")
    assert (spend["month_gross"], spend["year_gross"]) == ("", "100.0000")
    months = [cell.exact for cell in taken_apart(html).cells if (cell.of, cell.column) == ("spend_trend", "gross")]
    assert months[-3:] == ["0.0000", "100.0000", ""]


def test_a_month_has_one_figure(made):
    """Key figure and chart tell the same of the running month: what is dated after today is in neither."""
    html = html_of(
        made(
            BOOKS_ARE_OF_TODAY,
            claim(),
            claim_total("c", 150),
            expense("e", 100, transaction_date=THIS_MONTH),
            expense("f", 50, transaction_date=LATER_THIS_MONTH),
        )
    )
    months = [cell.exact for cell in taken_apart(html).cells if (cell.of, cell.column) == ("spend_trend", "gross")]
    assert figures(html, "headline_spend")["month_gross"] == months[-1] == "100.0000"


def test_approvals_of_rejected_and_cancelled_documents_do_not_count(made):
    """As in mart.approval_time: neither by month nor by approver."""
    approved = {"company_id": "1", "_index": 0, "id": "a", "name": "A", "approved_date": THIS_MONTH}
    documents = [("c", "Approved"), ("d", "Rejected"), ("g", "Cancelled")]
    html = html_of(
        made(
            BOOKS_ARE_OF_TODAY,
            *(claim(key, status, approved_date=THIS_MONTH) for key, status in documents),
            *(claim_total(key, 10) for key, _ in documents),
            *(row("claim_approver", claim_id=key, **approved) for key, _ in documents),
        )
    )
    counts = [cell for cell in taken_apart(html).cells if cell.column == "approval_count"]
    assert [cell.exact for cell in counts if cell.of == "approval_month"][-1] == "1"
    assert [cell.exact for cell in counts if cell.of == "approval_by_approver"] == ["1"]
