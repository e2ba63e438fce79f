"""Charts as Vega-Lite specifications, drawn once so that the page needs no script to show them.

Colours are the page's own CSS variables, so a chart follows light, dark and print. Amounts are floats here and nowhere
else: as lengths of marks; every label is text that was made from the exact value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.report.page.wording import brief_money

WIDE: Final = 860
NARROW: Final = 348
_CONFIG: Final[dict[str, Any]] = {
    "background": None,
    "padding": {"left": 0, "right": 0, "top": 4, "bottom": 4},
    "font": "Liberation Sans",
    "view": {"stroke": None},
    "aria": False,
    "axis": {
        "labelColor": "var(--soft)",
        "labelFontSize": 11.5,
        "domain": False,
        "ticks": False,
        "title": None,
        "gridColor": "var(--rule)",
        "labelPadding": 6,
    },
    "axisX": {"grid": False, "labelAngle": 0},
    "axisBand": {"domain": True, "domainColor": "var(--line)"},
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it is called, how long it is, what stands beside it, and which of the page's colours it has."""

    name: str
    size: float
    label: str
    colour: str = "accent"


@dataclass(frozen=True, slots=True)
class Point:
    """One place on a time axis with what is measured there; None where nothing was."""

    name: str
    now: float | None
    before: float | None
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn, and the class its picture has on the page."""

    spec: dict[str, Any]
    class_: str = "chart"


def _drawing(spec: dict[str, Any], class_: str = "chart") -> Drawing:
    return Drawing({**spec, "config": _CONFIG}, class_)


def _time_axis(points: Sequence[Point], width: int) -> dict[str, Any]:
    """Places in time with their names; on a narrow axis every second from the newest back."""
    step = 2 if width <= NARROW and len(points) > 8 else 1
    shown = list(range(len(points)))[::-1][::step]
    return {"values": shown, "labelExpr": _named(shown, [points[place].name for place in shown]), "labelOverlap": False}


def _ticks(greatest: float) -> list[float]:
    """Round steps for an axis from 0: three or four of them."""
    if greatest <= 0:
        return [0.0]
    magnitude = 10.0 ** (len(str(int(greatest))) - 1) if greatest >= 1 else 0.1
    step = next(step for step in (s * magnitude for s in (0.1, 0.2, 0.25, 0.5, 1, 2, 2.5)) if greatest / step <= 4)
    return [step * n for n in range(int(greatest / step) + 1)]


def _named(values: Sequence[float], names: Sequence[str]) -> str:
    """An expression that gives each value its name; names are this program's own."""
    return f"{json.dumps(list(names))}[indexof({json.dumps(list(values))}, datum.value)]"


def _value_axis(ticks: list[float], labels: Sequence[str]) -> dict[str, Any]:
    return {"values": ticks, "labelExpr": _named(ticks, labels)}


def trend(points: Sequence[Point]) -> tuple[Drawing, ...]:
    """Columns month by month, with a mark where the same month stood a year before: wide, and narrow for phones."""
    return tuple(_trend(points, width) for width in (WIDE, NARROW))


def _trend(points: Sequence[Point], width: int) -> Drawing:
    ticks = _ticks(max([0.0, *(value for p in points for value in (p.now, p.before) if value is not None)]))
    rows = [
        {"place": n, "now": p.now, "before": p.before, "tone": "running" if p.is_running else "closed"}
        for n, p in enumerate(points)
    ]
    x = {
        "field": "place",
        "type": "ordinal",
        "scale": {"paddingInner": 0.34, "paddingOuter": 0.2},
        "axis": _time_axis(points, width),
    }
    y = {
        "type": "quantitative",
        "axis": _value_axis(ticks, [brief_money(tick) for tick in ticks]),
        "scale": {"nice": False},
    }
    tones = {"domain": ["closed", "running"], "range": ["var(--accent)", "var(--accent-soft)"]}
    spec = {
        "width": width - 46,
        "height": 250 if width == WIDE else 190,
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 1.5},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "now"},
                    "color": {"field": "tone", "type": "nominal", "scale": tones, "legend": None},
                },
            },
            {
                "mark": {
                    "type": "tick",
                    "thickness": 2.5,
                    "color": "var(--before)",
                    "bandSize": 34 if width == WIDE else 20,
                },
                "encoding": {"x": x, "y": {**y, "field": "before"}},
            },
        ],
    }
    return _drawing(spec, "wide" if width == WIDE else "narrow")


def columns(bars: Sequence[Bar]) -> tuple[Drawing, ...]:
    """Upright bars, each with its figure on top."""
    rows = [{"name": b.name, "size": b.size, "label": b.label, "colour": f"var(--{b.colour})"} for b in bars]
    x = {"field": "name", "type": "ordinal", "sort": None, "scale": {"paddingInner": 0.28, "paddingOuter": 0.12}}
    y = {"field": "size", "type": "quantitative", "axis": None}
    spec = {
        "width": NARROW,
        "height": 170,
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 1.5},
                "encoding": {"x": x, "y": y, "color": {"field": "colour", "type": "nominal", "scale": None}},
            },
            {
                "mark": {"type": "text", "dy": -7, "fontSize": 11.5, "color": "var(--ink)", "baseline": "bottom"},
                "encoding": {"x": x, "y": y, "text": {"field": "label"}},
            },
        ],
    }
    return (_drawing(spec),)


def ranking(bars: Sequence[Bar]) -> tuple[Drawing, ...]:
    """Lying bars, the greatest on top: the name above each, its figure at the right edge."""
    width, row_height = NARROW, 33
    rows = [
        {
            "place": n,
            "name": b.name if len(b.name) <= 34 else b.name[:33].rstrip() + "…",
            "size": max(b.size, 0.0),
            "label": b.label,
            "colour": f"var(--{b.colour})",
        }
        for n, b in enumerate(bars)
    ]
    y = {"field": "place", "type": "ordinal", "axis": None, "scale": {"padding": 0}}
    text = {"type": "text", "fontSize": 12, "baseline": "bottom", "dy": 1}
    greatest = max([1e-9, *(row["size"] for row in rows if isinstance(row["size"], float))])
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, greatest], "nice": False}}
    spec = {
        "width": width,
        "height": row_height * max(len(rows), 1),
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "height": 6, "yOffset": 9, "color": "var(--rule)"},
                "encoding": {"y": y, "x": {**x, "datum": greatest}},
            },
            {
                "mark": {"type": "bar", "height": 6, "yOffset": 9},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": "size"},
                    "color": {"field": "colour", "type": "nominal", "scale": None},
                },
            },
            {
                "mark": {**text, "align": "left", "color": "var(--ink)"},
                "encoding": {"y": y, "x": {"value": 0}, "text": {"field": "name"}},
            },
            {
                "mark": {**text, "align": "right", "color": "var(--ink)"},
                "encoding": {"y": y, "x": {"value": width}, "text": {"field": "label"}},
            },
        ],
    }
    return (_drawing(spec),)


def two_lines(points: Sequence[Point], *, unit: str) -> tuple[Drawing, ...]:
    """Two measures month by month: `now` drawn strongly, `before` lightly above it."""
    ticks = _ticks(max([0.0, *(value for p in points for value in (p.now, p.before) if value is not None)]))
    rows = [
        {"place": n, "measure": measure, "value": value}
        for n, p in enumerate(points)
        for measure, value in (("now", p.now), ("before", p.before))
        if value is not None
    ]
    spec = {
        "width": NARROW - 46,
        "height": 170,
        "data": {"values": rows},
        "mark": {"type": "line", "point": {"size": 18, "filled": True}, "strokeWidth": 1.8},
        "encoding": {
            "x": {
                "field": "place",
                "type": "ordinal",
                "scale": {"domain": list(range(len(points)))},
                "axis": _time_axis(points, NARROW),
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "axis": _value_axis(ticks, [f"{brief_money(tick)} {unit}" for tick in ticks]),
            },
            "color": {
                "field": "measure",
                "type": "nominal",
                "scale": {"domain": ["now", "before"], "range": ["var(--accent)", "var(--before)"]},
                "legend": None,
            },
        },
    }
    return (_drawing(spec),)
