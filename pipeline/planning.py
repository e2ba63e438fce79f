"""What a run would read and cost, told from earlier runs alone: no request is made for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pipeline.model import Mode
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
    mode: Mode
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
        """Calls of the whole run, None when no earlier run has told those of every resource."""
        return _sum(one.calls for one in self.resources)

    @property
    def rows(self) -> int | None:
        """Rows of the whole run, None when no earlier run has told those of every resource."""
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


def plan_of(
    catalogue: Catalogue,
    modes: Mapping[str, Mode],
    history: Sequence[Mapping[str, Any]],
    seconds_of: Callable[[str], float | None],
) -> RunPlan:
    """The plan of the next run: it is expected to go like the newest one that read in the same way.

    Args:
        catalogue: what would be read.
        modes: how each resource would be.
        history: manifests of earlier runs, newest first; none before the first run.
        seconds_of: how long a run took, if it is known.
    """
    last = next((one for one in history if _modes_of(one) == modes), next(iter(history), None))
    if last is None:
        return RunPlan(tuple(PlannedResource(one.name, modes[one.name]) for one in catalogue), None, None)
    planned = [_line(one.name, modes[one.name], last["resources"].get(one.name)) for one in catalogue]
    seconds = seconds_of(last["run_id"]) if _modes_of(last) == modes else None
    return RunPlan(tuple(_shared_out(planned, seconds)), str(last["run_id"]), seconds)


def _line(name: str, mode: Mode, facts: Mapping[str, Any] | None) -> PlannedResource:
    """What is known of one resource: nothing, if it was read in another way."""
    if mode == "kept":
        return PlannedResource(name, mode, walks=0, rows=0, calls=0)
    if facts is None or facts["mode"] != mode:
        return PlannedResource(name, mode)
    walks = facts["walks"]
    return PlannedResource(name, mode, walks=walks["count"], rows=walks["records"], calls=walks["pages"])


def _modes_of(manifest: Mapping[str, Any]) -> dict[str, Mode]:
    return {name: facts["mode"] for name, facts in manifest["resources"].items()}


def _shared_out(planned: Sequence[PlannedResource], seconds: float | None) -> Iterator[PlannedResource]:
    """The same with each one's minutes."""
    total = _sum(one.calls for one in planned)
    for one in planned:
        if not total or seconds is None or one.calls is None:
            yield one
        else:
            yield replace(one, minutes=seconds / 60 * one.calls / total)


def _sum(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total
