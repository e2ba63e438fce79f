"""Bars with their numbers as an SVG, readable on light and dark pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LABELS, _NUMBERS, _BAR, _GAP, _HEAD = 860, 330, 90, 18, 8, 34
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; }
  .bar { fill: #8c959f; }
  .ours { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .bar { fill: #6e7681; }
    .ours { fill: #4493f8; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: what it is, how long, and the number as it is written beside it."""

    label: str
    value: float
    shown: str
    is_ours: bool = False


@dataclass(frozen=True)
class Panel:
    """Bars that share a scale, under a title."""

    title: str
    bars: tuple[Bar, ...]


def chart(panels: Sequence[Panel]) -> str:
    """All panels under one another, the shortest bar of each on top."""
    parts, top = [], 0
    for panel in panels:
        parts.append(f'  <text class="title" x="0" y="{top + 18}">{escape(panel.title)}</text>')
        longest = max((bar.value for bar in panel.bars), default=0) or 1
        for place, bar in enumerate(sorted(panel.bars, key=lambda one: one.value)):
            y = top + _HEAD + place * (_BAR + _GAP)
            length = max(1.0, bar.value / longest * (_WIDTH - _LABELS - _NUMBERS))
            kind = "bar ours" if bar.is_ours else "bar"
            parts += [
                f'  <text x="{_LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(bar.label)}</text>',
                f'  <rect class="{kind}" x="{_LABELS}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2"/>',
                f'  <text x="{_LABELS + length + 6:.1f}" y="{y + 14}">{escape(bar.shown)}</text>',
            ]
        top += _HEAD + len(panel.bars) * (_BAR + _GAP) + 12
    titles = "; ".join(panel.title for panel in panels)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}" role="img">',
            f"  <title>{escape(titles)}</title>",
            f"  <style>{_STYLE}  </style>",
            *parts,
            "</svg>\n",
        )
    )
