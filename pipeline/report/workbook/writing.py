"""The workbook as a whole: its frame by XlsxWriter, the rows into it, then one rename."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook

from pipeline.durable import move, storing, sync
from pipeline.report.people import people_of
from pipeline.report.reading import Connection
from pipeline.report.values import ReportFacts
from pipeline.report.workbook.asking import control_totals, data_as_at, sheets_of
from pipeline.report.workbook.cells import Seen
from pipeline.report.workbook.cover import Left, with_counts, write_cover
from pipeline.report.workbook.looks import Looks, sheet_names
from pipeline.report.workbook.sheets import Page, filled, page_of, pieces, widths_of, write_frame

_FILE_MODE = 0o640
_SHARED_TEXTS = "xl/sharedStrings.xml"
_COMPRESSION = 4
_PIECE_CHARACTERS = 1 << 20


def write_workbook(
    connection: Connection, path: Path, facts: ReportFacts, *, order: Sequence[str] = ()
) -> tuple[Left, ...]:
    """A workbook stands at `path`, whole or not at all: a cover, and one sheet a mart.

    Args:
        connection: open; the workbook shows what it shows.
        path: of the file; one that stands there is replaced.
        facts: which site and run, the time zone that instants are shown in, whether people are masked.
        order: names of marts, in the order of their sheets; the others come after them.

    Returns:
        What stands there otherwise than in the warehouse, sheet by sheet.
    """
    aside = path.with_name(f".{path.name}.part")
    with storing(f"workbook · {path.name}"):
        aside.unlink(missing_ok=True)  # of one that was cut off
        try:
            lefts = _write(connection, aside, facts, order)
            aside.chmod(_FILE_MODE)
            sync(aside)
            move(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    return lefts


def _write(connection: Connection, target: Path, facts: ReportFacts, order: Sequence[str]) -> tuple[Left, ...]:
    zone = ZoneInfo(facts.timezone)
    people = people_of(connection) if facts.mask_people else None
    pages = [page_of(connection, sheet) for sheet in sheets_of(connection, order)]
    frame = io.BytesIO()
    samples = [next(pieces(connection, one.sheet.sample, one, zone, people), None) for one in pages]
    _write_frame(connection, frame, facts, pages, zone, samples)
    sheets = {f"xl/worksheets/sheet{number}.xml": page for number, page in enumerate(pages, 2)}
    with ZipFile(frame) as source, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as book:
        # Shared texts come last: the cover's say what did not fit into the sheets.
        for entry in sorted(source.infolist(), key=lambda one: one.filename == _SHARED_TEXTS):
            text = source.read(entry)
            if entry.filename in sheets:
                page = sheets[entry.filename]
                page.seen = Seen()
                some = filled(text.decode(), page, pieces(connection, page.sheet.query, page, zone, people))
                with book.open(entry.filename, "w", force_zip64=True) as file:
                    for piece in _together(some):
                        file.write(piece)
            else:
                told = with_counts(text, [one.seen for one in pages]) if entry.filename == _SHARED_TEXTS else text
                book.writestr(entry.filename, told)
    return tuple(Left(one.sheet, one.seen) for one in pages)


def _write_frame(
    connection: Connection,
    to: io.BytesIO,
    facts: ReportFacts,
    pages: Sequence[Page],
    zone: ZoneInfo,
    samples: Sequence[list[list[Any]] | None],
) -> None:
    """Everything but the rows: XlsxWriter knows what Excel takes."""
    names = sheet_names([one.sheet.table.name for one in pages])
    book = Workbook(to, {"in_memory": True})
    book.set_properties(
        {
            "title": f"{facts.site}: expense claims and invoices",
            "comments": f"run {facts.run_id}",
            "created": facts.written_at.replace(tzinfo=None),
        }
    )
    book.set_size(2400, 1500)
    looks = Looks(book)
    cover = book.add_worksheet("Cover")
    totals = control_totals(connection, facts.run_id)
    write_cover(cover, looks, facts, data_as_at(connection), totals, names, [one.sheet for one in pages])
    for page, sample in zip(pages, samples, strict=True):
        write_frame(book.add_worksheet(names[page.sheet.table.name]), looks, page, widths_of(page, sample), zone)
    cover.activate()
    book.close()


def _together(some: Iterator[str]) -> Iterator[bytes]:
    """Texts, many at a time: a call for each row would take longer than the row."""
    held: list[str] = []
    size = 0
    for text in some:
        held.append(text)
        size += len(text)
        if size > _PIECE_CHARACTERS:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()
