"""Pages and whole lists out of a table and the layer over it, merged in order by what a page needs and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from pipeline.sandbox.clock.overlay import Context, Filters, Layer, Overlay
from pipeline.sandbox.data.books import Books
from pipeline.sandbox.data.draw import Ints
from pipeline.sandbox.data.table import Table

_LONG_RUN: Final = 8
_NONE: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Listed:
    """Some records of a list, in order.

    Args:
        pieces: their text with commas between them.
        last_key: the sort key of the last of them; -1 without any.
        more: whether others follow.
        rows: the row of each; records that came after the table have numbers beyond its rows.
    """

    pieces: list[bytes | memoryview]
    last_key: int
    more: bool
    rows: range | tuple[int, ...]


def next_records(books: Books, table: Table, layer: Layer, wanted: Filters, *, after: int, limit: int) -> Listed:
    """Up to `limit` records of a list with a sort key beyond `after`.

    A record that moved to the end while someone reads appears there again, as with the source.
    """
    rows, row_keys = _next_rows(books, table, layer, wanted, after=after, count=limit + 1)
    keys, versions = layer.selection(wanted)
    first = int(np.searchsorted(keys, after, side="right"))
    keys, versions = keys[first : first + limit + 1], versions[first : first + limit + 1]
    both = np.concatenate((row_keys, keys))
    order = np.argsort(both, kind="stable")
    picked = order[:limit]
    pieces: list[bytes | memoryview] = []
    served: list[int] = []
    # Rows keep their order, so those between two records that are not of the table are a range of `rows`.
    of_table = picked < rows.size
    ends = (np.flatnonzero(of_table[1:] != of_table[:-1]) + 1).tolist() if picked.size else []
    for begin, end in pairwise((0, *ends, picked.size) if picked.size else ()):
        place = int(picked[begin])
        if of_table[begin]:
            for run in _runs(rows[place : place + end - begin]):
                pieces += (*table.pieces(run, books.shelf), b",")
            served += rows[place : place + end - begin].tolist()
            continue
        for version in versions[place - rows.size : place - rows.size + end - begin]:
            pieces += (version.raw, b",")
            served.append(version.row)
    last_key = int(both[picked[-1]]) if picked.size else -1
    return Listed(pieces[:-1], last_key, order.size > limit, tuple(served))


def _next_rows(
    books: Books, table: Table, layer: Layer, wanted: Filters, *, after: int, count: int
) -> tuple[Ints, Ints]:
    """Up to `count` rows that are not hidden, and their keys: windows of the selection until there are enough."""
    if layer.group is None:
        return _NONE, _NONE
    rows, keys = books.selection(table, layer.group, wanted)
    start = int(np.searchsorted(keys, after, side="right"))
    found, size = _NONE, count
    while found.size < count and start < keys.size:
        stop = min(start + size, keys.size)
        window = np.arange(rows.start + start, rows.start + stop) if isinstance(rows, slice) else rows[start:stop]
        found = np.concatenate((found, layer.without_hidden(window)))
        start, size = stop, size * 2
    found = found[:count]
    return found, table.keys[found].astype(np.int64)


def _runs(rows: Ints) -> list[slice | Ints]:
    """Ascending rows as slices of neighbours where these are long, else as they are."""
    gaps = np.flatnonzero(np.diff(rows) != 1)
    if (gaps.size + 1) * _LONG_RUN > rows.size > 1:
        return [rows]
    firsts, lasts = rows[np.concatenate(([0], gaps + 1))], rows[np.concatenate((gaps, [rows.size - 1]))]
    return [slice(first, last + 1) for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]


def whole_list(
    books: Books, overlay: Overlay, resource: str, context: Context, group: int | None, wanted: Filters
) -> list[bytes | memoryview]:
    """The text of every record of a list that passes some filters, in order, with commas between them."""
    table = books.tables[resource]
    layer = overlay.layer(resource, context)
    if layer is None:
        return [*table.pieces(table.select(group, dict(wanted)), books.shelf)] if group is not None else []
    return next_records(books, table, layer, wanted, after=-1, limit=table.row_count + len(layer.versions)).pieces


def keys_of(
    books: Books, overlay: Overlay, resource: str, context: Context, group: int | None
) -> Iterator[tuple[str, int | None]]:
    """The key of every record of a list of parents, and its row if it has one; ids of the books are numbers."""
    table = books.tables[resource]
    layer = overlay.layer(resource, context)
    if group is not None:
        rows = np.arange(*table.group(group).indices(table.row_count))
        kept = rows if layer is None else layer.without_hidden(rows)
        for row, key in zip(kept.tolist(), table.ids[kept].tolist(), strict=True):
            yield str(key), row
    if layer is not None:
        for version in layer.versions:
            yield version.key, version.row if version.row < table.row_count else None
