"""Pages of one resource to one table: groups records, sends them the fast way or the careful one, keeps their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress
from typing import Any

import pyarrow as pa
import pyarrow.compute

from pipeline.decode.fast import Refused, leaves, read
from pipeline.decode.fingerprints import fingerprint_column
from pipeline.decode.fit import eased, fitted, parents_named
from pipeline.decode.schema import RECORD, NoteCounts, Plan, plan_of
from pipeline.decode.values import Misfit
from pipeline.errors import SourceContractBroken
from pipeline.model import ControlTotal, Note, Page, Quarantined
from pipeline.resources import Resource
from pipeline.tables import FETCHED_AT, FINGERPRINT, PAGE, RUN_ID
from pipeline.totals import record_totals

# The package's stubs know neither plain values as scalars nor the newer functions.
pc: Any = pyarrow.compute

# Read together: enough to make the reader's set-up cheap, small enough that one bad record costs little.
_BLOCK_BYTES = 4 << 20
# So few records are looked at one by one instead of being halved again.
_CLOSE_LOOK_COUNT = 64


@dataclass(frozen=True, slots=True)
class Decoded:
    """Typed rows, and beside them what did not fit, what is to be noted, and the exact totals of the accepted rows."""

    table: pa.Table
    quarantined: tuple[Quarantined, ...]
    notes: tuple[Note, ...]
    totals: tuple[ControlTotal, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A record that may fit: its place among all records, the text as sent and as it is to be read."""

    place: int
    sent: bytes
    text: bytes
    notes: NoteCounts


class _Sorting:
    """Sorts records into typed rows and misfits; the tables stand in the order of the records."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tables: list[pa.Table] = []
        self.misfits: dict[int, Misfit] = {}
        self.notes: NoteCounts = Counter()

    def add(self, records: Sequence[bytes], start: int) -> None:
        """Records as they are if they can be; else each made readable as far as its JSON types tell."""
        try:
            self._take(records, [], is_rewritten=False)
        except Refused:
            sent = ((place, bytes(record)) for place, record in enumerate(records, start))
            self._halve(self._candidates(eased, sent))

    def _halve(self, candidates: Sequence[_Candidate]) -> None:
        """Together if they can be, else by halves, until what does not fit stands among few."""
        try:
            self._take([one.text for one in candidates], [one.notes for one in candidates], is_rewritten=True)
        except Refused:
            if len(candidates) > _CLOSE_LOOK_COUNT:
                middle = len(candidates) // 2
                self._halve(candidates[:middle])
                self._halve(candidates[middle:])
            else:
                self._look_at(candidates)

    def _look_at(self, candidates: Sequence[_Candidate]) -> None:
        """Each on its own merits."""
        fits = self._candidates(fitted, ((one.place, one.sent) for one in candidates))
        try:
            self._take([one.text for one in fits], [one.notes for one in fits], is_rewritten=True)
        except Refused:
            for one in fits:
                self._take_alone(one)

    def _take_alone(self, one: _Candidate) -> None:
        try:
            self._take([one.text], [one.notes], is_rewritten=True)
        except Refused:
            # Nothing known comes here; if something does, it is set aside and counted, not lost.
            self.misfits[one.place] = Misfit("", "would not be stored as sent")

    def _candidates(
        self, make: Callable[[bytes, Plan], tuple[bytes, NoteCounts]], records: Iterable[tuple[int, bytes]]
    ) -> list[_Candidate]:
        found = []
        for place, record in records:
            try:
                found.append(_Candidate(place, record, *make(record, self.plan)))
            except Misfit as misfit:
                self.misfits[place] = misfit
        return found

    def _take(self, texts: Sequence[bytes], notes: Iterable[NoteCounts], *, is_rewritten: bool) -> None:
        if texts:
            table, found = read(texts, self.plan, is_rewritten=is_rewritten)
            self.tables.append(table)
            for counts in (found, *notes):
                self.notes.update(counts)


def decode_pages(pages: Sequence[Page], resource: Resource, *, run_id: str) -> Decoded:
    """Type every record of some pages of one resource, in order.

    Many small pages together are much cheaper than one by one.

    Args:
        pages: of any walks of the resource; none at all gives an empty table that still has every column.
        resource: gives names and types.
        run_id: the run that fetched them.

    Shape:
        out  one row an accepted record, columns as `snapshot_schema(resource)`

    Raises:
        SourceContractBroken: a record says that it belongs under another parent than the one it was asked for.
    """
    plan = plan_of(resource)
    records: Sequence[bytes] = tuple(chain.from_iterable(page.records for page in pages))
    sorting = _Sorting(plan)
    for start, stop in _blocks(pages):
        sorting.add(records[start:stop], start)
    misfits = sorting.misfits
    origin = _origins(pages, run_id, plan)
    origin = origin.append_column(plan.snapshot.field(FINGERPRINT), fingerprint_column(pages))
    rows = pa.concat_tables(sorting.tables or [plan.typed.empty_table()])
    quarantined = tuple(_quarantined(misfits[i], records[i], origin, i, plan) for i in sorted(misfits))
    if misfits:
        keep = [place not in misfits for place in range(len(records))]
        origin, records = origin.filter(pa.array(keep)), tuple(compress(records, keep))
    _check_parents(rows, origin, plan)
    table = _assembled(rows, origin, plan)
    notes = sorting.notes + _unknown_values(table, plan)
    return Decoded(
        table=table,
        quarantined=quarantined,
        notes=tuple(Note(resource.name, field, kind, count) for (field, kind), count in sorted(notes.items())),
        totals=record_totals(records, resource),
    )


def add_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """One note for each field and kind, with the counts added up, sorted."""
    counts: dict[tuple[str, str, Any], int] = {}
    for note in notes:
        key = (note.resource, note.field, note.kind)
        counts[key] = counts.get(key, 0) + note.record_count
    return tuple(Note(*key, count) for key, count in sorted(counts.items()))


def _blocks(pages: Sequence[Page]) -> Iterator[tuple[int, int]]:
    """Ranges of records, by whole pages, that are read together."""
    start = stop = size = 0
    for page in pages:
        size += sum(map(len, page.records))
        stop += len(page.records)
        if size >= _BLOCK_BYTES:
            yield start, stop
            start, size = stop, 0
    if stop > start:
        yield start, stop


def _origins(pages: Sequence[Page], run_id: str, plan: Plan) -> pa.Table:
    """Where every record came from: the columns of the snapshot that are not in the record, one row a record."""
    filled = [page for page in pages if page.records]
    ends = list(accumulate(len(page.records) for page in filled))
    contexts = [dict(page.walk.context) for page in filled]
    by_page: dict[str, list[Any]] = {
        **{name: [context[name] for context in contexts] for name in plan.resource.context_names},
        RUN_ID: [run_id] * len(filled),
        FETCHED_AT: [page.fetched_at for page in filled],
        PAGE: [page.ordinal for page in filled],
        RECORD: [0, *ends[:-1]] if filled else [],
    }
    schema = pa.schema([plan.snapshot.field(name) for name in by_page])
    table = pa.Table.from_pydict(by_page, schema=schema)
    if not filled:
        return table
    page_of: Any = pa.array(range(len(filled)), pa.int32())
    rows = table.take(pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), page_of)))
    record = pc.subtract(pa.array(range(ends[-1]), pa.int32()), rows.column(RECORD))
    return rows.set_column(rows.num_columns - 1, schema.field(RECORD), record)


def _check_parents(rows: pa.Table, origin: pa.Table, plan: Plan) -> None:
    """Refuse records that name another parent: some other walk's answer, perhaps another company's data."""
    for name in plan.resource.context_names:
        differs = pc.not_equal(rows.column(name), origin.column(name))
        place = pc.index(differs, pa.scalar(True)).as_py()
        if place >= 0:
            raise _foreign(name, origin, place, plan)


def _foreign(name: str, origin: pa.Table, place: int, plan: Plan) -> SourceContractBroken:
    page, record = (origin.column(column)[place].as_py() for column in (PAGE, RECORD))
    return SourceContractBroken(
        f"the {name} in a record is not the one asked for: it belongs to another parent",
        where=f"{plan.resource.name}, page {page}, record {record}",
    )


def _quarantined(misfit: Misfit, record: bytes, origin: pa.Table, place: int, plan: Plan) -> Quarantined:
    row = origin.slice(place, 1).to_pylist()[0]
    context = tuple((name, row[name]) for name in plan.resource.context_names)
    named = parents_named(bytes(record), plan)
    for name, key in context:
        if named.get(name, key) != key:
            raise _foreign(name, origin, place, plan)
    return Quarantined(
        resource=plan.resource.name,
        context=context,
        page=row[PAGE],
        record=row[RECORD],
        field=misfit.field,
        reason=misfit.reason,
        raw=bytes(record),
        fetched_at=row[FETCHED_AT],
    )


def _assembled(rows: pa.Table, origin: pa.Table, plan: Plan) -> pa.Table:
    columns = [(origin if name in origin.column_names else rows).column(name) for name in plan.snapshot.names]
    return pa.table(columns, schema=plan.snapshot)


def _unknown_values(table: pa.Table, plan: Plan) -> NoteCounts:
    """Records with a value that is not among those the catalogue lists for its field."""
    counts: NoteCounts = Counter()
    for leaf in leaves(table, plan.enumerations):
        known = pc.is_in(leaf.values, pa.array([*leaf.column.values, None]))
        counts[leaf.path, "unknown_value"] = leaf.count(pc.invert(known))
    return +counts
