"""What the comparison with peers says: whether amounts came through, the tables, the chart."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree as ET

from tests.bench.peers.chart import Bar, Panel, chart
from tests.bench.peers.document import document, panels, section
from tests.bench.peers.exactness import Amount, judged
from tests.bench.peers.facts import Facts
from tests.bench.peers.measuring import Usage
from tests.bench.peers.turns import Cell, Turn, middle

GROSS, NET = ("claim", "transactionTotals", "grossAmount"), ("claim", "transactionTotals", "netAmount")
SERVED = {GROSS: Amount("JSON", Decimal("0.30"), 2), NET: Amount("JSON", Decimal("0.27"), 2)}
CELL = Cell(100_000, 1000, 0)
FACTS = Facts(datetime(2026, 7, 1, tzinfo=UTC), "2 cores", {"dlt": {"dlt": "1.0"}}, {"singer": "no"}, "make bench")


def stored(kind: str, total: str = "0.30", count: int = 2, own: str | None = None) -> dict:
    gross = Amount(kind, Decimal(total), count, Decimal(own) if own else None)
    return {GROSS: gross, NET: Amount(kind, Decimal("0.27"), 2, Decimal("0.27") if own else None)}


def turn(
    name: str, cpu_s: float, *, outcome: str = "ended", load: float = 1.0, amounts: str = "", times: float | None = None
) -> Turn:
    return Turn(CELL, name, Usage(outcome, cpu_s, 2 * cpu_s, 100 * cpu_s, None), 25, amounts, load, times)


def test_decimals_with_the_same_sums_are_exact():
    """Nothing lost, nothing changed, and a type that holds amounts."""
    assert judged(SERVED, stored("DECIMAL(18,4)")) == "exact (DECIMAL(18,4))"


def test_binary_floats_are_told_with_what_adding_them_up_costs():
    """The digits of each may be right; a reader who adds them gets another sum."""
    phrase = judged(SERVED, stored("DOUBLE", own="0.30000000000000004"))
    assert phrase == "float (DOUBLE): digits kept, `sum()` off by up to 4.0e-17"


def test_text_keeps_digits_but_is_no_amount():
    """JSON inside a column has to be taken apart by whoever reads it."""
    assert judged(SERVED, stored("VARCHAR")) == "digits kept, as JSON text"


def test_another_sum_or_a_missing_amount_is_never_exact():
    """Whatever the type."""
    assert judged(SERVED, stored("DECIMAL(18,4)", total="0.31")) == "**1 of 2 sums differ** (DECIMAL(18,4))"
    assert judged(SERVED, stored("DECIMAL(18,4)", count=1)) == "**1 amounts missing** (DECIMAL(18,4))"
    assert judged(SERVED, stored("DECIMAL(18,4)", count=3)) == "**1 amounts too many** (DECIMAL(18,4))"


def test_a_table_has_ratios_to_the_parser_and_to_us():
    """To the parser's turn just before, as this machine is not as fast at each moment, and to our whole run."""
    found = [turn("json", 2.0), turn("ours", 4.0, amounts="exact", times=2.0), turn("dlt", 40.0, times=30.0)]
    text = section(CELL, found)
    assert "## About 100,000 records, 1,000 a page" in text
    assert (
        "| **prospend run: child tables, history, checks, published** | 4.00 | 2.00 | 1.00 | 8.00 | 400 | 25 | exact |"
        in text
    )
    assert "| 40.00 | 30.00 | 10.00 |" in text
    assert "| 2.00 |  | 0.50 |" in text


def test_who_did_not_end_has_no_numbers():
    """A limit is told as such, not as a time."""
    row = section(CELL, [turn("singer", 9.0, outcome="over 600 s")]).splitlines()[-1]
    assert "over 600 s" in row
    assert "9.00" not in row


def test_the_middle_is_taken_of_times_and_the_most_of_memory():
    """One slow turn on a busy machine changes little."""
    found = middle([turn("dlt", 1.0), turn("dlt", 9.0), turn("dlt", 2.0, load=4.0)])
    assert (found.usage.cpu_s, found.usage.peak_mb, found.load_before) == (2.0, 900.0, 4.0)
    assert middle([turn("dlt", 1.0, times=3.0), turn("dlt", 9.0, times=5.0)]).times_json == 4.0
    assert middle([turn("dlt", 1.0), turn("dlt", 2.0, outcome="failed")]).usage.outcome == "failed"


def test_the_page_says_how_it_was_made_and_who_is_absent():
    """Date, machine, load, versions; nobody is left out in silence."""
    text = document([turn("ours", 4.0, load=0.5), turn("json", 2.0, load=3.0)], FACTS, "benchmarks.svg")
    for told in (
        "`make bench`",
        "on 2026-07-01",
        "machine: ",
        "2 cores",
        "between 0.5 and 3.0",
        "| dlt | dlt 1.0 |",
        "## Not measured",
    ):
        assert told in text
    assert "Meltano Singer SDK tap, target-duckdb: no" in text


def test_the_chart_is_sound_and_carries_its_numbers():
    """Bars in order of length, ours marked, numbers beside them, colours for dark pages."""
    text = chart([Panel("Seconds <", (Bar("dlt", 40, "40.0 s"), Bar("ours", 4, "4.0 s", is_ours=True)))])
    root = ET.fromstring(text)
    bars = [one for one in root if one.tag.endswith("rect")]
    assert [one.get("class") for one in bars] == ["bar ours", "bar"]
    assert float(bars[1].get("width")) == 10 * float(bars[0].get("width"))
    assert {"4.0 s", "40.0 s", "Seconds <"} <= {one.text for one in root}
    assert "prefers-color-scheme: dark" in text


def test_the_chart_shows_where_most_met():
    """The cell with most contestants, and of those the largest books."""
    small = Turn(Cell(10_000, 1000, 0), "ours", turn("ours", 1).usage, 25, "", 1.0)
    found = panels([small, turn("ours", 4.0), turn("dlt", 40.0)])
    assert [panel.title for panel in found] == [
        "Processor seconds, about 100,000 records, 1,000 a page",
        "Peak memory, about 100,000 records, 1,000 a page",
    ]
    assert [bar.shown for bar in found[0].bars] == ["4.0 s", "40.0 s"]
