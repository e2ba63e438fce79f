"""How the page writes numbers, days and times, and that whatever enters it as text stays text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline.report.page
from pipeline.marts import all_marts
from pipeline.report.page import wording
from pipeline.report.page.markup import joined, raw, tag

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "0.00"),
        ("1234.5", "1,234.50"),
        ("1234.5000", "1,234.50"),
        ("0.125", "0.125"),
        ("99999999999999.9999", "99,999,999,999,999.9999"),
        ("-1234567.8", f"{MINUS}1,234,567.80"),
        ("-0.00001", "0.00"),
    ],
)
def test_money_has_cents_and_every_further_digit(value, shown):
    assert wording.money(Decimal(value)) == shown


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**14), max_value=10**14))
def test_money_reads_back_as_the_same_amount(value):
    text = wording.money(value)
    assert Decimal(text.replace(",", "").replace(MINUS, "-")) == value
    assert len(text.partition(".")[2]) in (2, 3, 4)


def test_days_and_times_are_australian():
    moment = datetime(2026, 11, 27, 0, 21, tzinfo=UTC)
    sydney, perth = ZoneInfo("Australia/Sydney"), ZoneInfo("Australia/Perth")
    assert wording.day(date(2026, 11, 7)) == "7 Nov 2026"
    assert wording.long_day(date(2026, 11, 27)) == "Friday, 27 November 2026"
    assert wording.month(date(2026, 11, 1)) == "Nov 2026"
    assert wording.moment(moment, sydney) == "27 Nov 2026, 11:21 am AEDT"
    assert wording.moment(moment.replace(hour=2), perth) == "27 Nov 2026, 10:21 am AWST"
    assert wording.moment(moment.replace(hour=13), sydney) == "28 Nov 2026, 12:21 am AEDT"
    assert wording.moment(moment.replace(hour=1), sydney) == "27 Nov 2026, 12:21 pm AEDT"


def test_durations_and_changes():
    assert [wording.hours(value) for value in (7.5, 47.9, 48.0, 300.0)] == ["7.5 h", "47.9 h", "2.0 days", "12.5 days"]
    assert [wording.age(value) for value in (5, 60, 7200, 172800)] == [
        "less than a minute",
        "1 minute",
        "2 hours",
        "2 days",
    ]
    assert [wording.change(value) for value in (4.25, -4.2, 0.0)] == ["+4.2 %", f"{MINUS}4.2 %", "0.0 %"]
    assert [wording.brief_money(value) for value in (80.0, 1500.0, 239_400.0, 999_960.0)] == [
        "80",
        "1.5k",
        "239.4k",
        "1m",
    ]
    assert wording.count_of(1, "invoice") == "1 invoice"
    assert wording.count_of(1234, "invoice") == "1,234 invoices"


@given(st.text())
def test_text_never_becomes_markup(text):
    """In an element and in an attribute, only the markup that this program wrote is markup."""
    made = tag("p", text, title=text)
    assert made.count("<") == 2
    assert '"' not in made.removeprefix('<p title="').partition('">')[0]
    assert joined(text, raw("<br>")).endswith("<br>")


def test_elements_are_written_as_they_are_read():
    assert tag("input", type="radio", checked=True, hidden=False, for_=None) == '<input type="radio" checked>'
    assert tag("th", "A & B", scope="col", class_="number", data_of="x:0:y") == (
        '<th scope="col" class="number" data-of="x:0:y">A &amp; B</th>'
    )


CUT_OFF = [
    path
    for path in sorted((Path(pipeline.report.page.__file__).parent / "sql").glob("*.sql"))
    if re.search(r"LIMIT|QUALIFY", path.read_text())
    and "GROUP BY" not in path.read_text()
    and "FROM mart." in path.read_text()
]


@pytest.mark.parametrize("path", CUT_OFF, ids=lambda path: path.stem)
def test_a_list_that_is_cut_off_has_one_order_alone(path):
    """Rows that tie would be others the next time: the order ends with all that tells rows of the mart apart."""
    text = path.read_text()
    (mart,) = (one for one in all_marts() if f"FROM mart.{one.name}\n" in text or f"FROM mart.{one.name} " in text)
    ordered = set(re.findall(r"\w+", text[text.rindex("ORDER BY") :]))
    assert {"currency" if name == "currency_code" else name for name in mart.grain} <= ordered
    assert len(CUT_OFF) >= 5
