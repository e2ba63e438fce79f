"""What tests of the page share: a site's page, what stands in it, and what its statements answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from pipeline import warehouse
from pipeline.report.page import page
from pipeline.report.values import ReportFacts

ZONE = ZoneInfo("Australia/Sydney")


def facts(*, mask_people: bool = False, written_at: datetime | None = None) -> ReportFacts:
    return ReportFacts(
        site="Test site",
        timezone=str(ZONE),
        run_id="20261127T000000Z",
        written_at=written_at or datetime.now(UTC),
        token_expires_at=datetime(2028, 10, 27, tzinfo=UTC),
        mask_people=mask_people,
    )


def page_of(file: Path, *, mask_people: bool = False) -> str:
    with warehouse.connect(file) as connection:
        return page(connection, facts(mask_people=mask_people))


def changed(night: Path, place: Path, *statements: str) -> Path:
    """A copy of a night's warehouse in which something else stands."""
    file = place / "changed.duckdb"
    file.write_bytes((night / "warehouse.duckdb").resolve().read_bytes())
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)
    return file


@dataclass
class Cell:
    """A value on the page: the statement it comes from, its row and column there, the exact value, and what is read."""

    of: str
    row: int
    column: str
    exact: str | None
    shown: str


@dataclass
class Read(HTMLParser):
    """A page taken apart: its values, its statements, its elements."""

    cells: list[Cell] = field(default_factory=list)
    statements: dict[str, str] = field(default_factory=dict)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    _open: list[tuple[str, Callable[[str], None] | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.elements.append((tag, named))
        if tag in ("meta", "input", "link"):
            return
        self._open.append((tag, self._listener(named)))

    def _listener(self, named: dict[str, str | None]) -> Callable[[str], None] | None:
        if of := named.get("data-of"):
            name, row, column = of.split(":")
            exact = named.get("data-value", named.get("value"))
            cell = Cell(name, int(row), column, exact, "")
            self.cells.append(cell)

            def said(text: str) -> None:
                cell.shown += text

            return said
        if (name := named.get("id") or "").startswith("sql-"):
            self.statements[name.removeprefix("sql-")] = ""

            def written(text: str) -> None:
                self.statements[name.removeprefix("sql-")] += text

            return written
        return None

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, listener in self._open:
            if listener is not None:
                listener(data)


def taken_apart(html: str) -> Read:
    read = Read()
    read.feed(html)
    return read


def answers_of(file: Path, statements: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """What each statement gives on the warehouse, as anybody would run it."""
    with warehouse.connect(file) as connection:
        found = {}
        for name, sql in statements.items():
            asked = connection.execute(sql)
            columns = [one[0] for one in asked.description]
            found[name] = [dict(zip(columns, row, strict=True)) for row in asked.fetchall()]
        return found


def stands_for(shown: str, value: object) -> bool:
    """Whether what people read is this value: written anew here, by the rules of the page and not by its code."""
    if value is None:
        return shown == "\N{EN DASH}"
    if isinstance(value, bool):
        return shown == ("yes" if value else "no")
    if isinstance(value, datetime):
        local = value.astimezone(ZONE)
        hour = f"{local.hour % 12 or 12}:{local.minute:02d} {'pm' if local.hour >= 12 else 'am'}"
        return shown == f"{local.day} {local:%b %Y}, {hour} {local:%Z}"
    if isinstance(value, date):
        return shown in (f"{value.day} {value:%b %Y}", f"{value:%b %Y}")
    if isinstance(value, str):
        return shown == value
    text, unit = re.fullmatch(r"([+\N{MINUS SIGN}]?[0-9,]+(?:\.[0-9]+)?)(.*)", shown).groups()
    assert re.fullmatch(r"[+\N{MINUS SIGN}]?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?", text), shown
    number = Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))
    exact = Decimal(str(value)) / (24 if unit == " days" and not isinstance(value, int) else 1)
    places = len(text.partition(".")[2])
    has_cents = places >= 2 or unit or not isinstance(value, Decimal)
    return has_cents and abs(number - exact) <= Decimal(1).scaleb(-places) / 2


def assert_figures_are_answers(file: Path, read: Read, *, at_least: int) -> None:
    """Every value on the page is what its statement gives, exactly in its attribute and rounded in what is read."""
    answers = answers_of(file, read.statements)
    assert len(read.cells) >= at_least
    for cell in read.cells:
        value = answers[cell.of][cell.row][cell.column]
        if cell.exact is not None:
            assert cell.exact == _exact(value), cell
        else:
            assert cell.shown == value, cell
        is_year = cell.column.endswith("_year")
        assert cell.shown == str(value) if is_year else stands_for(cell.shown, value), (cell, value)


def _exact(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)
