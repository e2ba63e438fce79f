"""What somebody should look at: possible duplicates, amounts just under thresholds, gaps in coding."""

from __future__ import annotations

from pipeline.report.page.blocks import Column, figure, section
from pipeline.report.page.markup import Markup, tag
from pipeline.report.page.spending import shown_of
from pipeline.report.page.subject import Subject

_KINDS = (
    Column("kind", "What"),
    Column("found_count", "Found", "count"),
    Column("row_count", "Rows", "count"),
)
_DUPLICATES = (
    Column("name", "Supplier or person"),
    Column("why", "Alike in"),
    Column("reference", "Reference", "code"),
    Column("document_id", "Document", "code"),
    Column("status", "Status", "code"),
    Column("dated_on", "Day", "day"),
    Column("gross", "Amount", "money"),
    Column("currency", "Currency", "code"),
)
_THRESHOLDS = (
    Column("name", "Supplier or person"),
    Column("document_type", "Document"),
    Column("document_id", "Number", "code"),
    Column("status", "Status", "code"),
    Column("created_on", "Created", "day"),
    Column("gross", "Amount", "money"),
    Column("threshold", "Threshold", "money"),
    Column("short", "Under it by", "money"),
    Column("currency", "Currency", "code"),
)
_GAPS = (
    Column("gap", "Gap"),
    Column("document_type", "Document"),
    Column("row_count", "Rows", "count"),
    Column("document_count", "Documents", "count"),
    Column("newest_on", "Newest", "day"),
)


def attention(subject: Subject) -> Markup:
    """The chapter of things to look at."""
    return section(
        "attention",
        "Worth a look",
        "Patterns, not accusations: all of them happen for good reasons. Rejected and cancelled documents are left "
        "out.",
        tag("div", _kinds(subject), _gaps(subject), class_="grid"),
        _listed(subject, "duplicate_suspect", _DUPLICATES, "What may stand twice"),
        _listed(subject, "below_threshold", _THRESHOLDS, "Just under an approval threshold"),
    )


def _kinds(subject: Subject) -> Markup:
    answer = subject.ask("suspects")
    return figure("At a glance", answer, subject.write.table(answer, _KINDS, caption="What was found"))


def _gaps(subject: Subject) -> Markup:
    answer = subject.ask("coding_gap")
    table = subject.write.table(answer, _GAPS, caption="Gaps by kind")
    return figure(
        "Gaps in coding",
        answer,
        table,
        lead="A field that no line has is one that the source does not send, and no gap: see what lines say, below.",
    )


def _listed(subject: Subject, name: str, columns: tuple[Column, ...], title: str) -> Markup:
    answer = subject.ask(name)
    if not answer.rows:
        return figure(title, answer, tag("p", "None.", class_="none"))
    whole = answer.value(0, "row_count")
    table = subject.write.table(
        answer, columns, caption=title, is_searched=True, note=shown_of(len(answer.rows), whole)
    )
    return figure(title, answer, table)
