"""The figures on top: spend so far, what is owed, what is under way, and the tax of the quarter, in each currency."""

from __future__ import annotations

from pipeline.report.page import wording
from pipeline.report.page.answers import Answer
from pipeline.report.page.blocks import how, per_currency
from pipeline.report.page.markup import Child, Markup, joined, tag
from pipeline.report.page.subject import Subject


def keys(subject: Subject) -> Markup:
    """All headline figures, a group a currency."""
    spend = subject.ask("headline_spend") if subject.has_amounts else None
    answers = {name: subject.ask(f"headline_{name}") for name in ("payable", "claim")}
    gst = subject.ask("headline_gst") if subject.has_amounts else None
    accrual = subject.ask("headline_accrual") if subject.has_amounts else None
    month, year = wording.long_month(subject.today), f"Fiscal year {subject.fiscal_year} to date"

    def group(currency: str) -> Child:
        made = [
            _spend(subject, spend, currency, f"Spend in {month} so far", "month"),
            _spend(subject, spend, currency, year, "year"),
            _payable(subject, answers["payable"], currency),
            _claims(subject, answers["claim"], currency),
            _gst(subject, gst, currency),
            _accrual(subject, accrual, currency),
        ]
        return tag("div", made, class_="keys")

    asked = [answer for answer in (spend, answers["payable"], answers["claim"], gst, accrual) if answer is not None]
    titles = {
        "headline_spend": "spend to date",
        "headline_payable": "open payables",
        "headline_claim": "open claims",
        "headline_gst": "tax of the quarter",
        "headline_accrual": "month-end accrual",
    }
    return joined(
        per_currency(subject.currencies, group),
        tag("div", [how(answer, titles[answer.name], is_named=True) for answer in asked], class_="hows"),
    )


def _key(title: str, big: Child, *lines: Child) -> Markup:
    return tag("div", tag("h3", title), big, [tag("p", line) for line in lines if line], class_="key")


def _big(subject: Subject, answer: Answer, row: int, column: str, currency: str) -> Markup:
    return tag(
        "p",
        tag("span", currency, class_="code"),
        subject.write.of(answer, row, column, "money", class_="big"),
        class_="sum",
    )


def _unsent(answer: Answer, row: int, *columns: str) -> str | None:
    """That a dash among these figures is no zero, if there is one."""
    return "A dash: not sent." if any(answer.value(row, one) is None for one in columns) else None


def _absent(title: str, why: str) -> Markup:
    return _key(title, tag("span", wording.NOTHING, class_="big"), why)


def _row(answer: Answer, currency: str) -> int | None:
    return next(iter(answer.where("currency", currency)), None)


def _spend(subject: Subject, answer: Answer | None, currency: str, title: str, span: str) -> Markup:
    if answer is None:
        return _absent(title, "The source sends no amounts, dates or currencies on lines.")
    row = _row(answer, currency)
    if row is None:
        return _absent(title, f"No spend in {currency}.")
    of = subject.write.of
    before = "the same days a year before" if span == "month" else "the same part of the year before"
    change = answer.value(row, f"{span}_change_percent")
    told = of(answer, row, f"{span}_before_gross", "money")
    return _key(
        title,
        _big(subject, answer, row, f"{span}_gross", currency),
        joined(of(answer, row, f"{span}_change_percent", "change"), f" on {before}, ", told)
        if change is not None
        else joined(told, f" in {before}"),
        _unsent(answer, row, f"{span}_gross", f"{span}_before_gross"),
    )


def _payable(subject: Subject, answer: Answer, currency: str) -> Markup:
    row, of = _row(answer, currency), subject.write.of
    if row is None:
        return _absent("Open payables", f"No open invoice in {currency}.")
    is_late = answer.value(row, "overdue_count") > 0
    return _key(
        "Open payables",
        _big(subject, answer, row, "gross", currency),
        joined(of(answer, row, "invoice_count", "count"), " open invoices"),
        joined(
            of(answer, row, "overdue_gross", "money", class_="late" if is_late else None),
            " overdue in ",
            of(answer, row, "overdue_count", "count"),
            "; ",
            of(answer, row, "due_soon_gross", "money"),
            " due soon",
        ),
        _unsent(answer, row, "gross", "overdue_gross", "due_soon_gross"),
    )


def _claims(subject: Subject, answer: Answer, currency: str) -> Markup:
    row, of = _row(answer, currency), subject.write.of
    if row is None:
        return _absent("Open claims", f"No open claim in {currency}.")
    return _key(
        "Open claims",
        _big(subject, answer, row, "gross", currency),
        joined(
            of(answer, row, "claim_count", "count"), " claims not finalised; the oldest is ",
            of(answer, row, "oldest_days", "days"), " old",
        ),
        _unsent(answer, row, "gross", "oldest_days"),
    )  # fmt: skip


def _gst(subject: Subject, answer: Answer | None, currency: str) -> Markup:
    title = f"Tax on spend, quarter {subject.quarter}"
    if answer is None:
        return _absent(title, "The source sends no tax on lines.")
    row, of = _row(answer, currency), subject.write.of
    if row is None:
        return _absent(title, f"No spend in {currency} in this quarter yet.")
    return _key(
        title,
        _big(subject, answer, row, "tax", currency),
        joined(of(answer, row, "finalised_tax", "money"), " of it finalised; as sent, not computed"),
        _unsent(answer, row, "tax", "finalised_tax"),
    )


def _accrual(subject: Subject, answer: Answer | None, currency: str) -> Markup:
    title = f"Accrual at {wording.day(subject.month_end)}"
    if answer is None:
        return _absent(title, "The source sends no amounts on lines.")
    row, of = _row(answer, currency), subject.write.of
    if row is None:
        return _absent(title, f"Nothing to accrue in {currency}.")
    return _key(
        title,
        _big(subject, answer, row, "net", currency),
        joined("incurred and not finalised, without tax; ", of(answer, row, "approved_net", "money"), " approved"),
        _unsent(answer, row, "net", "approved_net"),
    )
