"""The places of charts on the page, and the pictures that are put there once all are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.report.page.charts import Drawing
from pipeline.report.page.markup import Markup, raw, tag

Draw = Callable[[Sequence[dict[str, Any]]], list[str] | None]
"""Each specification as SVG; None where nothing can be drawn."""

UNDRAWN = "The chart could not be drawn on this machine. Its figures are in the table."


@dataclass(slots=True)
class Pictures:
    """What is to be drawn, in the order of its places."""

    _wanted: list[tuple[Drawing, str]] = field(default_factory=list)

    def place(self, drawings: Sequence[Drawing], about: str) -> Markup:
        """A place for some drawings of the same figures, of which readers see one; `about` is their text."""
        first = len(self._wanted)
        self._wanted += [(drawing, about) for drawing in drawings]
        return raw("".join(f"<svg {first + n}/>" for n in range(len(drawings))))

    def filled(self, html: str, draw: Draw) -> str:
        """The page with all pictures, or a word on why there are none. No text of the books can look like a place."""
        drawn = draw([drawing.spec for drawing, _ in self._wanted])
        if drawn is None:
            return re.sub(r"(<svg [0-9]+/>)+", tag("p", UNDRAWN, class_="missing"), html)
        return re.sub(r"<svg ([0-9]+)/>", lambda found: self._picture(int(found[1]), drawn[int(found[1])]), html)

    def _picture(self, place: int, svg: str) -> str:
        """One picture, told to screen readers by its text, without what only an editor of drawings would need."""
        drawing, about = self._wanted[place]
        svg = re.sub(r' (?:style|font-family|xmlns:xlink|role|aria-\w+|class|version|opacity)="[^"]*"', "", svg)
        svg = re.sub(r'<path d=""[^>]*/>|<path d="M0,0h0v0h0Z"[^>]*/>', "", svg)
        svg = re.sub(r"<g>\s*</g>", "", svg)
        width, height = re.findall(r'(?:width|height)="([\d.]+)"', svg)[:2]
        return tag(
            "svg",
            raw(svg[svg.index(">") + 1 : svg.rindex("</svg>")]),
            viewBox=f"0 0 {width} {height}",
            width=width,
            height=height,
            role="img",
            aria_label=about,
            class_=drawing.class_,
        )
