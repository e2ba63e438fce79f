"""Pages of one resource to one table: groups records, sends them the fast way or the careful one, keeps their order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress
from typing import Any

import pyarrow as pa
import pyarrow.compute

from pipeline.decode.fast import Refused, leaves, read
from pipeline.decode.fit import Misfit, fitted, parents_named, with_extra
from pipeline.decode.schema import PAGE, RECORD, NoteCounts, Plan, plan_of
from pipeline.errors import SourceContractBroken
from pipeline.model import ControlTotal, Note, Page, Quarantined
from pipeline.resources import Resource
from pipeline.tables import FETCHED_AT, RUN_ID
from pipeline.totals import record_totals

# The package's stubs know neither plain values as scalars nor the newer functions.
pc: Any = pyarrow.compute

# Read together: enough to make the reader's set-up cheap, small enough that one bad record costs little.
_BLOCK_BYTES = 4 << 20
# So few records are looked at one by one instead of being halved again.
_CLOSE_LOOK_COUNT = 32


@dataclass(frozen=True, slots=True)
class Decoded:
    """Typed rows, and beside them what did not fit, what is to be noted, and the exact totals of the accepted rows."""

    table: pa.Table
    quarantined: tuple[Quarantined, ...]
    notes: tuple[Note, ...]
    totals: tuple[ControlTotal, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Neighbouring records, decided: the rows of those that fit, and by position those that do not."""

    rows: pa.Table
    notes: NoteCounts = dataclasses.field(default_factory=Counter)
    misfits: dict[int, Misfit] = dataclasses.field(default_factory=dict)


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
    pieces = [piece for start, stop in _blocks(pages) for piece in _decided(records, start, stop, plan)]
    misfits = {place: misfit for piece in pieces for place, misfit in piece.misfits.items()}
    origin = _origins(pages, run_id, plan)
    rows = pa.concat_tables([piece.rows for piece in pieces] or [plan.typed.empty_table()])
    quarantined = tuple(_quarantined(misfits[i], records[i], origin, i, plan) for i in sorted(misfits))
    if misfits:
        keep = [place not in misfits for place in range(len(records))]
        origin, records = origin.filter(pa.array(keep)), tuple(compress(records, keep))
    _check_parents(rows, origin, plan)
    table = _assembled(rows, origin, plan)
    notes = sum((piece.notes for piece in pieces), _unknown_values(table, resource))
    return Decoded(
        table=table,
        quarantined=quarantined,
        notes=tuple(Note(resource.name, field, kind, count) for (field, kind), count in sorted(notes.items())),
        totals=record_totals(records, resource),
    )


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


def _decided(records: Sequence[bytes], start: int, stop: int, plan: Plan) -> Iterator[_Piece]:
    """The records of a range in pieces: whole if it can be, else halved until what does not fit stands alone."""
    texts = records[start:stop]
    try:
        yield _Piece(*read(texts, plan, is_rewritten=False))
    except Refused as refused:
        if refused.has_unknown and (piece := _with_extras(texts, plan)):
            yield piece
        elif len(texts) <= _CLOSE_LOOK_COUNT:
            yield _looked_at(texts, start, plan)
        else:
            middle = (start + stop) // 2
            yield from _decided(records, start, middle, plan)
            yield from _decided(records, middle, stop, plan)


def _with_extras(texts: Sequence[bytes], plan: Plan) -> _Piece | None:
    """All records with their unknown fields put aside; None if that is not all there is to do."""
    notes: NoteCounts = Counter()
    rewritten = []
    try:
        for text in texts:
            wide, found = with_extra(text, plan)
            rewritten.append(wide)
            notes.update(found)
        rows, found = read(rewritten, plan, is_rewritten=True)
    except (Misfit, Refused):
        return None
    return _Piece(rows, notes + found)


def _looked_at(texts: Sequence[bytes], start: int, plan: Plan) -> _Piece:
    """Every record on its own merits."""
    fits: list[tuple[int, bytes, NoteCounts]] = []
    misfits: dict[int, Misfit] = {}
    for place, text in enumerate(texts, start):
        try:
            fits.append((place, *fitted(bytes(text), plan)))
        except Misfit as misfit:
            misfits[place] = misfit
    try:
        return _together(fits, misfits, plan)
    except Refused:
        pass
    kept = []
    for fit in fits:
        try:
            _together([fit], {}, plan)
            kept.append(fit)
        except Refused:
            misfits[fit[0]] = Misfit("", "would not be stored as sent")
    return _together(kept, misfits, plan)


def _together(fits: list[tuple[int, bytes, NoteCounts]], misfits: dict[int, Misfit], plan: Plan) -> _Piece:
    if not fits:
        return _Piece(plan.typed.empty_table(), misfits=misfits)
    rows, notes = read([text for _, text, _ in fits], plan, is_rewritten=True)
    return _Piece(rows, sum((found for _, _, found in fits), notes), misfits)


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
    return Quarantined(plan.resource.name, context, row[PAGE], row[RECORD], misfit.field, misfit.reason, bytes(record))


def _assembled(rows: pa.Table, origin: pa.Table, plan: Plan) -> pa.Table:
    columns = [(origin if name in origin.column_names else rows).column(name) for name in plan.snapshot.names]
    return pa.table(columns, schema=plan.snapshot)


def _unknown_values(table: pa.Table, resource: Resource) -> NoteCounts:
    """Records with a value that is not among those the catalogue lists for its field."""
    counts: NoteCounts = Counter()
    for leaf in leaves(table, resource.columns):
        if leaf.column.values:
            odd = pc.and_(pc.is_valid(leaf.values), pc.invert(pc.is_in(leaf.values, pa.array(leaf.column.values))))
            counts[leaf.path, "unknown_value"] = leaf.count(odd)
    return +counts
