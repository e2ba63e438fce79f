"""The cover: which site, how old the data is, control totals, the sheets, and what is not in the workbook as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.report.values import ReportFacts
from pipeline.report.workbook.asking import CELLS_A_SHEET, ROWS_A_SHEET, ControlTotal, Sheet
from pipeline.report.workbook.cells import Kind, Seen, fits
from pipeline.report.workbook.looks import HEAD, INK, MUTED, PAPER, RULE, Looks, amount_format, worded

_WIDTHS = (3, 28, 11, 17, 17, 19, 62)
_LINE: dict[str, object] = {"bottom": 1, "bottom_color": RULE}
# Where counts go that are not known yet.
_TOO_EXACT, _TOO_LONG, _NO_DAY = "\ue000too-exact\ue000", "\ue000too-long\ue000", "\ue000no-day\ue000"
_LAST = len(_WIDTHS) - 1


@dataclass(frozen=True, slots=True)
class Left:
    """One sheet, and how many of its values do not stand there as they are in the warehouse."""

    sheet: Sheet
    seen: Seen


def write_cover(
    page: Any,
    looks: Looks,
    facts: ReportFacts,
    as_at: datetime,
    totals: Sequence[ControlTotal],
    names: dict[str, str],
    sheets: Sequence[Sheet],
) -> None:
    """Everything on the first sheet, top to bottom."""
    page.hide_gridlines(2)
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.set_footer("&L&8&A&R&8&P / &N")
    for place, width in enumerate(_WIDTHS):
        page.set_column(place, place, width)
    at = _write_title(page, looks, facts, as_at)
    at = _write_totals(page, looks, totals, at + 1)
    at = _write_sheets(page, looks, names, sheets, at + 1)
    _write_notes(page, looks, facts, sheets, at + 1)


def _write_title(page: Any, looks: Looks, facts: ReportFacts, as_at: datetime) -> int:
    page.set_row(0, 8)
    page.set_row(1, 32)
    page.write_string(1, 1, facts.site, looks.of(font_size=24, bold=True, font_color=HEAD))
    page.write_string(
        2, 1, "Expense claims and supplier invoices, from ProSpend", looks.of(font_size=12, font_color=MUTED)
    )
    zone = ZoneInfo(facts.timezone)
    hours = (facts.written_at - as_at).total_seconds() / 3600
    told = [
        ("Data as at", f"{_clock(as_at, zone)}, {hours:,.1f} hours old when this was written"),
        ("Written at", _clock(facts.written_at, zone)),
        ("Run", facts.run_id),
        ("Times", f"by the clock of {facts.timezone}"),
    ]
    if facts.token_expires_at is not None:
        left = (facts.token_expires_at - facts.written_at).days
        told.append(("API token expires", f"{facts.token_expires_at.astimezone(zone):%d/%m/%Y}, {left:,} days left"))
    for at, (label, text) in enumerate(told, 4):
        page.write_string(at, 1, label, looks.of(font_color=MUTED))
        page.write_string(at, 2, text, looks.of(bold=label == "Data as at"))
    return 4 + len(told)


def _write_totals(page: Any, looks: Looks, totals: Sequence[ControlTotal], at: int) -> int:
    """Sums of all documents, each in its currency; none is ever added to another."""
    at = _heading(
        page,
        looks,
        at,
        "Control totals",
        "all documents whatever their status; compared with what the source sent, to the last digit",
    )
    if not totals:
        page.write_string(at, 1, "none", looks.of(font_color=MUTED))
        return at + 1
    _head(page, looks, at, ("Documents", "Amounts", "Net", "Tax", "Gross"), right_from=1)
    before = ""
    for one in totals:
        at += 1
        is_new = one.table != before
        before = one.table
        page.write_string(at, 1, worded(one.table) if is_new else "", looks.of(**_LINE))
        page.write_number(at, 2, one.count, looks.of(num_format="#,##0_)", **_LINE))
        for place, amount in enumerate((one.net, one.tax, one.gross), 3):
            _write_amount(page, looks, at, place, amount, one.currency)
    return at + 1


def _write_sheets(page: Any, looks: Looks, names: dict[str, str], sheets: Sequence[Sheet], at: int) -> int:
    at = _heading(
        page, looks, at, "Sheets", "click a name to go there; each column's heading has a note with its meaning"
    )
    if not sheets:
        page.write_string(at, 1, "none: the warehouse has no marts", looks.of(font_color=MUTED))
        return at + 1
    _head(page, looks, at, ("Sheet", "Rows", "One row is", "", "", ""), right_from=1, right_to=1)
    for sheet in sheets:
        at += 1
        name = names[sheet.table.name]
        link = looks.of(font_color=HEAD, underline=1, valign="top", **_LINE)
        page.write_url(at, 1, f"internal:'{name}'!A1", link, name)
        page.write_number(at, 2, sheet.row_count, looks.of(num_format="#,##0_)", valign="top", **_LINE))
        text = looks.of(**_LINE, text_wrap=True, valign="top", font_color=MUTED, indent=1)
        page.merge_range(at, 3, at, _LAST, "", text)
        page.write_string(at, 3, sheet.table.about or "no description", text)
        page.set_row(at, 15 * max(1, -(-len(sheet.table.about) // 150)) + 2)
    return at + 1


def _write_notes(page: Any, looks: Looks, facts: ReportFacts, sheets: Sequence[Sheet], at: int) -> None:
    """What is not here, or not as it is; never in silence."""
    at = _heading(page, looks, at, "What to know", "")
    for text in _notes(facts, sheets):
        page.merge_range(at, 1, at, _LAST, "", looks.of(text_wrap=True, valign="top"))
        page.write_string(at, 1, text, looks.of(text_wrap=True, valign="top", font_color=INK))
        page.set_row(at, 15 * max(1, -(-len(text) // 150)))
        at += 1


def _notes(facts: ReportFacts, sheets: Sequence[Sheet]) -> list[str]:
    short = [
        f"{one.table.name} ({one.shown:,} of {one.row_count:,} rows)" for one in sheets if one.shown < one.row_count
    ]
    extent = "No sheet is cut short."
    if short:
        extent = (
            f"Cut short are {', '.join(short)}: the sheet says what it shows; all of them are in "
            "the warehouse and in the files of `prospend export csv`."
        )
    people = "People are shown by name (report.mask_people)."
    if facts.mask_people:
        people = (
            "People are masked: made-up names stand in place of names and ids, the same on every sheet and every "
            "night; what people wrote is hidden."
        )
    return [
        "Amounts of different currencies are never added. Before you add a column up, filter it by its currency.",
        "Rows that are deleted at the source are left out. Nothing in this workbook is a formula.",
        f"A sheet holds {ROWS_A_SHEET:,} rows and {CELLS_A_SHEET:,} cells at most. {extent}",
        f"Numbers with more digits than the 15 of a spreadsheet stand as text, exact, on yellow: {_TOO_EXACT}.",
        f"Texts that are longer than a cell can be end with how much is missing, on yellow: {_TOO_LONG}.",
        f"Days that a spreadsheet cannot show, such as those before 1900, stand as text, on yellow: {_NO_DAY}.",
        "Control characters are shown as pictures, such as \u2400.",
        people,
    ]


def with_counts(texts: bytes, seen: Sequence[Seen]) -> bytes:
    """The cover's texts, with how many values did not fit: that is known when all rows stand."""
    counts = {
        _TOO_EXACT: sum(one.too_exact for one in seen),
        _TOO_LONG: sum(one.too_long for one in seen),
        _NO_DAY: sum(one.no_day for one in seen),
    }
    for token, count in counts.items():
        texts = texts.replace(token.encode(), f"{count:,}".encode() if count else b"none")
    return texts


def _heading(page: Any, looks: Looks, at: int, text: str, about: str) -> int:
    page.set_row(at, 22)
    page.write_string(at, 1, text, looks.of(font_size=14, bold=True, font_color=HEAD))
    page.write_string(at, 3, about, looks.of(font_color=MUTED))
    return at + 1


def _head(page: Any, looks: Looks, at: int, labels: Sequence[str], *, right_from: int, right_to: int = 99) -> None:
    for place, label in enumerate(labels, 1):
        align = "right" if right_from <= place - 1 <= right_to else "left"
        page.write_string(
            at, place, label, looks.of(bold=True, bg_color=PAPER, align=align, bottom=1, bottom_color=HEAD)
        )


def _write_amount(page: Any, looks: Looks, at: int, place: int, amount: Decimal | None, currency: str) -> None:
    how = looks.of(num_format=amount_format(currency), **_LINE)
    if amount is None:
        page.write_blank(at, place, None, how)
    elif fits(f"{amount:f}"):
        page.write_number(at, place, float(amount), how)
    else:
        page.write_string(at, place, f"{currency} {amount:f}", looks.marked(Kind.AMOUNT))


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%A, %d %B %Y, %H:%M %Z}"
