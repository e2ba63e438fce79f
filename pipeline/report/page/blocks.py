"""What the page is made of: values that name their statement, tables, and the statement beside each figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.report.page import wording
from pipeline.report.page.answers import Answer
from pipeline.report.page.markup import Child, Markup, joined, tag

_WRITERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "text": str,
    "code": str,
    "money": wording.money,
    "count": wording.number,
    "percent": lambda value: f"{wording.number(value, places=1)} %",
    "change": wording.change,
    "day": wording.day,
    "month": wording.month,
    "hours": wording.hours,
    "days": lambda value: wording.count_of(value, "day"),
    "year": str,
    "flag": lambda value: "yes" if value else "no",
}
_UNBROKEN: Final = {"code", "day", "month", "flag"}
_NUMERIC: Final = {"money", "count", "percent", "change", "hours", "days"}


@dataclass(frozen=True, slots=True)
class Column:
    """How one column of an answer is shown: its name there, its heading, and as what it is written."""

    name: str
    title: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Writer:
    """Values as they are shown to people, in the site's time zone."""

    zone: ZoneInfo

    def text(self, value: object, kind: str) -> str:
        """A value for people; a dash where there is none."""
        if value is None:
            return wording.NOTHING
        if kind == "moment":
            return self._moment(value)  # type: ignore[arg-type]
        return _WRITERS[kind](value)

    def _moment(self, value: datetime) -> str:
        try:
            return wording.moment(value, self.zone)
        except OverflowError:  # the last hours that a clock knows are of the year 10000 elsewhere
            return wording.NOTHING

    def of(self, answer: Answer, row: int, column: str, kind: str, *, class_: str | None = None) -> Markup:
        """One value, with the exact one and the statement that gives it named in attributes."""
        value = answer.value(row, column)
        shown: Child = self.text(value, kind)
        if kind == "money" and class_ == "big" and isinstance(shown, str) and "." in shown:
            whole, _, cents = shown.partition(".")
            shown = joined(whole, tag("span", f".{cents}", class_="cents"))
        return tag(
            "data", shown, value=wording.exact(value), data_of=f"{answer.name}:{row}:{column}", class_=class_
        )  # fmt: skip

    def table(
        self,
        answer: Answer,
        columns: Sequence[Column],
        *,
        caption: str,
        rows: Sequence[int] | None = None,
        is_titled: bool = False,
        is_searched: bool = False,
        note: Child = None,
    ) -> Markup:
        """A table of some rows, with a heading that sorts each column and, if wanted, a field that searches.

        Its caption is for screen readers only, unless it `is_titled`: the figure around it has a title of its own.
        """
        chosen = range(len(answer.rows)) if rows is None else rows
        if not chosen:
            return tag("p", f"{caption}: none.", class_="none")
        head = tag("tr", [self._heading(column) for column in columns])
        body = [
            tag("tr", [self._cell(answer, row, column, n == 0) for n, column in enumerate(columns)]) for row in chosen
        ]
        return tag(
            "div",
            tag("div", class_="find", data_for=caption, hidden=True) if is_searched else None,
            tag(
                "div",
                tag(
                    "table",
                    tag("caption", caption if is_titled else tag("span", caption, class_="unseen")),
                    tag("thead", head),
                    tag("tbody", body),
                    class_="sorted",
                ),
                class_="scroll",
                tabindex="0",
                role="group",
                aria_label=f"{caption}, table",
            ),
            tag("p", note, class_="note") if note else None,
            class_="table",
        )

    def _heading(self, column: Column) -> Markup:
        return tag("th", column.title, scope="col", class_="number" if column.kind in _NUMERIC else None)

    def _cell(self, answer: Answer, row: int, column: Column, is_first: bool) -> Markup:
        value = answer.value(row, column.name)
        is_number = column.kind in _NUMERIC
        return tag(
            "th" if is_first else "td",
            self.text(value, column.kind),
            scope="row" if is_first else None,
            class_="number" if is_number else "unbroken" if column.kind in _UNBROKEN else None,
            data_of=f"{answer.name}:{row}:{column.name}",
            data_value=None if column.kind in {"text", "code"} and value is not None else wording.exact(value),
        )


def how(answer: Answer, title: str, *, is_named: bool = False) -> Markup:
    """The statement behind some figures, folded away."""
    return tag(
        "details",
        tag("summary", "SQL", tag("span", f" for {title}", class_=None if is_named else "unseen")),
        tag("pre", tag("code", answer.sql, id=f"sql-{answer.name}"), tabindex="0", aria_label=f"SQL for {title}"),
        class_="sql",
    )


def folded(summary: str, *content: Child) -> Markup:
    """Content that is opened by whoever wants it."""
    return tag("details", tag("summary", summary), *content, class_="more")


def figure(title: str, answer: Answer, *content: Child, lead: Child = None, class_: str = "figure") -> Markup:
    """One chart or table with its title, a sentence and its statement."""
    return tag(
        "article",
        tag("header", tag("h3", title), tag("p", lead) if lead else None),
        *content,
        how(answer, title),
        class_=class_,
        id=answer.name.replace("_", "-"),
    )


def section(anchor: str, title: str, lead: Child, *content: Child) -> Markup:
    """A chapter of the page: heading and words at the side, content beside them."""
    return tag(
        "section",
        tag("header", tag("h2", title, id=f"{anchor}-title"), tag("p", lead), class_="side"),
        tag("div", *content, class_="content"),
        id=anchor,
        aria_labelledby=f"{anchor}-title",
    )


def per_currency(currencies: Sequence[str], made: Callable[[str], Child]) -> list[Markup]:
    """The same once a currency; the page's switch shows one of them, print all."""
    return [
        tag("div", tag("p", currency, class_="currency"), made(currency), class_=f"per c{n}")
        for n, currency in enumerate(currencies)
    ]
