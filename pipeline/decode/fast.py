"""Many records at once: Arrow's JSON reader, strict casts, and the checks that make its answer exact.

All or nothing: records of which one does not fit are refused together, without saying why; `fit` looks closer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.json

from pipeline.decode.schema import TIMESTAMP, NoteCounts, Plan
from pipeline.resources import Column, Kind
from pipeline.tables import EXTRA

# The packages' stubs know neither plain values as scalars nor all that arrays can do.
pc: Any = pyarrow.compute
pj: Any = pyarrow.json
Array = Any

# More fraction than microseconds hold, and among what is cut off a digit that is not zero.
_LONG_FRACTION = r"(\.\d{6})\d+"
_LOST_DIGITS = r"\.\d{6}0*[1-9]"
# Arrow's reader and casts also take what Python and many tools cannot show.
_FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)
_LAST_INSTANT = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


class Refused(Exception):
    """At least one of the records does not fit."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """The values of one plain field. `records` numbers the record of each value, or is None where that is its place."""

    column: Column
    path: str
    values: Array
    records: Array | None

    def count(self, mask: Array) -> int:
        """How many records have a value where the mask is true."""
        if self.records is None:
            return int(pc.sum(mask).as_py() or 0)
        return len(pc.unique(self.records.filter(mask)))


def read(texts: Sequence[bytes], plan: Plan, *, is_rewritten: bool) -> tuple[pa.Table, NoteCounts]:
    """Type records, each the JSON text of one object.

    Args:
        texts: at least one.
        plan: what the records should look like.
        is_rewritten: unknown fields have been copied to `_extra`; otherwise none may be there, not even of that name.

    Shape:
        as `plan.typed`: the parents' names as the records repeat them, the columns, `_extra`; one row a record.

    Raises:
        Refused: something in some record does not fit, or would not be stored exactly.
    """
    table = _parsed(b"\n".join(texts), plan.rewritten if is_rewritten else plan.sent, is_rewritten=is_rewritten)
    keys = table.column(plan.resource.key)
    if table.num_rows != len(texts) or keys.null_count or pc.any(pc.equal(pc.cast(keys, pa.string()), "")).as_py():
        raise Refused
    typed, notes = _typed(table, plan)
    _check_typed(typed, plan)
    return typed, notes


def leaves(table: pa.Table, columns: Iterable[Column]) -> Iterator[Leaf]:
    """Every plain field of a table of records, however deep."""
    for column in columns:
        yield from _below(_one_array(table, column.name), column, column.name, None)


def _parsed(body: bytes, schema: pa.Schema, *, is_rewritten: bool) -> pa.Table:
    # A null in the first row makes Arrow's reader crash (pyarrow 26.0.1); further down its row has no key.
    if not body.startswith(b"{"):
        raise Refused
    # One block: the reader runs in the caller's thread, and no record can straddle two.
    reading = pj.ReadOptions(use_threads=False, block_size=len(body) + 1)
    parsing = pj.ParseOptions(
        explicit_schema=schema,
        newlines_in_values=True,
        unexpected_field_behavior="ignore" if is_rewritten else "error",
    )
    try:
        table: pa.Table = pj.read_json(pa.BufferReader(body), read_options=reading, parse_options=parsing)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowCapacityError):
        raise Refused from None
    return table if is_rewritten else table.append_column(EXTRA, pa.nulls(table.num_rows, pa.string()))


def _typed(table: pa.Table, plan: Plan) -> tuple[pa.Table, NoteCounts]:
    """Times and dates from text: at once if all are plain, else after mending what may be mended."""
    if not _all_have_t(table, plan):
        raise Refused
    notes: NoteCounts = Counter()
    try:
        return table.cast(plan.typed), notes
    except pa.ArrowInvalid:
        pass
    for leaf in leaves(table, plan.timestamps):
        notes[leaf.path, "precision_reduced"] = leaf.count(pc.match_substring_regex(leaf.values, _LOST_DIGITS))
    mended = [_one_array(table, name) for name in table.column_names]
    for place, column in enumerate(plan.resource.columns, len(plan.parents)):
        mended[place] = _mended(mended[place], column)
    try:
        return pa.table(mended, schema=table.schema).cast(plan.typed), +notes
    except pa.ArrowInvalid:
        raise Refused from None


def _all_have_t(table: pa.Table, plan: Plan) -> bool:
    """Whether every time has a T between day and clock: Arrow takes a space as well."""
    texts = [leaf.values for leaf in leaves(table, plan.timestamps)]
    marks = pc.utf8_slice_codeunits(pa.chunked_array(texts, pa.string()), 10, 11)
    # A text too short to have one is empty, or refused by the cast.
    return bool(pc.all(pc.is_in(marks, pa.array(["T", "", None])), min_count=0).as_py())


def _mended(array: Array, column: Column) -> Array:
    """The same array with empty times and dates as null, and times cut to microseconds."""
    if column.kind in (Kind.TIMESTAMP, Kind.DATE):
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
        return pc.replace_substring_regex(array, _LONG_FRACTION, r"\1") if column.kind is Kind.TIMESTAMP else array
    if column.kind is Kind.OBJECT:
        return _mended_struct(array, column)
    if column.kind is Kind.LIST:
        values = _mended(array.values, column.item) if column.item else _mended_struct(array.values, column)
        buffers = array.buffers()[:2]
        return pa.Array.from_buffers(array.type, len(array), buffers, offset=array.offset, children=[values])
    return array


def _mended_struct(array: Array, column: Column) -> Array:
    known = {inner.name: inner for inner in column.columns}
    fields = list(array.type)
    inner = [
        _mended(pc.struct_field(array, field.name), known[field.name]) if field.name in known else array.field(i)
        for i, field in enumerate(fields)
    ]
    return pa.StructArray.from_arrays(inner, fields=fields, mask=array.is_null())


def _check_typed(table: pa.Table, plan: Plan) -> None:
    try:
        # Arrow's reader takes 1e14 for DECIMAL(18,4), one digit too many, and does not look at UTF-8 at all.
        table.validate(full=True)
    except pa.ArrowInvalid:
        raise Refused from None
    _check_range(table, plan.timestamps, TIMESTAMP, (_FIRST_INSTANT, _LAST_INSTANT))
    _check_range(table, plan.dates, pa.date32(), (_FIRST_INSTANT.date(), _LAST_INSTANT.date()))


def _check_range(table: pa.Table, columns: Iterable[Column], kind: Any, ends: tuple[date, date]) -> None:
    values = pa.chunked_array([leaf.values for leaf in leaves(table, columns)], kind)
    found = pc.min_max(values)
    too_early = pc.less(found["min"], pa.scalar(ends[0], kind))
    too_late = pc.greater(found["max"], pa.scalar(ends[1], kind))
    if too_early.as_py() or too_late.as_py():
        raise Refused


def _below(array: Array, column: Column, path: str, records: Array | None) -> Iterator[Leaf]:
    if column.kind is Kind.LIST:
        records = pc.list_parent_indices(array)
        array, path = pc.list_flatten(array), f"{path}[]"
        if column.item is not None:
            yield Leaf(column.item, path, array, records)
    elif column.kind is not Kind.OBJECT:
        yield Leaf(column, path, array, records)
    for inner in column.columns:
        yield from _below(pc.struct_field(array, inner.name), inner, f"{path}.{inner.name}", records)


def _one_array(table: pa.Table, name: str) -> Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
