"""Whether the books can be trusted: checks, restatements, what a night cost against its plan, and what lines say."""

from __future__ import annotations

from pipeline.report.page import wording
from pipeline.report.page.blocks import Column, figure, folded, section
from pipeline.report.page.markup import Markup, tag
from pipeline.report.page.spending import shown_of
from pipeline.report.page.subject import Subject

_CHECKS = (
    Column("name", "Check"),
    Column("passed", "Held", "flag"),
    Column("required", "Required", "flag"),
    Column("detail", "Found"),
    Column("blamed_count", "Rows", "count"),
)
_CALLS = (
    Column("resource", "Resource", "code"),
    Column("mode", "Read"),
    Column("planned_call_count", "Calls planned", "count"),
    Column("call_count", "Calls made", "count"),
    Column("record_count", "Records", "count"),
    Column("new_count", "New", "count"),
    Column("changed_count", "Changed", "count"),
    Column("deleted_count", "Deleted", "count"),
    Column("quarantined_count", "Quarantined", "count"),
    Column("row_count", "Rows", "count"),
)
_RESTATED = (
    Column("restated_on", "On", "day"),
    Column("document_type", "Document"),
    Column("document_id", "Number", "code"),
    Column("supplier", "Supplier"),
    Column("table_name", "Table"),
    Column("column_name", "Value"),
    Column("kind", "What happened"),
    Column("value_before", "Before"),
    Column("value_after", "After"),
)
_FRESH = (
    Column("resource", "Resource", "code"),
    Column("row_count", "Rows", "count"),
    Column("newest_change_at", "Newest change", "moment"),
    Column("last_full_at", "Read in full", "moment"),
    Column("quarantined_count", "Quarantined", "count"),
)
_SAID = (
    Column("field", "Field"),
    Column("filled_count", "Lines with it", "count"),
    Column("share_percent", "Share", "percent"),
)
_RUNS = (
    Column("data_as_at", "Data as at", "moment"),
    Column("run_id", "Run", "code"),
    Column("planned_call_count", "Calls planned", "count"),
    Column("call_count", "Calls made", "count"),
    Column("new_count", "New", "count"),
    Column("changed_count", "Changed", "count"),
    Column("deleted_count", "Deleted", "count"),
)


def nights(subject: Subject) -> Markup:
    """The chapter on the night behind the figures."""
    return section(
        "night",
        "The night behind it",
        "What was checked before these figures were published, what closed periods lost, and what reading them cost.",
        _checks(subject),
        _restatements(subject),
        _calls(subject),
        _runs(subject),
        _freshness(subject),
        _coverage(subject),
    )


def _checks(subject: Subject) -> Markup:
    answer = subject.ask("checks")
    failed = [row for row in range(len(answer.rows)) if not answer.value(row, "passed")]
    held = len(answer.rows) - len(failed)
    lead = f"{held} of {wording.count_of(len(answer.rows), 'check')} held."
    kept = [row for row in range(len(answer.rows)) if row not in failed]
    return figure(
        "Checks",
        answer,
        subject.write.table(answer, _CHECKS, caption="Checks that did not hold", rows=failed, is_titled=True)
        if failed
        else None,
        folded(f"{held} that held", subject.write.table(answer, _CHECKS, caption="Checks that held", rows=kept)),
        lead=lead,
    )


def _calls(subject: Subject) -> Markup:
    answer = subject.ask("calls")
    return figure(
        "Calls, planned and made",
        answer,
        subject.write.table(answer, _CALLS, caption="The newest run by resource"),
        lead="A dash in place of a plan: nothing that had been read in this way before could tell.",
    )


def _runs(subject: Subject) -> Markup:
    answer = subject.ask("runs")
    return figure(
        "The last runs",
        answer,
        folded(wording.count_of(len(answer.rows), "run"), subject.write.table(answer, _RUNS, caption="The last runs")),
        lead="A plan is told where it was known of every list.",
    )


def _restatements(subject: Subject) -> Markup:
    answer = subject.ask("restatement")
    title = "What closed periods lost or gained"
    if not answer.rows:
        return figure(
            title,
            answer,
            tag("p", "Nothing that was closed has changed. Periods are closed by checks.closed_until.", class_="none"),
        )
    whole = answer.value(0, "row_count")
    table = subject.write.table(
        answer, _RESTATED, caption=title, is_searched=True, note=shown_of(len(answer.rows), whole)
    )
    return figure(title, answer, folded(wording.count_of(whole, "value"), table))


def _freshness(subject: Subject) -> Markup:
    answer = subject.ask("freshness")
    return figure(
        "How fresh each list is", answer, subject.write.table(answer, _FRESH, caption="Lists by newest change")
    )


def _coverage(subject: Subject) -> Markup:
    answer = subject.ask("line_fields")
    return figure(
        "What lines say",
        answer,
        subject.write.table(answer, _SAID, caption="Fields of reporting lines"),
        lead="The source documents hardly any field of a line. What it does not send is shown as missing on this "
        "page, never as nothing.",
    )
