"""What a run would read and cost, told from the last sealed run alone: no request is made for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from pipeline.resources import Catalogue

_LEAST_S = 3600.0
_MARGIN = 1.5


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One line of a plan. Counts are None when no earlier run has told them.

    `minutes` is its share of the run's, in proportion to calls: lists are read side by side, and none has a time of its
    own.
    """

    name: str
    mode: Literal["full", "incremental"]
    walks: int | None = None
    rows: int | None = None
    calls: int | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run is expected to do; `seconds` is the last sealed run's duration, None without one."""

    resources: tuple[PlannedResource, ...]
    based_on: str | None
    seconds: float | None

    @property
    def calls(self) -> int | None:
        """Calls of the whole run, None when no earlier run has told them."""
        return _sum(one.calls for one in self.resources)

    @property
    def rows(self) -> int | None:
        """Rows of the whole run, None when no earlier run has told them."""
        return _sum(one.rows for one in self.resources)

    def of(self, name: str) -> PlannedResource:
        """The line of one resource; nothing is known of one that was not planned."""
        return next((one for one in self.resources if one.name == name), PlannedResource(name, "full"))


def expected_duration(last_s: float | None, deadline_s: float) -> timedelta:
    """How long the next run may take: half as long again as the last one, an hour at least, its deadline at most.

    Args:
        last_s: how long the last sealed run took, None without one.
        deadline_s: after which a run stops reading.
    """
    return timedelta(seconds=min(deadline_s, max(_LEAST_S, _MARGIN * (last_s or 0.0))))


def plan_of(catalogue: Catalogue, last: Mapping[str, Any] | None, seconds: float | None) -> RunPlan:
    """The plan of the next full run.

    Args:
        catalogue: what would be read.
        last: the newest manifest, or None before the first run.
        seconds: how long that run took, if it is known.
    """
    if last is None:
        return RunPlan(tuple(PlannedResource(one.name, "full") for one in catalogue), None, None)
    facts, parts = last["resources"], last["parts"]
    planned = [
        PlannedResource(
            name=one.name,
            mode="full",
            walks=facts[one.name]["walks"]["count"] if one.name in facts else None,
            rows=parts[one.name]["rows"] if one.name in parts else None,
            calls=facts[one.name]["walks"]["pages"] if one.name in facts else None,
        )
        for one in catalogue
    ]
    return RunPlan(tuple(_shared_out(planned, seconds)), str(last["run_id"]), seconds)


def _shared_out(planned: Sequence[PlannedResource], seconds: float | None) -> Iterator[PlannedResource]:
    """The same with each one's minutes."""
    total = _sum(one.calls for one in planned)
    for one in planned:
        if not total or seconds is None or one.calls is None:
            yield one
        else:
            yield replace(one, minutes=seconds / 60 * one.calls / total)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
