"""The books as they change: every list can be read and written, and every version of every record is kept.

What was never touched stays in the tables; a record is copied out of them when it is first changed. Not here: which
changes happen, and when.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from pipeline.resources import Catalogue, read_catalogue
from pipeline.sandbox.clock.filters import Record, facts_of, seconds
from pipeline.sandbox.clock.merge import keys_of
from pipeline.sandbox.clock.overlay import Context, Layer, ListName, Overlay, Version
from pipeline.sandbox.data.books import Books
from pipeline.sandbox.data.table import first_key_at

Rendering = Callable[[bytes], bytes]
"""What turns a record as the books write it into the record as it is served."""
_SMALL_TABLE_ROWS: Final = 8192
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(slots=True)
class _Draft:
    """A layer that can be written to."""

    group: int | None
    hidden: set[int] = field(default_factory=set)
    by_key: dict[str, Version | None] = field(default_factory=dict)

    def frozen(self) -> Layer:
        versions = sorted((v for v in self.by_key.values() if v is not None), key=lambda v: v.sort_key)
        hidden = np.array(sorted(self.hidden), dtype=np.int64)
        return Layer(self.group, hidden, tuple(versions), dict(self.by_key))


class Ledger:
    """All versions of all records; `freeze` gives what is to be served."""

    def __init__(self, books: Books, renderings: Mapping[str, Rendering]) -> None:
        self.books = books
        self._renderings = renderings
        self._rows: dict[tuple[str, Context, str], int] = {}
        self._row_counts = {name: table.row_count for name, table in books.tables.items()}
        self._catalogue: Catalogue = read_catalogue()
        self._drafts: dict[ListName, _Draft] = {}
        self._touched: set[ListName] = set()
        self._past: dict[str, list[Version]] = {}
        self._made: dict[str, dict[int, bytes]] = {}
        self._overlay = Overlay()
        self._portfolio_codes: dict[str, str] | None = None

    # ---- reading ----------------------------------------------------------------------------------------------------

    def group(self, resource: str, context: Context) -> int | None:
        """The group of a list's rows in its table; None when a parent is not of the table."""
        draft = self._drafts.get((resource, context))
        if draft is not None:
            return draft.group
        parent = self._catalogue[resource].parent
        if parent is None:
            return 0
        above = self.group(parent, context[:-1])
        return None if above is None else self.books.tables[parent].find(above, context[-1])

    def get(self, resource: str, context: Context, key: str) -> Version | None:
        """The version that stands now; None when there is none."""
        draft = self._drafts.get((resource, context))
        if draft is not None and key in draft.by_key:
            return draft.by_key[key]
        group = self.group(resource, context)
        row = self.books.tables[resource].find(group, _number_text(key)) if group is not None else None
        return None if row is None else self._of_table(resource, context, row)

    def standing(self, resource: str, context: Context) -> list[Version]:
        """Every version that stands in a list now, in the order of its place."""
        draft = self._drafts.get((resource, context))
        group = self.group(resource, context)
        found: list[Version] = []
        if group is not None:
            rows = self.books.tables[resource].group(group)
            hidden = draft.hidden if draft is not None else ()
            kept = [row for row in range(rows.start, rows.stop) if row not in hidden]
            self.prefetch(resource, kept)
            found = [self._of_table(resource, context, row) for row in kept]
        if draft is not None:
            found += (version for version in draft.by_key.values() if version is not None)
            found.sort(key=lambda version: version.sort_key)
        return found

    def newest_s(self, resource: str, context: Context) -> int:
        """The greatest time of a last update that a list shows now."""
        table, group = self.books.tables[resource], self.group(resource, context)
        draft = self._drafts.get((resource, context))
        newest = max((v.sort_key for v in draft.by_key.values() if v is not None), default=0) if draft else 0
        if group is not None:
            rows = table.group(group)
            hidden = draft.hidden if draft is not None else ()
            last = next((row for row in range(rows.stop - 1, rows.start - 1, -1) if row not in hidden), None)
            newest = max(newest, int(table.keys[last])) if last is not None else newest
        return newest // first_key_at(1)

    def originals(self, resource: str, context: Context, rows: Sequence[int]) -> list[Version]:
        """Rows of one list as the books were made with them."""
        self.prefetch(resource, rows)
        return [self._of_table(resource, context, row) for row in rows]

    def prefetch(self, resource: str, rows: Iterable[int]) -> None:
        """Make the text of some rows of a table at once: row by row takes some hundred times as long."""
        made = self._made.setdefault(resource, {})
        wanted = np.array(sorted({row for row in rows if row not in made}), dtype=np.int64)
        if wanted.size:
            block = self.books.tables[resource].block(wanted)
            for place, row in enumerate(wanted.tolist()):
                made[row] = bytes(block.between(place, place + 1))[:-1]

    def forget_prefetched(self) -> None:
        """Let go of the text made by `prefetch`, but for that of small tables, which are read again and again."""
        for name, table in self.books.tables.items():
            if table.row_count > _SMALL_TABLE_ROWS:
                self._made.pop(name, None)

    def _of_table(self, resource: str, context: Context, row: int) -> Version:
        table = self.books.tables[resource]
        self.prefetch(resource, (row,))
        raw = self._made[resource][row]
        key = msgspec.json.decode(raw)[self._catalogue[resource].key]
        return Version(resource, context, key, self._rendered(resource, raw), raw, int(table.keys[row]), row, None)

    def _rendered(self, resource: str, plain: bytes) -> bytes:
        rendering = self._renderings.get(resource)
        return plain if rendering is None else rendering(plain)

    # ---- writing ----------------------------------------------------------------------------------------------------

    def put(self, resource: str, context: Context, record: Record, at_s: int) -> Version:
        """Add a record or replace it, visible from that second on."""
        key = record[self._catalogue[resource].key]
        draft, old = self._close(resource, context, key, at_s)
        number = int(key.rpartition(":")[2])
        sort_key = first_key_at(seconds(record["updatedDate"])) | number if "updatedDate" in record else number
        plain, row = _encode(record), old.row if old is not None else self._row(resource, context, key)
        facts = facts_of(record, sort_key, self._codes())
        served = self._rendered(resource, plain)
        version = Version(resource, context, key, served, plain, sort_key, row, at_s, facts=facts)
        draft.by_key[key] = version
        return version

    def restore(self, version: Version, at_s: int) -> Version:
        """Make a record visible again exactly as it was."""
        return self.put(version.resource, version.context, version.record, at_s)

    def drop(self, resource: str, context: Context, key: str, at_s: int) -> None:
        """Delete a record; its children are their own lists and stay."""
        draft, _ = self._close(resource, context, key, at_s)
        draft.by_key[key] = None

    def _close(self, resource: str, context: Context, key: str, at_s: int) -> tuple[_Draft, Version | None]:
        old = self.get(resource, context, key)
        name = (resource, context)
        draft = self._drafts.get(name)
        if draft is None:
            draft = self._drafts[name] = _Draft(self.group(resource, context))
        self._touched.add(name)
        if old is not None:
            self._past.setdefault(resource, []).append(dataclasses.replace(old, visible_to_s=at_s))
            if old.row < self.books.tables[resource].row_count:
                draft.hidden.add(old.row)
        return draft, old

    def _row(self, resource: str, context: Context, key: str) -> int:
        """The row a record has or had in the table, or a number of its own beyond the table's rows."""
        group = self.group(resource, context)
        row = self.books.tables[resource].find(group, _number_text(key)) if group is not None else None
        if row is None:
            row = self._rows.get((resource, context, key))
        if row is None:
            row = self._rows[resource, context, key] = self._row_counts[resource]
            self._row_counts[resource] += 1
        return row

    def _codes(self) -> dict[str, str]:
        if self._portfolio_codes is None:
            table = self.books.tables["portfolio"]
            every = msgspec.json.decode(
                b"[" + b"".join(table.pieces(np.arange(table.row_count), self.books.shelf)) + b"]"
            )
            self._portfolio_codes = {each["id"]: each["portfolioCode"] for each in every}
        return self._portfolio_codes

    # ---- what is served, and what was ------------------------------------------------------------------------------

    def freeze(self) -> Overlay:
        """The changes so far as an overlay that later changes leave alone."""
        layers = {**self._overlay.layers, **{name: self._drafts[name].frozen() for name in self._touched}}
        self._touched.clear()
        self._overlay = Overlay(layers)
        return self._overlay

    def history(self, resource: str) -> list[Version]:
        """Every version there is or was of a resource's records, by parents, key and time."""
        found = list(self._past.get(resource, ()))
        for context, group in self._lists(resource):
            layer = self._overlay.layer(resource, context)
            if group is not None:
                rows = np.arange(*self.books.tables[resource].group(group).indices(1 << 62))
                kept = rows if layer is None else layer.without_hidden(rows)
                self.prefetch(resource, kept.tolist())
                found += (self._of_table(resource, context, row) for row in kept.tolist())
                self.forget_prefetched()
            if layer is not None:
                found += layer.versions
        return sorted(found, key=lambda v: (v.context, v.key, v.visible_from_s or -1))

    def _lists(self, resource: str) -> Iterator[tuple[Context, int | None]]:
        parent = self._catalogue[resource].parent
        if parent is None:
            yield (), 0
            return
        for context, group in self._lists(parent):
            for key, row in keys_of(self.books, self._overlay, parent, context, group):
                yield (*context, key), row


def _number_text(key: str) -> str:
    """The number that a table knows a key by: `1234567:2` is row 2 of its list."""
    return key.rpartition(":")[2]
