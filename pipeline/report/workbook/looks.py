"""How the workbook looks: colours, fonts, number formats, what columns and sheets are called."""

from __future__ import annotations

import re
from typing import Any

from pipeline.report.workbook.cells import Kind

INK, MUTED, RULE, HEAD, PAPER, MARK = "#1B2A3A", "#6B7785", "#DDE3E9", "#1F4E5F", "#F4F7F9", "#FFF2CC"
FONT = "Calibri"
LONGEST_SHEET_NAME = 31
_CAPITALS = {one.lower(): one for one in "GST BAS FBT GL ABN WBS ID URL AP".split()}
_PLAIN_AMOUNT = "#,##0.00##_);[Red]-#,##0.00##_)"
_FORMATS = {
    Kind.NUMBER: _PLAIN_AMOUNT,
    Kind.COUNT: "#,##0_);[Red]-#,##0_)",
    Kind.DAY: "[$-C09]dd/mm/yyyy",
    Kind.INSTANT: "[$-C09]dd/mm/yyyy hh:mm:ss",
}
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


class Looks:
    """The formats of one workbook: it wants each that is used made once, by itself."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, object], ...], Any] = {}

    def of(self, **properties: object) -> Any:
        """The format with some properties, on top of what is the same everywhere."""
        known = {"font_name": FONT, "font_size": 10, "font_color": INK, "valign": "vcenter", **properties}
        key = tuple(sorted(known.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(known)
        return self._made[key]

    def cell(self, kind: Kind, *, is_id: bool = False, currency: str | None = None) -> Any:
        """How values of a column are shown; an amount with its currency before it, as accountants do."""
        how: dict[str, object] = {}
        if kind is Kind.AMOUNT:
            how["num_format"] = amount_format(currency)
        elif kind in _FORMATS:
            how["num_format"] = _FORMATS[kind]
        if kind in (Kind.TEXT, Kind.TRUTH):
            how["quote_prefix"] = True  # text it stays, also when somebody edits the cell
        if kind in (Kind.DAY, Kind.INSTANT):
            how["align"] = "left"
        if is_id:
            how["font_color"] = MUTED
        return self.of(**how)

    def marked(self, kind: Kind) -> Any:
        """How something is shown that does not stand there as it is."""
        align = "left" if kind in (Kind.TEXT, Kind.TRUTH, Kind.DAY, Kind.INSTANT) else "right"
        return self.of(bg_color=MARK, align=align, quote_prefix=True)


def amount_format(currency: str | None) -> str:
    """The number format of an amount; whoever sees the figure sees its currency."""
    if currency is None or not _CURRENCY.match(currency):
        return _PLAIN_AMOUNT
    code = f"[${currency}]\\ "
    return f"{code}#,##0.00##_);[Red]{code}-#,##0.00##_)"


def worded(name: str) -> str:
    """A name as people say it: `gst_bas` is GST BAS, `is_spend` is Is spend."""
    words = [_CAPITALS.get(word, word) for word in name.strip("_").split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def sheet_names(names: list[str]) -> dict[str, str]:
    """What the sheets of tables are called: short enough, and none twice, whatever their case."""
    found: dict[str, str] = {}
    taken = {"cover"}
    for name in names:
        wanted = re.sub(r"[\[\]:*?/\\']", " ", worded(name))[:LONGEST_SHEET_NAME]
        number = 2
        while wanted.lower() in taken:
            wanted = f"{worded(name)[: LONGEST_SHEET_NAME - 4]} {number}"
            number += 1
        taken.add(wanted.lower())
        found[name] = wanted
    return found
