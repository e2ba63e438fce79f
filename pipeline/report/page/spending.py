"""Where the money went: month by month, by division, supplier, expense type and person."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pipeline.report.page import charts, wording
from pipeline.report.page.answers import Answer
from pipeline.report.page.blocks import Column, figure, folded, per_currency, section
from pipeline.report.page.markup import Child, Markup, joined, tag
from pipeline.report.page.subject import Subject

_CHARTED = 8
_RANKED = (
    Column("gross", "Spend", "money"),
    Column("share_percent", "Share", "percent"),
    Column("tax", "Tax", "money"),
    Column("line_count", "Lines", "count"),
)
_PEOPLE = (
    Column("name", "Person"),
    Column("gross", "Claimed", "money"),
    Column("document_count", "Claims", "count"),
    Column("line_count", "Lines", "count"),
)
_TREND = (
    Column("month_on", "Month", "month"),
    Column("gross", "Spend", "money"),
    Column("before_gross", "Year before", "money"),
    Column("change_percent", "Change", "change"),
)


def spending(subject: Subject) -> Markup:
    """The chapter on spend."""
    since = f"{wording.day(subject.year_start)} to {wording.day(subject.today)}"
    if not subject.has_amounts:
        return section("spend", "Spend", None, tag("p", NO_AMOUNTS, class_="missing"))
    ranked = [("division", "Division", "By division"), ("supplier", "Supplier", "By supplier, invoices only")]
    ranked += [("expense_type", "Expense type", "By expense type")]
    blocks = [
        _ranking(subject, kind, heading, title)
        if subject.has(kind)
        else tag(
            "article", tag("h3", title), tag("p", f"The source names no {heading.lower()} on lines.", class_="missing")
        )
        for kind, heading, title in ranked
    ]
    return section(
        "spend",
        "Spend",
        f"Expenses and invoice lines including tax, by the day they were spent, in the currency of their claim or "
        f"invoice. Split lines count by their parts. Lists cover the fiscal year so far, {since}.",
        _trend(subject),
        tag("div", blocks, _people(subject), class_="grid"),
    )


NO_AMOUNTS = (
    "Lines come without amounts, currencies or dates. The source does not document these fields, and this site does "
    "not send them: spend cannot be told from lines. Claims and invoices below rest on documented totals."
)


def _trend(subject: Subject) -> Markup:
    answer = subject.ask("spend_trend")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        if not rows:
            return tag("p", f"No spend in {currency}.", class_="none")
        points = [
            charts.Point(
                wording.month(answer.value(row, "month_on"))[:3]
                + (f" {answer.value(row, 'month_on'):%y}" if answer.value(row, "month_on").month == 1 else ""),
                _length(answer.value(row, "gross")),
                _length(answer.value(row, "before_gross")),
                is_running=row == rows[-1],
            )
            for row in rows
        ]
        newest = rows[-2]
        told = wording.sent_money(answer.value(newest, "gross"))
        about = (
            f"Columns: spend in {currency} a month, {wording.month(answer.value(rows[0], 'month_on'))} to "
            f"{wording.month(answer.value(rows[-1], 'month_on'))}; marks: the same month a year before. "
            f"{wording.long_month(answer.value(newest, 'month_on'))}: {told}. "
            "All figures are in the table below."
        )
        legend = tag(
            "ul",
            tag("li", "month"),
            tag("li", "month still running", class_="running"),
            tag("li", "same month a year before", class_="before"),
            class_="legend",
        )
        table = subject.write.table(answer, _TREND, caption=f"Spend by month, {currency}", rows=rows)
        return joined(legend, subject.pictures.place(charts.trend(points), about), folded("Figures", table))

    return figure("Thirteen months", answer, per_currency(subject.currencies, made))


def _length(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def bars_of(answer: Answer, rows: Sequence[int], column: str = "gross") -> list[charts.Bar]:
    """The first rows of a ranking as bars, each labelled with its exact figure."""
    return [
        charts.Bar(
            str(answer.value(row, "name")), float(answer.value(row, column)), wording.money(answer.value(row, column))
        )
        for row in sent_rows(answer, rows[:_CHARTED], column)
    ]


def sent_rows(answer: Answer, rows: Sequence[int], column: str) -> list[int]:
    """Those of some rows in which a value was sent: what was not is no bar of length 0."""
    return [row for row in rows if answer.value(row, column) is not None]


def _ranking(subject: Subject, kind: str, heading: str, title: str) -> Markup:
    answer = subject.ask(f"spend_by_{kind}")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        if not rows:
            return tag("p", f"No spend in {currency}.", class_="none")
        bars = bars_of(answer, rows)
        about = f"Bars: {title.lower()} in {currency}, the greatest first: " + "; ".join(
            f"{bar.name} {bar.label}" for bar in bars[:3]
        )
        table = subject.write.table(
            answer,
            (Column("name", heading), *_RANKED),
            caption=f"Spend {title[0].lower()}{title[1:]}, {currency}",
            rows=rows,
            is_searched=len(rows) > _CHARTED,
            note=shown_of(len(rows), answer.value(rows[0], "name_count")),
        )
        return joined(subject.pictures.place(charts.ranking(bars), about), folded(f"All figures ({len(rows)})", table))

    return figure(title, answer, per_currency(subject.currencies, made))


def _people(subject: Subject) -> Markup:
    answer = subject.ask("spend_by_claimant")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        if not rows:
            return tag("p", f"No claim in {currency}.", class_="none")
        bars = bars_of(answer, rows)
        about = f"Bars: claims by person in {currency}, the greatest first"
        table = subject.write.table(
            answer,
            _PEOPLE,
            caption=f"Claims by person, {currency}",
            rows=rows,
            is_searched=len(rows) > _CHARTED,
            note=shown_of(len(rows), answer.value(rows[0], "name_count")),
        )
        return joined(subject.pictures.place(charts.ranking(bars), about), folded(f"All figures ({len(rows)})", table))

    return figure("By person, claims only", answer, per_currency(subject.currencies, made))


def shown_of(shown: int, whole: int) -> str | None:
    """How many rows there are, where a table does not show all."""
    return (
        f"{wording.number(shown)} of {wording.number(whole)}: the statement says how to get all."
        if whole > shown
        else None
    )
