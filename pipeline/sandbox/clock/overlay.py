"""What has changed in the books since they were made, laid over their tables: immutable, cheap to look into.

A list without changes has no layer and is served from its table alone. A layer says which of the table's rows are
hidden and which records stand in the list instead, in order. Not here: how changes come about (`ledger`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, cast

import msgspec
import numpy as np

from pipeline.sandbox.clock.filters import Facts, Record, passes
from pipeline.sandbox.data.draw import Ints
from pipeline.sandbox.data.table import Wanted

Context = tuple[str, ...]
ListName = tuple[str, Context]
"""A list: its resource and its parents' keys, outermost first."""
Filters = tuple[tuple[str, Wanted], ...]
_KEPT_SELECTIONS: Final = 16
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one record, for as long as it could be seen.

    Args:
        resource, context, key: which record; `context` are its parents' keys, outermost first.
        raw: the record as it is served.
        plain: the record as the books write it, whatever the variants; mostly the same bytes.
        sort_key: its place in its list: last update and id.
        row: its row in the table of the books; a record that came later has a number beyond them, its own for ever.
        visible_from_s: UTC seconds; None when the books were made with it.
        visible_to_s: UTC seconds of the moment it was replaced or deleted; None while it stands.
    """

    resource: str
    context: Context
    key: str
    raw: bytes = field(repr=False)
    plain: bytes = field(repr=False)
    sort_key: int
    row: int
    visible_from_s: int | None
    visible_to_s: int | None = None
    facts: Facts = field(default_factory=dict, repr=False, compare=False)

    @property
    def record(self) -> Record:
        """The record as the books write it, parsed anew; amounts are Decimals."""
        return cast("Record", _decode(self.plain))

    @property
    def visible_from(self) -> datetime | None:
        return None if self.visible_from_s is None else datetime.fromtimestamp(self.visible_from_s, UTC)

    @property
    def visible_to(self) -> datetime | None:
        return None if self.visible_to_s is None else datetime.fromtimestamp(self.visible_to_s, UTC)

    def is_visible_at(self, at_s: int) -> bool:
        """Whether it could be seen at that second: from its first on, up to but without its last."""
        is_there = self.visible_from_s is None or self.visible_from_s <= at_s
        return is_there and (self.visible_to_s is None or at_s < self.visible_to_s)


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """The changes of one list.

    Args:
        group: the group of the list's rows in its table; None when its parent came later.
        hidden: rows of the table that are not served any more, ascending.
        versions: the records that stand in the list instead or besides, in order.
        by_key: the same by key; None for what was deleted.
    """

    group: int | None
    hidden: Ints
    versions: tuple[Version, ...]
    by_key: Mapping[str, Version | None]
    _selections: OrderedDict[Filters, tuple[Ints, tuple[Version, ...]]] = field(default_factory=OrderedDict)

    def selection(self, wanted: Filters) -> tuple[Ints, tuple[Version, ...]]:
        """The records that pass some filters, in order, and their sort keys; the newest selections are kept."""
        found = self._selections.get(wanted)
        if found is None:
            chosen = tuple(version for version in self.versions if passes(version.facts, wanted))
            found = np.array([version.sort_key for version in chosen], dtype=np.int64), chosen
            self._selections[wanted] = found
            if len(self._selections) > _KEPT_SELECTIONS:
                self._selections.popitem(last=False)
        return found

    def without_hidden(self, rows: Ints) -> Ints:
        """Rows of the table that are still served."""
        if not self.hidden.size or not rows.size:
            return rows
        places = np.searchsorted(self.hidden, rows)
        kept: Ints = rows[self.hidden[np.minimum(places, self.hidden.size - 1)] != rows]
        return kept


@dataclass(frozen=True, eq=False, slots=True)
class Overlay:
    """The layers of all lists that have changed."""

    layers: Mapping[ListName, Layer] = field(default_factory=dict)

    def layer(self, resource: str, context: Context) -> Layer | None:
        return self.layers.get((resource, context)) if self.layers else None

    def holds(self, resource: str, context: Context, key: str) -> bool | None:
        """Whether a record is there (True), was deleted (False), or has never changed (None)."""
        layer = self.layer(resource, context)
        if layer is None or key not in layer.by_key:
            return None
        return layer.by_key[key] is not None
