"""Which records are as they were when they were last read: in this run, or by the runs before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.extract.scope import Scope
from pipeline.model import Context
from pipeline.resources import Resource

# So many recent records of this run are remembered, in two generations; a catch-up asks for the newest ones only.
_RECENT = 50_000
_Place = tuple[str, Context, str]


@dataclass(slots=True)
class Known:
    """The fingerprints of recent records of this run, beside what the scope knows of earlier ones.

    `opened` are the parents of incremental lists whose children this run reads; `pinned` are the records that walkers
    of shared lists began with, or ended the list with: they are met again however much later.
    """

    scope: Scope
    opened: set[_Place] = field(default_factory=set)
    pinned: dict[_Place, int] = field(default_factory=dict)
    _noted: deque[tuple[str, Context, Sequence[str | None], Sequence[int]]] = field(default_factory=deque)
    _noted_count: int = 0
    _recent: dict[_Place, int] = field(default_factory=dict)
    _older: dict[_Place, int] = field(default_factory=dict)

    def note(
        self,
        resource: Resource,
        context: Context,
        keys: Sequence[str | None],
        marks: Sequence[int],
        *,
        is_pinned: bool = False,
    ) -> None:
        """Remember a page's records, cheaply: whether they are fresh is asked later, of a few."""
        if is_pinned:
            self.pinned.update(
                ((resource.name, context, key or ""), mark) for key, mark in zip(keys, marks, strict=True)
            )
            return
        self._noted.append((resource.name, context, keys, marks))
        self._noted_count += len(keys)
        while self._noted_count - len(self._noted[0][2]) > _RECENT:
            self._noted_count -= len(self._noted.popleft()[2])

    def are_fresh(
        self,
        resource: Resource,
        context: Context,
        keys: Sequence[str | None],
        marks: Sequence[int],
        *,
        is_pinned: bool = False,
    ) -> list[bool]:
        """Which of a page's records have not been read in this very form before; they are remembered.

        Args:
            resource: of the page.
            context: its parents' keys.
            keys: of its records, None for one without.
            marks: their fingerprints.
            is_pinned: they are met again however much later.
        """
        self._take_noted()
        places = [(resource.name, context, key or "") for key in keys]
        fresh = [self._recall(place) != mark for place, mark in zip(places, marks, strict=True)]
        if self.scope.reading(resource.name).mode == "incremental":
            unchanged = self.scope.are_unchanged(resource, context, [key or "" for key in keys], marks)
            fresh = [is_fresh and not is_old for is_fresh, is_old in zip(fresh, unchanged, strict=True)]
            self.opened.update(place for place, is_fresh in zip(places, fresh, strict=True) if is_fresh)
        (self.pinned if is_pinned else self._recent).update(zip(places, marks, strict=True))
        if len(self._recent) > _RECENT:
            self._older, self._recent = self._recent, {}
        return fresh

    def _take_noted(self) -> None:
        while self._noted:
            name, context, keys, marks = self._noted.popleft()
            self._recent.update(((name, context, key or ""), mark) for key, mark in zip(keys, marks, strict=True))
        self._noted_count = 0

    def _recall(self, place: _Place) -> int | None:
        for known in (self._recent, self._older, self.pinned):
            if (mark := known.get(place)) is not None:
                return mark
        return None
