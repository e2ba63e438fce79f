"""One sheet: what a row is, the names of the columns with notes, and one row after another.

XlsxWriter makes everything but the rows, and one row that shows each look that a cell of the sheet can have; the rows
themselves are written by that pattern. It would take a minute for what takes seconds so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from xlsxwriter.utility import xl_col_to_name

from pipeline.report.people import People
from pipeline.report.reading import Column, Connection, rows
from pipeline.report.workbook.asking import Sheet, known_currencies
from pipeline.report.workbook.cells import Kind, Marked, Seen, as_xml, cells_of, kind_of
from pipeline.report.workbook.looks import HEAD, INK, MUTED, RULE, Looks, worded

HEADER_ROW = 4
_PATTERN = re.compile(rf'<row r="{HEADER_ROW + 2}".*?</row>', re.DOTALL)
_STYLE = re.compile(r'<c r="[A-Z]+\d+" s="(\d+)"')
_EXTENT = re.compile(r'<dimension ref="[^"]*"/>')
_NARROWEST, _WIDEST = 9, 44
_OF_KIND = {Kind.AMOUNT: 18, Kind.NUMBER: 12, Kind.COUNT: 10, Kind.DAY: 12, Kind.INSTANT: 19, Kind.TRUTH: 9}
_ROWS_AT_ONCE = 4096
_READ_AT_ONCE = 120  # characters beside each other
_PRINTED_ON_ONE = 20  # columns: more would be too small to read
_RIGHT = (Kind.AMOUNT, Kind.NUMBER, Kind.COUNT)
_TEXTS = (Kind.TEXT, Kind.TRUTH)


@dataclass(slots=True)
class Shown:
    """A column on its sheet: how its values are shown, by the number that a style has in the file."""

    column: Column
    kind: Kind
    currency_at: int | None
    plain: str = ""
    marked: str = ""
    by_currency: dict[str | None, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the column is called."""
        return worded(self.column.name)

    @property
    def is_id(self) -> bool:
        """Whether it is a key rather than something to read."""
        return self.column.name.endswith("_id")


@dataclass(slots=True)
class Page:
    """One sheet while the workbook is made."""

    sheet: Sheet
    columns: list[Shown]
    currencies: list[str]
    seen: Seen = field(default_factory=Seen)


def page_of(connection: Connection, sheet: Sheet) -> Page:
    """What there is to know of a sheet before it is made."""
    names = [one.name for one in sheet.table.columns]
    columns = [
        Shown(
            one,
            kind_of(one.type, is_money=one.name in sheet.currencies),
            names.index(sheet.currencies[one.name]) if sheet.currencies.get(one.name) in names else None,
        )
        for one in sheet.table.columns
    ]
    return Page(sheet, columns, known_currencies(connection, sheet))


def write_frame(to: Any, looks: Looks, page: Page, widths: list[float], zone: ZoneInfo) -> None:
    """Everything on the sheet but its rows, and the pattern of a row."""
    last = len(page.columns) - 1
    to.set_landscape()
    to.set_paper(9)  # A4
    to.fit_to_pages(1 if last < _PRINTED_ON_ONE else 0, 0)
    to.repeat_rows(HEADER_ROW)
    to.set_footer("&L&8&A&R&8&P / &N")
    to.freeze_panes(HEADER_ROW + 1, 0)
    to.autofilter(HEADER_ROW, 0, HEADER_ROW + max(page.sheet.shown, 1), last)
    _write_top(to, looks, page, widths, zone)
    at = 0
    for place, (one, width) in enumerate(zip(page.columns, widths, strict=True)):
        to.set_column(place, place, width)
        for look in _looks_of(looks, one, page.currencies):
            to.write_number(HEADER_ROW + 1, at, 0, look)
            at += 1


def _looks_of(looks: Looks, one: Shown, currencies: list[str]) -> Iterator[Any]:
    yield looks.cell(one.kind, is_id=one.is_id)
    yield looks.marked(one.kind)
    if one.currency_at is not None:
        yield from (looks.cell(Kind.AMOUNT, currency=currency) for currency in currencies)


def _write_top(to: Any, looks: Looks, page: Page, widths: list[float], zone: ZoneInfo) -> None:
    """What a row is, what is left out, and the names of the columns."""
    sheet = page.sheet
    to.set_row(0, 26)
    to.write_string(0, 0, worded(sheet.table.name), looks.of(font_size=16, bold=True, font_color=HEAD))
    _write_about(to, sheet.table.about, looks.of(font_color=MUTED, text_wrap=True, valign="top"), widths)
    to.write_string(2, 0, _extent(sheet), looks.of(font_color=MUTED if sheet.shown == sheet.row_count else INK))
    to.write_url(3, 0, "internal:'Cover'!A1", looks.of(font_color=HEAD, underline=1), "Cover")
    to.set_row(HEADER_ROW, 32)
    for place, one in enumerate(page.columns):
        align = "right" if one.kind in _RIGHT else "left"
        head = {"bold": True, "font_color": "#FFFFFF", "bg_color": HEAD, "right": 1, "right_color": RULE}
        to.write_string(
            HEADER_ROW, place, one.label, looks.of(**head, text_wrap=True, align=align, indent=int(align == "right"))
        )
        to.write_comment(HEADER_ROW, place, _note(one.column, one.kind, zone), {"x_scale": 2, "font_size": 9})


def _write_about(to: Any, about: str, how: Any, widths: list[float]) -> None:
    """What a row is, over so many columns as a reader has before their eyes, as high as it needs."""
    last = next((at for at in range(len(widths)) if sum(widths[: at + 1]) > _READ_AT_ONCE), len(widths) - 1)
    if last:
        to.merge_range(1, 0, 1, last, "", how)
    to.write_string(1, 0, about, how)
    lines = -(-len(about) // int(sum(widths[: last + 1]) * 1.25))
    to.set_row(1, 14 * max(1, lines) + 2)


def _extent(sheet: Sheet) -> str:
    """How much of the mart the sheet shows; where the rest is, if there is one."""
    if sheet.shown == sheet.row_count:
        return f"{sheet.row_count:,} row{'' if sheet.row_count == 1 else 's'}: all of them"
    which = f"the newest by {worded(sheet.by).lower()}" if sheet.by else "the first in order of their keys"
    return (
        f"{sheet.shown:,} of {sheet.row_count:,} rows: {which}. All of them are in {sheet.table.full_name} of the "
        f"warehouse, and in the files of `prospend export csv`"
    )


def _note(column: Column, kind: Kind, zone: ZoneInfo) -> str:
    clock = f"\nBy the clock of {zone}." if kind is Kind.INSTANT else ""
    return f"{column.name}: {column.about or 'no description'}{clock}"


# ---- rows -----------------------------------------------------------------------------------------------------------


def pieces(
    connection: Connection, query: str, page: Page, zone: ZoneInfo, people: People | None
) -> Iterator[list[list[Any]]]:
    """Rows of a sheet, some at a time, column by column, as the text of cells."""
    for some in rows(connection, query):
        for start in range(0, some.num_rows, _ROWS_AT_ONCE):
            part = some.slice(start, _ROWS_AT_ONCE)
            cells: list[list[Any]] = [
                cells_of(values, one.kind, zone, page.seen)
                for values, one in zip(part.columns, page.columns, strict=True)
            ]
            yield cells if people is None else people.masked(page.sheet.table, cells)


def widths_of(page: Page, first: list[list[Any]] | None) -> list[float]:
    """How wide columns are: for most of the first values, and for the name with its filter button."""
    found = []
    for place, one in enumerate(page.columns):
        lengths = sorted(len(value) for value in (first[place] if first else ()) if value) or [0]
        longest = lengths[int((len(lengths) - 1) * 0.95)]
        wanted = max(_OF_KIND.get(one.kind, longest * 0.95 + 2), min(len(one.label) + 5, 18))
        found.append(float(min(max(wanted, _NARROWEST), _WIDEST)))
    return found


def filled(frame: str, page: Page, some: Iterator[list[list[Any]]]) -> Iterator[str]:
    """The sheet's XML with rows in place of the pattern, piece by piece.

    Args:
        frame: as XlsxWriter made it.
        page: of the sheet.
        some: its rows.
    """
    pattern = _PATTERN.search(frame)
    assert pattern is not None
    _read_styles(page, pattern[0])
    last = f"{xl_col_to_name(len(page.columns) - 1)}{HEADER_ROW + 1 + page.sheet.shown}"
    yield _EXTENT.sub(f'<dimension ref="A1:{last}"/>', frame[: pattern.start()])
    at = HEADER_ROW + 2
    letters = [xl_col_to_name(place) for place in range(len(page.columns))]
    for cells in some:
        parts = [_fragments(one, values, cells) for one, values in zip(page.columns, cells, strict=True)]
        for row in zip(*parts, strict=True):
            inside = "".join(
                [f'<c r="{letter}{at}"{part}' for letter, part in zip(letters, row, strict=True) if part is not None]
            )
            yield f'<row r="{at}">{inside}</row>'
            at += 1
    yield frame[pattern.end() :]


def _read_styles(page: Page, pattern: str) -> None:
    styles = iter(_STYLE.findall(pattern))
    for one in page.columns:
        one.plain, one.marked = next(styles), next(styles)
        if one.currency_at is not None:
            one.by_currency = {currency: next(styles) for currency in page.currencies}


def _fragments(one: Shown, values: list[Any], cells: list[list[Any]]) -> list[str | None]:
    """Each cell of a column from its style on; None for one that is empty."""
    if one.currency_at is not None:
        known, plain = one.by_currency, one.plain
        return [
            None if value is None else _marked(one, value) or f' s="{known.get(of, plain)}"><v>{value}</v></c>'
            for value, of in zip(values, cells[one.currency_at], strict=True)
        ]
    if one.kind in _TEXTS:
        before = f' s="{one.plain}" t="inlineStr"><is><t xml:space="preserve">'
        return [
            None if value is None else _marked(one, value) or f"{before}{as_xml(value)}</t></is></c>"
            for value in values
        ]
    return [
        None if value is None else _marked(one, value) or f' s="{one.plain}"><v>{value}</v></c>' for value in values
    ]


def _marked(one: Shown, value: str) -> str:
    if type(value) is not Marked:
        return ""
    return f' s="{one.marked}" t="inlineStr"><is><t xml:space="preserve">{as_xml(value)}</t></is></c>'
