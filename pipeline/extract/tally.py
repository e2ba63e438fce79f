"""How the walks of one extraction ended, counted by resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields

from pipeline.extract.frontier import OpenWalk
from pipeline.extract.scope import WalksDone


class Tally:
    """Counts under the names of `WalksDone`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in names}

    def ended(self, walk: OpenWalk) -> None:
        """A walk has come to the source's end marker, has met its neighbour, or was given up for another."""
        counts = self._counts[walk.resource.name]
        counts["entry_count" if walk.is_further else "walk_count"] += 1
        counts["page_count"] += walk.progress.pages
        counts["record_count"] += walk.progress.records
        counts["restart_count"] += walk.restarts
        counts["recheck_count"] += walk.purpose == "recheck"
        counts["met_count"] += walk.has_met
        counts["given_up_count"] += walk.is_given_up

    def looked_up(self, name: str) -> None:
        """A single record was found."""
        self._counts[name].update(page_count=1, record_count=1)

    def walks_of(self, names: Iterable[str]) -> int:
        """The most walks of any of these resources."""
        return max(self._counts[name]["walk_count"] for name in names)

    def done(self) -> tuple[WalksDone, ...]:
        """One value a resource, in the order of their names."""
        every = {spec.name: 0 for spec in fields(WalksDone) if spec.name != "resource"}
        return tuple(WalksDone(name, **{**every, **counts}) for name, counts in self._counts.items())
