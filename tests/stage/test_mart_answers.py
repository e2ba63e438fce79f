"""What the marts that answer questions make of cases that are hard to judge; one a test."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from planted_marts import claim, expense, invoice, money, row, total


@pytest.mark.parametrize(
    ("due", "bucket", "is_soon"),
    [
        ("2026-11-23", "not due", True),
        ("2026-11-30", "not due", True),
        ("2026-12-01", "not due", False),
        ("2026-11-22", "1-30 days", False),
        ("2026-10-24", "1-30 days", False),
        ("2026-10-23", "31-60 days", False),
        ("2026-09-23", "61-90 days", False),
        ("2026-08-24", "over 90 days", False),
        (None, "no due date", False),
    ],
)
def test_how_old_a_payable_is(made, due, bucket, is_soon):
    marts = made(invoice(due_date=due and f"{due}T00:00:00Z"), total("invoice", "i", 50))
    assert marts("SELECT age_bucket, is_due_soon FROM mart.payable_due") == [(bucket, is_soon)]
    assert marts("SELECT age_bucket, gross_amount FROM mart.payable_ageing") == [(bucket, 50)]


def test_an_open_invoice_without_totals_is_to_be_paid_as_well(made):
    """How much is not known."""
    marts = made(invoice(due_date="2026-11-30T00:00:00Z"))
    assert marts("SELECT document_id, is_due_soon, gross_amount, currency_code FROM mart.payable_due") == [
        ("i", True, None, None)
    ]
    assert marts("SELECT age_bucket, invoice_count, gross_amount, currency_code FROM mart.payable_ageing") == [
        ("not due", 1, None, None)
    ]


def test_days_are_those_of_the_site(made):
    """An instant belongs to the day it had in the site's zone, midnight UTC is a day by itself, 1970 is no day."""
    marts = made(
        claim(created_date="2026-06-30T14:00:01Z", approved_date="1970-01-01T00:00:00Z"),
        expense("e1", transaction_date="2026-06-30T00:00:00Z"),
        expense("e2", transaction_date="2026-06-30T15:00:00Z"),
    )
    assert marts("SELECT created_on, approved_on, approved_at FROM mart.document") == [(date(2026, 7, 1), None, None)]
    assert marts("SELECT line_id, spent_on FROM mart.spend_line ORDER BY 1") == [
        ("e1", date(2026, 6, 30)),
        ("e2", date(2026, 7, 1)),
    ]


@pytest.mark.parametrize("never", ["9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-30T13:00:00Z"])
def test_a_day_for_never_is_none(made, never):
    """In the site's zone it would be in the year 10000, which no reader has."""
    marts = made(
        claim(approved_date=never, updated_date=never),
        expense(transaction_date=never),
        row("claim_approver", company_id="1", claim_id="c", _index=0, id="a", name="A", approved_date=never),
        invoice(due_date=never, invoice_date=never),
        total("invoice", "i", 50),
    )
    assert marts("SELECT approved_at, approved_on, updated_on FROM mart.document WHERE document_type = 'claim'") == [
        (None, None, None)
    ]
    assert marts("SELECT spent_on FROM mart.spend_line") == [(None,)]
    assert marts("SELECT approved_at FROM mart.approval") == [(None,)]
    assert marts("SELECT age_bucket, invoice_on FROM mart.payable_due") == [("no due date", None)]
    assert marts("SELECT newest_change_at FROM mart.freshness WHERE resource = 'claim'") == [(None,)]


@pytest.mark.parametrize("gross", ["99999999999999.9999", "-99999999999999.9999"])
def test_the_largest_amounts_end_no_night(made, gross):
    """Every amount, rate and threshold that a column has room for."""
    most = Decimal(gross)
    amounts = {"gross_amount": most, "net_amount": most, "tax_amount": most, "currency_code": "AUD"}
    converted = {f"claim_currency_total_{name}": value for name, value in amounts.items()}
    coded = {**amounts, "tax_code_id": "1", "expense_type": "Entertainment"}
    spent = {"company_id": "1", "claim_id": "c", "transaction_date": "2026-10-02T00:00:00Z", **coded, **converted}
    totals = ("claim_currency_total", "claim_transaction_total", "invoice_transaction_total")
    marts = made(
        row("tax_code", company_id="1", id="1", tax_rate=Decimal("99999.9999")),
        claim(),
        invoice(due_date="2026-10-10T00:00:00Z"),
        *(
            row(table, company_id="1", **{f"{table.split('_')[0]}_id": table[0]}, _index=index, **amounts)
            for table in totals
            for index in (0, 1)
        ),
        *(row("expense", **spent, id=f"e{n}") for n in (1, 2)),
        row("expense_recipient", company_id="1", claim_id="c", expense_id="e1", _index=0, type="employee"),
        row("expense", **spent, id="e3", is_split=True),
        *(
            row(
                "expense_split",
                **{k: v for k, v in spent.items() if k != "transaction_date"},
                expense_id="e3",
                id=f"p{n}",
            )
            for n in (1, 2)
        ),
        *(row("invoice_line", company_id="1", invoice_id="i", id=f"l{n}", **coded) for n in (1, 2)),
        approval_thresholds=(10**12, 3_000_000_000),
    )
    assert marts("SELECT gross_amount, actual_amount FROM mart.fbt_entertainment WHERE line_id = 'e1'") == [
        (most, most)
    ]
    expected = (most * Decimal("999.999999")).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    assert marts("SELECT DISTINCT expected_tax_amount FROM mart.gst_departure") == [(expected,)]
    assert marts("SELECT sum(gross_amount) FROM mart.document_total") == [(6 * most,)]


def test_a_threshold_may_be_large(made):
    """Its percentage, too."""
    marts = made(invoice(), total("invoice", "i", 999_999_999_999.5), approval_thresholds=(3_000_000_000, 10**12))
    assert marts("SELECT threshold_amount, short_amount FROM mart.below_threshold") == [(10**12, Decimal("0.5"))]


def test_tax_is_compared_with_its_rate_beyond_two_cents(made):
    """Codes of which people type the tax are not."""
    marts = made(
        row("tax_code", company_id="1", id="1", tax_rate=10, is_user_defined=False),
        row("tax_code", company_id="1", id="2", tax_rate=10, is_user_defined=True),
        claim(),
        expense("e1", tax_code_id="1", net_amount=100, tax_amount=10.02),
        expense("e2", tax_code_id="1", net_amount=100, tax_amount=10.03),
        expense("e3", tax_code_id="2", net_amount=100, tax_amount=0),
    )
    assert marts("SELECT line_id, expected_tax_amount, departure_amount FROM mart.gst_departure") == [
        ("e2", 10, Decimal("0.03"))
    ]


def test_gst_is_the_tax_as_sent(made):
    """Whatever the rate of the code says; credit notes and rejected documents stand apart."""
    marts = made(
        row("tax_code", company_id="1", id="1", tax_rate=10),
        invoice(status="Finalised", invoice_date="2026-09-30T00:00:00Z"),
        invoice("j", status="Rejected", invoice_date="2026-10-01T00:00:00Z"),
        *(
            row("invoice_line", company_id="1", invoice_id=key, id="l", tax_code_id="1", **money(100, tax=7.77))
            for key in "ij"
        ),
    )
    asked = (
        "SELECT bas_quarter, month_on, counts_as, is_finalised, net_amount, tax_amount FROM mart.gst_bas ORDER BY ALL"
    )
    assert marts(asked) == [
        ("2026-Q3", date(2026, 9, 1), "spend", True, Decimal("92.23"), Decimal("7.77")),
        ("2026-Q4", date(2026, 10, 1), "rejected", False, Decimal("92.23"), Decimal("7.77")),
    ]


def test_entertainment_by_both_methods(made):
    """To the hundredth of a cent, half of one up; without recipients there is no actual amount, not none."""
    guests = [
        row("expense_recipient", company_id="1", claim_id="c", expense_id="e1", _index=n, type=kind)
        for n, kind in enumerate(("Employee", "client", "supplier"))
    ]
    marts = made(
        claim(),
        expense("e1", 100.01, expense_type="ENTERTAINMENT", transaction_date="2026-03-31T00:00:00Z"),
        expense("e2", -0.01, expense_type="Entertainment", transaction_date="2026-04-01T00:00:00Z"),
        expense("e3", 10, expense_type="Meals"),
        *guests,
        invoice("c", supplier_name="Some restaurant"),  # the key of the claim, and no recipients of its own
        row("invoice_line", company_id="1", invoice_id="c", id="e1", expense_type="entertainment", **money(80)),
    )
    bought = "SELECT line_id, supplier_name, fbt_year, fifty_fifty_amount, recipient_count, actual_amount"
    assert marts(f"{bought} FROM mart.fbt_entertainment WHERE document_type = 'invoice'") == [
        ("e1", "Some restaurant", 2027, 40, None, None)
    ]
    asked = "SELECT line_id, fbt_year, recipient_count, other_count, fifty_fifty_amount, actual_amount"
    assert marts(f"{asked} FROM mart.fbt_entertainment WHERE document_type = 'claim' ORDER BY 1") == [
        ("e1", 2026, 3, 1, Decimal("50.005"), Decimal("33.3367")),
        ("e2", 2027, None, None, Decimal("-0.005"), None),
    ]


def test_suspects_share_what_the_rule_says(made):
    marts = made(
        invoice("i1", reference="INV-0012"),
        invoice("i2", reference="inv 0012"),
        invoice("i3", reference="INV-0012", supplier_id="t"),
        invoice("i4", reference="INV-0012", status="Rejected"),
        invoice("i5", reference="--"),
        invoice("i6", reference=""),
        claim("c"),
        claim("d"),
        expense("e1", 25),
        expense("e2", 25, on="d"),
        expense("e3", 25, transaction_date="2026-10-03T00:00:00Z"),
        expense("e4", 25, is_personal=True),
        claim("r", "Rejected"),
        expense("e7", 25, on="r"),
        expense("e5", 0),
        expense("e6", 0),
    )
    assert marts(
        "SELECT rule, coalesce(line_id, document_id), group_size FROM mart.duplicate_suspect ORDER BY ALL"
    ) == [
        ("claimant_amount_date", "e1", 2),
        ("claimant_amount_date", "e2", 2),
        ("supplier_reference", "i1", 2),
        ("supplier_reference", "i2", 2),
    ]


def test_groups_of_suspects_have_keys_of_their_own_that_name_nobody(made):
    """An invoice pair and a credit note pair of one reference are two groups."""
    totals = {"i1": 10, "i2": 10, "n1": -10, "n2": -10}
    people = {"claimant_id": "person-4711"}
    marts = made(
        *(one for key, gross in totals.items() for one in (invoice(key, reference="A1"), total("invoice", key, gross))),
        claim("c", **people),
        expense("e1", 25),
        expense("e2", 25),
    )
    asked = "SELECT count(*), min(group_size), max(group_size) FROM mart.duplicate_suspect GROUP BY group_key"
    assert marts(asked) == [(2, 2, 2)] * 3
    assert not marts("FROM mart.duplicate_suspect WHERE group_key LIKE '%4711%' OR length(group_key) <> 12")


def test_just_below_a_threshold(made):
    amounts = {"i1": 949.99, "i2": 950, "i3": 999.99, "i4": 1000}
    marts = made(*(one for key, gross in amounts.items() for one in (invoice(key), total("invoice", key, gross))))
    assert marts("SELECT document_id, short_amount FROM mart.below_threshold ORDER BY 1") == [
        ("i2", 50),
        ("i3", Decimal("0.01")),
    ]


def test_what_is_accrued_at_month_ends(made):
    """Incurred until approved, approved until finalised; months that are over only."""
    marts = made(
        claim(status="Finalised", approved_date="2026-09-10T00:00:00Z", finalised_date="2026-10-20T00:00:00Z"),
        expense("e1", 100, transaction_date="2026-08-31T00:00:00Z"),
        claim("d", status="PendingApproval"),
        expense("e2", 7, on="d", transaction_date="2026-10-02T00:00:00Z"),
        claim("f", status="Finalised"),
        expense("e3", 9, on="f"),
    )
    assert marts("SELECT month_end_on, state, gross_amount FROM mart.accrual ORDER BY ALL") == [
        (date(2026, 8, 31), "incurred", 100),
        (date(2026, 9, 30), "approved", 100),
        (date(2026, 10, 31), "incurred", 7),
    ]


def test_spend_beside_the_same_month_a_year_before(made):
    spent = {"e1": (150, "2026-10-02"), "e2": (100, "2025-10-30"), "e3": (40, "2025-12-01"), "e4": (5, "2026-09-01")}
    marts = made(
        claim(), *(expense(key, gross, transaction_date=f"{on}T00:00:00Z") for key, (gross, on) in spent.items())
    )
    asked = "SELECT month_on, gross_amount, last_year_gross_amount, change_percent FROM mart.spend_trend"
    assert marts(f"{asked} WHERE month_on >= '2026-01-01' ORDER BY 1") == [
        (date(2026, 9, 1), 5, 0, None),
        (date(2026, 10, 1), 150, 100, 50.0),
    ]


def test_what_approvers_waited(made):
    """From the approval before, whoever gave it, or from creation; never less than nothing."""
    at = {"a": "2026-10-01T10:00:00Z", "b": "2026-10-01T04:00:00Z", "x": "2026-09-30T00:00:00Z"}
    marts = made(
        claim("c"),
        claim("d", status="PendingApproval"),
        row("claim_approver", company_id="1", claim_id="c", _index=0, id="a", name="A", approved_date=at["a"]),
        row("claim_approver", company_id="1", claim_id="c", _index=1, id="b", name="B", approved_date=at["b"]),
        row("claim_approver", company_id="1", claim_id="d", _index=0, id="x", name="X", approved_date=at["x"]),
        row("claim_approver", company_id="1", claim_id="d", _index=1, id="y", name="Y"),
    )
    assert marts("SELECT document_id, step, approver_id, waited_hours, is_last FROM mart.approval ORDER BY ALL") == [
        ("c", 1, "a", 6, False),
        ("c", 2, "b", 4, True),
        ("d", 1, "x", None, False),
        ("d", 2, "y", None, True),
    ]
    (waits_since,) = marts("SELECT previous_at FROM mart.approval WHERE approver_id = 'y'")
    assert waits_since == (datetime(2026, 9, 30, tzinfo=UTC),)
    assert marts("SELECT document_id, waits_for_name FROM mart.open_item ORDER BY 1") == [("c", None), ("d", "Y")]
    asked = "SELECT approver_id, measured_count, median_hours FROM mart.approval_time WHERE measure = 'waited'"
    assert marts(f"{asked} ORDER BY 1") == [("a", 1, 6.0), ("b", 1, 4.0)]


@pytest.mark.parametrize(("fiscal_month", "year", "quarter"), [(7, 2027, 2), (1, 2026, 4), (4, 2027, 3), (10, 2027, 1)])
def test_fiscal_years_end_in_the_year_that_names_them(made, fiscal_month, year, quarter):
    marts = made(fiscal_month=fiscal_month)
    asked = "SELECT fiscal_year, fiscal_quarter, fbt_year, bas_quarter FROM mart.calendar WHERE date_on = '2026-11-23'"
    assert marts(asked) == [(year, quarter, 2027, "2026-Q4")]


def test_restatements_name_their_document(made):
    change = ("r", "expense", "expense", "['1', 'c', 'e']", "gross_amount", "1.0000", "2.0000", "changed")
    values = ", ".join(one if one.startswith("[") else repr(one) for one in change)
    marts = made(
        claim(finalised_date="2026-10-05T00:00:00Z"), expense(), f"INSERT INTO meta.restatement VALUES ({values})"
    )
    asked = "SELECT document_type, document_id, claimant_name, finalised_on, record_key, value_before, value_after"
    assert marts(f"{asked} FROM mart.restatement") == [
        ("claim", "c", "Someone", date(2026, 10, 5), "1 / c / e", "1.0000", "2.0000")
    ]


def test_equal_times_count_each(made):
    """Median and 90th percentile lie between what was measured, in proportion."""
    at = "2026-10-01T{:02}:00:00Z"
    marts = made(
        *(claim(key, approved_date=at.format(hour)) for key, hour in {"a": 2, "b": 2, "c": 4, "d": 12}.items())
    )
    asked = "SELECT measured_count, median_hours, p90_hours, longest_hours FROM mart.approval_time"
    assert marts(asked) == [(4, 3.0, 9.6, 12.0)]


def test_a_line_without_its_converted_amount_is_a_gap(made):
    """It is missing in every sum by the claim's currency, also where no line has one."""
    marts = made(claim(), row("expense", company_id="1", claim_id="c", id="e2", **money(5)))
    asked = "SELECT line_id, gross_amount FROM mart.coding_gap WHERE gap = 'line_without_converted_amount'"
    assert marts(asked) == [("e2", 5)]
    assert not marts("FROM mart.spend_month")


@pytest.mark.parametrize(
    ("claim_totals", "spent_totals", "counted"),
    [
        (
            ["AUD"],
            ["AUD", "NZD"],
            [("e1", 5, "AUD"), ("e2", None, None)],
        ),  # e2 is in NZD, and what it came to is not known
        (["aud "], [], [("e1", 5, "AUD"), ("e2", None, None)]),
        ([], ["NZD"], [("e1", None, None), ("e2", 7, "NZD")]),
        ([], ["AUD", "NZD"], [("e1", None, None), ("e2", None, None)]),
        (["AUD", "NZD"], ["AUD"], [("e1", None, None), ("e2", None, None)]),
        ([], [], [("e1", None, None), ("e2", None, None)]),
    ],
)
def test_what_was_spent_in_the_claims_one_currency_counts_as_it_is(made, claim_totals, spent_totals, counted):
    """Where no converted amount came; whatever else there is stays unknown, and is told."""
    place = {"company_id": "1", "claim_id": "c"}
    marts = made(
        claim(),
        *(
            row("claim_currency_total", **place, _index=index, **money(1, currency))
            for index, currency in enumerate(claim_totals)
        ),
        *(total("claim", "c", 1, currency, index) for index, currency in enumerate(spent_totals)),
        row("expense", **place, id="e1", **money(5, "AUD")),
        row("expense", **place, id="e2", **money(7, "NZD")),
    )
    assert marts("SELECT line_id, claim_gross_amount, claim_currency_code FROM mart.spend_line ORDER BY 1") == counted
    asked = "SELECT line_id FROM mart.coding_gap WHERE gap = 'line_without_converted_amount' ORDER BY 1"
    assert marts(asked) == [(line,) for line, amount, _ in counted if amount is None]


def test_an_amount_that_came_converted_is_taken_as_it_came(made):
    marts = made(
        claim(),
        row("claim_currency_total", company_id="1", claim_id="c", _index=0, **money(9)),
        expense("e1", 5, claim_currency_total_gross_amount=9),
    )
    assert marts("SELECT claim_gross_amount FROM mart.spend_line") == [(9,)]


def test_a_line_without_tax_is_a_gap_where_others_have_it(made):
    """It would be missing in the BAS."""
    marts = made(claim(), expense("e1"), expense("e2", tax_amount=None), invoice())
    assert marts("SELECT line_id, gap FROM mart.coding_gap") == [("e2", "line_without_tax")]


def test_how_fresh_a_resource_is(made):
    """By the newest run, and by the last that read it at all, and in full."""
    runs = {"r1": ("full", "2026-11-20"), "r2": ("incremental", "2026-11-21"), "r3": ("kept", "2026-11-22")}
    marts = made(
        "DELETE FROM meta.run; DELETE FROM meta.run_resource",
        *(
            f"INSERT INTO meta.run (run_id, data_as_at) VALUES ('{run}', '{day}T00:00:00Z'); "
            f"INSERT INTO meta.run_resource (run_id, resource, mode, row_count) VALUES ('{run}', 'claim', '{mode}', 1)"
            for run, (mode, day) in runs.items()
        ),
        "UPDATE meta.snapshot_info SET run_id = 'r3', data_as_at = '2026-11-22T00:00:00Z'",
        claim(updated_date="2026-11-21T18:00:00Z"),
        "INSERT INTO meta.quarantine (run_id, resource) VALUES ('r1', 'claim'), ('r2', 'claim')",
        "UPDATE meta.quarantine SET deleted_at = '2026-11-21T00:00:00Z' WHERE run_id = 'r1'",
    )
    asked = "SELECT mode, last_read_at, last_full_at, hours_since_full, hours_since_change, quarantined_count"
    assert marts(f"{asked} FROM mart.freshness") == [
        ("kept", datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC), 48.0, 6.0, 1)
    ]
