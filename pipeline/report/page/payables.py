"""What is owed and what is under way: ageing of open invoices, what is due, and open documents by status."""

from __future__ import annotations

from pipeline.report.page import charts, wording
from pipeline.report.page.blocks import Column, figure, per_currency, section
from pipeline.report.page.markup import Child, Markup, joined, tag
from pipeline.report.page.spending import NO_AMOUNTS, sent_rows, shown_of
from pipeline.report.page.subject import Subject
from pipeline.report.page.wording import TO

_AGEING = (
    Column("bucket", "Past due"),
    Column("gross", "Amount", "money"),
    Column("invoice_count", "Invoices", "count"),
)
_DUE = (
    Column("supplier", "Supplier"),
    Column("reference", "Reference", "code"),
    Column("due_on", "Due", "day"),
    Column("days_until_due", "Days left", "count"),
    Column("gross", "Amount", "money"),
    Column("currency", "Currency", "code"),
    Column("status", "Status", "code"),
)
_OPEN = (
    Column("kind", "Document and status"),
    Column("to_7_count", f"0{TO}7 days", "count"),
    Column("to_30_count", f"8{TO}30", "count"),
    Column("to_90_count", f"31{TO}90", "count"),
    Column("over_90_count", "Over 90", "count"),
    Column("document_count", "All", "count"),
    Column("gross", "Amount", "money"),
    Column("oldest_days", "Oldest", "days"),
)
_ACCRUAL = (
    Column("month_end_on", "Month end", "day"),
    Column("approved_net", "Approved", "money"),
    Column("incurred_net", "Incurred", "money"),
    Column("net", "Together", "money"),
)


def payables(subject: Subject) -> Markup:
    """The chapter on open documents. It rests on documented totals only."""
    return section(
        "payables",
        "Open documents",
        f"What was neither finalised nor rejected or cancelled on {wording.day(subject.today)}. The source does not "
        "say when an invoice is paid: finalised is the last that is known. Amounts are the documents' own totals.",
        tag("div", _ageing(subject), _accrual(subject), class_="grid"),
        _due(subject),
        _under_way(subject),
    )


def _ageing(subject: Subject) -> Markup:
    answer = subject.ask("payable_ageing")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        if not rows:
            return tag("p", f"No open invoice in {currency}.", class_="none")
        bars = [
            charts.Bar(
                str(answer.value(row, "bucket")).replace(" days", "").replace("-", TO).capitalize(),
                float(answer.value(row, "gross")),
                wording.brief_money(float(answer.value(row, "gross"))),
                _tone(str(answer.value(row, "bucket"))),
            )
            for row in sent_rows(answer, rows, "gross")
        ]
        about = f"Columns: open invoices in {currency} by days past due: " + "; ".join(
            f"{answer.value(row, 'bucket')} {wording.sent_money(answer.value(row, 'gross'))}" for row in rows
        )
        table = subject.write.table(answer, _AGEING, caption=f"Payables by days past due, {currency}", rows=rows)
        none = tag("p", f"No amount sent in {currency}.", class_="missing")
        return joined(subject.pictures.place(charts.columns(bars), about) if bars else none, table)

    return figure("Payables by days past due", answer, per_currency(subject.currencies, made))


def _tone(bucket: str) -> str:
    if bucket in ("not due", "no due date"):
        return "accent"
    return "warm" if bucket.startswith("1-") else "late"


def _under_way(subject: Subject) -> Markup:
    answer = subject.ask("open_item")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        return subject.write.table(answer, _OPEN, caption=f"Open documents by status and age, {currency}", rows=rows)

    several = answer.where("currency", "none or several")
    return figure(
        "Claims and invoices by status and age",
        answer,
        per_currency(subject.currencies, made),
        subject.write.table(
            answer, _OPEN, caption="Without a total, or with totals in several currencies", is_titled=True, rows=several
        )
        if several
        else None,
        lead="How many were created how many days ago.",
    )


def _accrual(subject: Subject) -> Markup:
    title = "Accruals at month end"
    if not subject.has_amounts:
        return tag("article", tag("h3", title), tag("p", NO_AMOUNTS, class_="missing"))
    answer = subject.ask("accrual")

    def made(currency: str) -> Child:
        rows = answer.where("currency", currency)
        if not rows:
            return tag("p", f"Nothing to accrue in {currency}.", class_="none")
        bars = [
            charts.Bar(
                wording.month(answer.value(row, "month_end_on"))[:3],
                float(answer.value(row, "net")),
                wording.brief_money(float(answer.value(row, "net"))),
            )
            for row in reversed(sent_rows(answer, rows, "net"))
        ]
        about = f"Columns: accruals in {currency} at the end of six months, without tax. " + "; ".join(
            f"{wording.day(answer.value(row, 'month_end_on'))} {wording.sent_money(answer.value(row, 'net'))}"
            for row in rows[:2]
        )
        table = subject.write.table(answer, _ACCRUAL, caption=f"Accruals at month end, {currency}", rows=rows)
        none = tag("p", f"No net amount sent in {currency}.", class_="missing")
        return joined(subject.pictures.place(charts.columns(bars), about) if bars else none, table)

    return figure(title, answer, per_currency(subject.currencies, made), lead="Without tax, as it is known today.")


def _due(subject: Subject) -> Markup:
    answer = subject.ask("payable_due")
    whole = answer.value(0, "row_count") if answer.rows else 0
    table = subject.write.table(
        answer,
        _DUE,
        caption="Open invoices by due date",
        is_searched=True,
        note=shown_of(len(answer.rows), whole),
    )
    return figure("Overdue, and due next", answer, table)
