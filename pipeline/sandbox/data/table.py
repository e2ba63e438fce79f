"""One resource of the books as columns: which rows a parent has, in what order, and how rows become JSON text.

Rows of one parent are contiguous and ascend by (last update, id). Text is made when it is asked for, in blocks of some
thousand rows, and the newest blocks are kept; nothing here builds an object a row.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, cast

import numpy as np
import pyarrow as pa

from pipeline.sandbox.data.draw import Ints, Mask
from pipeline.sandbox.data.text import Texts

Wanted = str | bool | int
"""The value of a filter: text, a flag, or a UTC second."""
Condition = Callable[[slice, Wanted], Mask]
"""Which rows of a range a filter lets pass."""
Filters = Mapping[str, Wanted]

BLOCK_ROWS: Final = 4096
KEPT_BLOCK_BYTES: Final = 96 << 20
_FEW_ROWS: Final = 64
_ID_BITS: Final = 32


def sort_key(updated_s: Ints, ids: Ints) -> Ints:
    """One integer that orders as (last update, id): ids below 2**32, instants before 2038."""
    return (updated_s << _ID_BITS) | ids


def first_key_at(updated_s: int) -> int:
    """The least key a row with this update time can have."""
    return updated_s << _ID_BITS


@dataclass(frozen=True, slots=True)
class Block:
    """The text of some neighbouring rows, each record followed by a comma."""

    text: memoryview
    ends: Ints  # ends[i] .. ends[i + 1] is record i with its comma

    def between(self, first: int, stop: int) -> memoryview:
        return self.text[int(self.ends[first]) : int(self.ends[stop])]


class Shelf:
    """The newest blocks of all tables, up to a number of bytes."""

    def __init__(self, limit_bytes: int = KEPT_BLOCK_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.kept_bytes = 0
        self._blocks: OrderedDict[tuple[str, int], Block] = OrderedDict()

    def get(self, table: Table, number: int) -> Block:
        key = (table.name, number)
        found = self._blocks.get(key)
        if found is not None:
            self._blocks.move_to_end(key)
            return found
        first = number * BLOCK_ROWS
        block = table.block(np.arange(first, min(first + BLOCK_ROWS, table.row_count), dtype=np.int64))
        self._blocks[key] = block
        self.kept_bytes += len(block.text)
        while self.kept_bytes > self.limit_bytes and len(self._blocks) > 1:
            self.kept_bytes -= len(self._blocks.popitem(last=False)[1].text)
        return block

    @property
    def block_count(self) -> int:
        return len(self._blocks)

    def has(self, table: Table, number: int) -> bool:
        return (table.name, number) in self._blocks


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of one resource.

    Args:
        name: the resource.
        starts: rows starts[g] to starts[g + 1] belong to parent row g; one group without a parent.
        keys: `sort_key` of each row (the id alone where the resource has no update time), ascending in each group.
        ids: the number in each row's id.
        write: the JSON text of some rows, each followed by a comma.
        conditions: what each filter means, by its lower-case name.
    """

    name: str
    starts: Ints
    keys: Ints
    ids: Ints
    write: Callable[[Ints], Texts] = field(repr=False)
    conditions: Mapping[str, Condition] = field(default_factory=dict, repr=False)

    @property
    def row_count(self) -> int:
        return len(self.ids)

    @cached_property
    def _by_id(self) -> Ints:
        return np.argsort(self.ids, kind="stable")

    def group(self, number: int) -> slice:
        """The rows of one parent."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def find(self, group: int, key: str) -> int | None:
        """The row with this id under this parent, if there is one."""
        rows = self.group(group)
        if not (key.isascii() and key.isdigit()) or key != str(int(key)) or int(key) >= 1 << _ID_BITS:
            return None
        if rows.stop - rows.start <= BLOCK_ROWS:
            found = np.flatnonzero(self.ids[rows] == int(key))
            return rows.start + int(found[0]) if found.size else None
        if int(key) > np.iinfo(self.ids.dtype).max:
            return None
        # Of the column's own type: numpy would widen the whole column for each search.
        place = int(np.searchsorted(self.ids, self.ids.dtype.type(int(key)), sorter=self._by_id))
        row = int(self._by_id[place]) if place < self.row_count else -1
        return row if rows.start <= row < rows.stop and int(self.ids[row]) == int(key) else None

    def select(self, group: int, wanted: Filters) -> slice | Ints:
        """The rows of one parent that every filter lets pass, in order; a slice when they are neighbours."""
        rows = self.group(group)
        mask: Mask | None = None
        for name, value in wanted.items():
            passed = self.conditions[name](rows, value)
            mask = passed if mask is None else mask & passed
        if mask is None or mask.all():
            return rows
        passing: Ints = np.flatnonzero(mask) + rows.start
        if passing.size and int(passing[-1]) - int(passing[0]) + 1 == passing.size:
            return slice(int(passing[0]), int(passing[-1]) + 1)
        return passing

    def block(self, rows: Ints) -> Block:
        """Text of any rows, made now."""
        if rows.size == 0:
            return Block(memoryview(b""), np.zeros(1, dtype=np.int64))
        made = self.write(rows)
        ends = np.frombuffer(memoryview(cast("pa.Buffer", made.buffers()[1])), dtype=np.int32, count=len(made) + 1)
        return Block(memoryview(cast("pa.Buffer", made.buffers()[2])), ends.astype(np.int64))

    def pieces(self, rows: slice | Ints, shelf: Shelf) -> list[memoryview]:
        """The records of some rows of one group, in order, with a comma between them: put together, one text."""
        found = self._neighbours(rows.start, rows.stop, shelf) if isinstance(rows, slice) else self._picked(rows, shelf)
        if found:
            found[-1] = found[-1][:-1]
        return found

    def _picked(self, rows: Ints, shelf: Shelf) -> list[memoryview]:
        if rows.size == 0:
            return []
        numbers = np.unique(rows // BLOCK_ROWS)
        if rows.size <= _FEW_ROWS and not all(shelf.has(self, int(number)) for number in numbers):
            is_scattered = numbers.size > 1
        else:
            is_scattered = rows.size * 4 < int(rows[-1] - rows[0])
        if is_scattered:
            return [self.block(rows).between(0, rows.size)]
        return [part for row in rows.tolist() for part in self._neighbours(row, row + 1, shelf)]

    def one(self, row: int, shelf: Shelf) -> bytes:
        """The record of one row; a block is not made for it alone."""
        number, place = divmod(row, BLOCK_ROWS)
        if shelf.has(self, number):
            return bytes(shelf.get(self, number).between(place, place + 1))[:-1]
        return bytes(self.block(np.array([row], dtype=np.int64)).text)[:-1]

    def _neighbours(self, first: int, stop: int, shelf: Shelf) -> list[memoryview]:
        parts = []
        while first < stop:
            number, place = divmod(first, BLOCK_ROWS)
            count = min(stop - first, BLOCK_ROWS - place)
            parts.append(shelf.get(self, number).between(place, place + count))
            first += count
        return parts
