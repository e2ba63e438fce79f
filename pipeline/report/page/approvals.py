"""How long approvals take: month by month, and by approver."""

from __future__ import annotations

from pipeline.report.page import charts, wording
from pipeline.report.page.blocks import Column, figure, folded, section
from pipeline.report.page.markup import Markup, tag
from pipeline.report.page.spending import shown_of
from pipeline.report.page.subject import Subject

_CHARTED = 8
_MONTHS = (
    Column("month_on", "Month", "month"),
    Column("approval_count", "Approvals", "count"),
    Column("median_hours", "Median", "hours"),
    Column("p90_hours", "90th percentile", "hours"),
)
_APPROVERS = (
    Column("name", "Approver"),
    Column("approval_count", "Approvals", "count"),
    Column("median_hours", "Median", "hours"),
    Column("p90_hours", "90th percentile", "hours"),
    Column("last_approved_on", "Last", "day"),
)


def approvals(subject: Subject) -> Markup:
    """The chapter on approval times."""
    return section(
        "approvals",
        "Approval time",
        "From creation of the document, or the approval before, to each approval. When a document was submitted is not "
        "known, so the first step includes the time it was being filled in.",
        tag("div", _months(subject), _approvers(subject), class_="grid"),
    )


def _months(subject: Subject) -> Markup:
    answer = subject.ask("approval_month")
    points = [
        charts.Point(wording.month(month)[:3], _in_days(median), _in_days(p90)) for month, _, median, p90 in answer.rows
    ]
    if not any(point.now is not None for point in points):
        return figure("By month", answer, tag("p", "No approval in thirteen months.", class_="none"))
    known = [row for row in range(len(answer.rows)) if answer.value(row, "median_hours") is not None]
    newest = known[-1]
    median, p90 = (wording.hours(answer.value(newest, name)) for name in ("median_hours", "p90_hours"))
    about = (
        "Lines: days an approval took, median and 90th percentile, by month of approval. "
        f"{wording.long_month(answer.value(newest, 'month_on'))}: median {median}, 90th percentile {p90}."
    )
    legend = tag("ul", tag("li", "median"), tag("li", "90th percentile", class_="before"), class_="legend")
    table = subject.write.table(answer, _MONTHS, caption="Approval time by month")
    return figure(
        "By month, in days",
        answer,
        legend,
        subject.pictures.place(charts.two_lines(points, unit="d"), about),
        folded("Figures", table),
    )


def _in_days(hours: float | None) -> float | None:
    return None if hours is None else float(hours) / 24


def _approvers(subject: Subject) -> Markup:
    answer = subject.ask("approval_by_approver")
    title = "By approver, twelve months"
    if not answer.rows:
        return figure(title, answer, tag("p", "No approval in twelve months.", class_="none"))
    bars = [
        charts.Bar(
            str(answer.value(row, "name")),
            float(answer.value(row, "median_hours")),
            wording.hours(answer.value(row, "median_hours")),
        )
        for row in range(len(answer.rows))
        if answer.value(row, "median_hours") is not None
    ][:_CHARTED]
    about = "Bars: median time of those who approve most: " + "; ".join(f"{bar.name} {bar.label}" for bar in bars[:3])
    table = subject.write.table(
        answer,
        _APPROVERS,
        caption="Approval time by approver, twelve months",
        is_searched=len(answer.rows) > _CHARTED,
        note=shown_of(len(answer.rows), answer.value(0, "name_count")),
    )
    return figure(
        title,
        answer,
        subject.pictures.place(charts.ranking(bars), about),
        folded(f"All figures ({len(answer.rows)})", table),
        lead="Median of those who approve most.",
    )
