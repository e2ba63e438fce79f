"""What this night begins with from the nights before, and leaves to the next: pace, page size, lists for one walker."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from pipeline.night.values import Night
from pipeline.ops.remembered import Alone, recall, remember
from pipeline.paginate import LIMITS


class Lessons:
    """Belongs to one night. What was learnt before a failure is kept, too: the next night meets the same source."""

    def __init__(self, night: Night) -> None:
        self._night = night
        site, api = night.settings.site.name, night.settings.api
        self._known = recall(night.data_dir, site, night.started_at, most=api.concurrency)
        self._learnt = self._known
        self.window = self._known.window
        self.first_limit = self._known.page_limit or LIMITS[0]
        self.alone = {name: one.why for name, one in self._known.alone.items()}

    def found_limit(self, limit: int) -> None:
        """Every list was read with pages of at most this size. One that the settings give tells nothing new."""
        if self._night.settings.api.page_limit != "auto":
            return
        found_at = self._known.limit_found_at or self._night.started_at
        self._learnt = replace(self._learnt, page_limit=limit, limit_found_at=found_at)

    def found_alone(self, refused: Mapping[str, str], hiding: Collection[str]) -> None:
        """Some lists must be read by one walker each: they refuse more, or more have not seen all that was there."""
        why = {**dict.fromkeys(hiding, "walkers did not see all of it"), **refused}
        found = {name: Alone(told, self._night.started_at) for name, told in why.items()}
        self._learnt = replace(self._learnt, alone={**found, **self._learnt.alone})  # the first reason says most
        self.alone = {name: one.why for name, one in self._learnt.alone.items()}

    def keep(self, strained_window: int | None) -> None:
        """The next night finds it; None is a window that nothing holds down."""
        night, learnt = self._night, replace(self._learnt, window=strained_window)
        remember(night.data_dir, night.settings.site.name, learnt, night.world.clock())
