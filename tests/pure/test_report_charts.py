"""Charts as specifications: lengths and labels are those of the figures, axes have few round steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.page import charts

BARS = [
    charts.Bar("A <b>name</b>", 20.5, "20.50"),
    charts.Bar("x" * 50, 10.0, "10.00", "late"),
    charts.Bar("less", -3.0, "3"),
]


def values_of(drawing: charts.Drawing) -> list[dict]:
    return drawing.spec["data"]["values"]


def test_a_ranking_keeps_order_lengths_and_labels():
    """Names are data and never part of an expression; long ones are cut; nothing is shorter than nothing."""
    (drawing,) = charts.ranking(BARS)
    rows = values_of(drawing)
    assert [row["label"] for row in rows] == ["20.50", "10.00", "3"]
    assert [row["size"] for row in rows] == [20.5, 10.0, 0.0]
    assert [row["name"] for row in rows] == ["A <b>name</b>", "x" * 33 + "…", "less"]
    assert [row["colour"] for row in rows] == ["var(--accent)", "var(--late)", "var(--accent)"]
    assert drawing.spec["layer"][1]["encoding"]["x"]["scale"]["domain"] == [0, 20.5]


def test_columns_have_a_figure_each():
    (drawing,) = charts.columns(BARS)
    assert [(row["name"], row["size"], row["label"]) for row in values_of(drawing)] == [
        (bar.name, bar.size, bar.label) for bar in BARS
    ]


def test_a_trend_has_both_years_and_marks_the_month_that_runs():
    """Wide and narrow are the same months; two months of one name are two places."""
    points = [
        charts.Point("Nov", 5.0, 4.0),
        charts.Point("Dec", 0.0, None),
        charts.Point("Nov", 2.0, 5.0, is_running=True),
    ]
    wide, narrow = charts.trend(points)
    assert (wide.class_, narrow.class_) == ("wide", "narrow")
    assert values_of(wide) == values_of(narrow)
    assert [(row["place"], row["now"], row["before"], row["tone"]) for row in values_of(wide)] == [
        (0, 5.0, 4.0, "closed"),
        (1, 0.0, None, "closed"),
        (2, 2.0, 5.0, "running"),
    ]


def test_lines_leave_out_what_was_not_measured():
    (drawing,) = charts.two_lines([charts.Point("a", 1.0, None), charts.Point("b", None, 3.0)], unit="d")
    assert [(row["place"], row["measure"], row["value"]) for row in values_of(drawing)] == [
        (0, "now", 1.0),
        (1, "before", 3.0),
    ]


@given(st.floats(min_value=0.01, max_value=1e15))
def test_axes_have_few_round_steps(greatest):
    """From nothing up to the greatest value, in equal steps, at most five marks and at least two."""
    ticks = charts._ticks(greatest)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 5 or greatest < 0.02
    assert ticks[-1] <= greatest
    digits = f"{ticks[1]:.0e}" if len(ticks) > 1 else "1e0"
    assert digits[0] in "1235"


def test_an_axis_of_nothing_is_nothing():
    assert charts._ticks(0.0) == [0.0]
