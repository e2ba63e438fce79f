"""Tax by quarter and code, where it departs from its code's rate, and entertainment for Fringe Benefits Tax."""

from __future__ import annotations

from pipeline.report.page import charts, wording
from pipeline.report.page.blocks import Column, figure, folded, per_currency, section
from pipeline.report.page.markup import Child, Markup, joined, tag
from pipeline.report.page.spending import NO_AMOUNTS, sent_rows, shown_of
from pipeline.report.page.subject import Subject

_QUARTERS = (
    Column("bas_quarter", "Quarter", "code"),
    Column("gross", "Spend", "money"),
    Column("tax", "Tax", "money"),
    Column("finalised_tax", "Of it finalised", "money"),
    Column("credit_tax", "Credit notes", "money"),
)
_CODES = (
    Column("name", "Tax code"),
    Column("bas_quarter", "Quarter", "code"),
    Column("net", "Net", "money"),
    Column("tax", "Tax", "money"),
    Column("line_count", "Lines", "count"),
)
_DEPARTURES = (
    Column("name", "Tax code"),
    Column("document_type", "Document"),
    Column("document_id", "Number", "code"),
    Column("spent_on", "Day", "day"),
    Column("net", "Net", "money"),
    Column("tax_rate", "Rate", "percent"),
    Column("tax", "Tax sent", "money"),
    Column("expected_tax", "By the rate", "money"),
    Column("departure", "Departure", "money"),
)
_FBT = (
    Column("fbt_year", "FBT year", "year"),
    Column("gross", "Entertainment", "money"),
    Column("fifty_fifty", "50/50", "money"),
    Column("actual", "Actual", "money"),
    Column("line_count", "Lines", "count"),
    Column("with_recipients", "With recipients", "count"),
)


def taxes(subject: Subject) -> Markup:
    """The chapter on tax."""
    lead = (
        "GST as the source sent it, by the quarter of the spend, on lines of any state but rejected and cancelled; "
        "never computed from a rate. Quarters are those of Australian business activity statements: 2026-Q3 is July "
        "to September 2026."
    )
    if not subject.has_amounts:
        return section("tax", "Tax", lead, tag("p", NO_AMOUNTS, class_="missing"))
    return section(
        "tax",
        "Tax",
        lead,
        tag("div", _quarters(subject), _codes(subject), class_="grid"),
        _departures(subject),
        _fbt(subject),
    )


def _quarters(subject: Subject) -> Markup:
    answer = subject.ask("gst_quarter")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        if not rows:
            return tag("p", f"No spend in {currency}.", class_="none")
        bars = [
            charts.Bar(
                str(answer.value(row, "bas_quarter"))[2:].replace("-", " "),
                float(answer.value(row, "tax")),
                wording.brief_money(float(answer.value(row, "tax"))),
                "accent-soft" if answer.value(row, "bas_quarter") == subject.quarter else "accent",
            )
            for row in sent_rows(answer, rows, "tax")
        ]
        about = f"Columns: tax on spend in {currency} by quarter; the newest quarter is still running. " + "; ".join(
            f"{answer.value(row, 'bas_quarter')} {wording.sent_money(answer.value(row, 'tax'))}" for row in rows[-2:]
        )
        table = subject.write.table(answer, _QUARTERS, caption=f"Tax by quarter, {currency}", rows=rows)
        none = tag("p", f"No tax sent in {currency}.", class_="missing")
        return joined(subject.pictures.place(charts.columns(bars), about) if bars else none, folded("Figures", table))

    return figure("Tax on spend by quarter", answer, per_currency(subject.currencies, made))


def _codes(subject: Subject) -> Markup:
    answer = subject.ask("gst_code")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        return subject.write.table(answer, _CODES, caption=f"Tax by code, {currency}", rows=rows)

    return figure("By tax code, this quarter and the last", answer, per_currency(subject.currencies, made))


def _departures(subject: Subject) -> Markup:
    answer = subject.ask("gst_departure")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        if not rows:
            return tag("p", f"No line in {currency} departs from its code's rate.", class_="none")
        whole = answer.value(rows[0], "row_count")
        table = subject.write.table(
            answer,
            _DEPARTURES,
            caption=f"Tax that departs from its code's rate, {currency}",
            rows=rows,
            is_searched=True,
            note=shown_of(len(rows), whole),
        )
        return folded(f"{wording.count_of(whole, 'line')} in {currency}", table)

    return figure(
        "Tax that departs from its code's rate",
        answer,
        per_currency(subject.currencies, made),
        lead="To look at, not to correct: supplies can be mixed, and lost receipts lose their GST. Amounts are in "
        "the currency of the spend.",
    )


def _fbt(subject: Subject) -> Markup:
    answer = subject.ask("fbt")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        return subject.write.table(answer, _FBT, caption=f"Entertainment by FBT year, {currency}", rows=rows)

    return figure(
        "Entertainment for Fringe Benefits Tax",
        answer,
        per_currency(subject.currencies, made),
        lead="Expenses of claims whose type is one of report.entertainment_types. 50/50 takes half of the total spend; "
        "actual the share of employees, of the lines that name recipients only.",
    )
