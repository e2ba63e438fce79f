"""How each resource is read this night: in full, from where the last night left off, or not at all. Pure.

A watermark is the greatest change time that is safely stored, by company: it moves only over what was read without a
gap.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from pipeline.errors import ConfigError
from pipeline.model import Mode
from pipeline.resources import Catalogue, Resource

LOWER_BOUND = "minUpdatedDate"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What this one run was asked for beside the settings: all in full, only some resources, or from a moment on."""

    is_full: bool = False
    only: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How one resource is read.

    `since` gives the lower bound of an incremental list by company; a company that is not in it is read in full. A
    resource that hangs under another has the mode of the list it hangs under, and no `since`.
    """

    mode: Mode
    since: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a resource was read by all runs together: watermarks by company, and when it was last read in full.

    `is_ordered` tells that its change times ascended when it was read last: only then reading on misses nothing.
    `asked` are the switches that were on when it was read in full, `was_shared` whether several walkers did that.
    """

    watermarks: Mapping[str, datetime] = field(default_factory=dict)
    full_at: datetime | None = None
    is_ordered: bool = True
    asked: tuple[str, ...] = ()
    was_shared: bool = False


def reached_by(last: Mapping[str, Any] | None, name: str) -> Reached:
    """How far the last accepted run had come with a resource.

    Args:
        last: its manifest, or None before the first.
        name: of the resource.
    """
    facts = (last or {}).get("resources", {}).get(name)
    if facts is None:
        return Reached()
    full_at = facts["full_at"]
    marks = {company: datetime.fromisoformat(mark) for company, mark in facts["watermarks"].items()}
    is_ordered = facts["walks"]["is_ascending"]
    return Reached(
        marks,
        datetime.fromisoformat(full_at) if full_at else None,
        is_ordered,
        tuple(facts.get("asked", ())),
        bool(facts.get("was_shared", False)),
    )


def readings(
    catalogue: Catalogue,
    last: Mapping[str, Any] | None,
    now: datetime,
    *,
    wanted: Wanted,
    asked: Sequence[str] = (),
    full_every_s: int,
    overlap_s: int,
) -> dict[str, Reading]:
    """How each resource is to be read, in catalogue order.

    Args:
        catalogue: the resources.
        last: the manifest of the last accepted run.
        now: when the run begins.
        wanted: by the user, for this run.
        asked: switches that are on; with others than last time, lines that were left out before are to be found.
        full_every_s: a list that was last read in full so long ago is read in full again.
        overlap_s: how far before the watermark an incremental walk begins, for changes that became visible late.

    Raises:
        ConfigError: `wanted.only` names a resource that there is not.
    """
    trees = _trees(catalogue, wanted.only)
    found: dict[str, Reading] = {}
    for resource in catalogue:
        if resource.parent is None:
            found[resource.name] = Reading("full")
        elif catalogue.depth(resource.name) > 1:
            found[resource.name] = Reading(found[resource.parent].mode)
        elif trees and resource.name not in trees:
            found[resource.name] = Reading("kept")
        else:
            # What hangs under a list is read with it: as long as one of them was never read in full, the list is.
            reached = [reached_by(last, name) for name in _tree(catalogue, resource.name)]
            is_known = all(one.full_at is not None and one.asked == tuple(asked) for one in reached)
            is_full = wanted.is_full or (wanted.since is None and not is_known)
            due = replace(wanted, is_full=is_full)
            found[resource.name] = _of_list(resource, reached[0], now, due, full_every_s, overlap_s)
    return found


def _tree(catalogue: Catalogue, name: str) -> Iterator[str]:
    """A resource and everything that hangs under it, itself first."""
    yield name
    for child in catalogue.children_of(name):
        yield from _tree(catalogue, child.name)


def _of_list(
    resource: Resource, reached: Reached, now: datetime, wanted: Wanted, full_every_s: int, overlap_s: int
) -> Reading:
    if wanted.is_full or not is_incremental(resource):
        return Reading("full")
    if wanted.since is not None:
        return Reading("incremental", dict.fromkeys((*reached.watermarks, ANY_COMPANY), wanted.since))
    is_due = not reached.is_ordered or not reached.watermarks
    if is_due or reached.full_at is None or (now - reached.full_at).total_seconds() >= full_every_s:
        return Reading("full")
    overlap = timedelta(seconds=overlap_s)
    return Reading("incremental", {company: mark - overlap for company, mark in reached.watermarks.items()})


ANY_COMPANY = "*"
"""Stands in `Reading.since` for every company that is not named there."""


def is_incremental(resource: Resource) -> bool:
    """Whether a list can be asked for what changed since a moment."""
    return resource.updated is not None and LOWER_BOUND in resource.filters


def lower_bound(moment: datetime) -> str:
    """A moment as the source takes it; never later than the moment itself."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04}{utc:-%m-%dT%H:%M:%SZ}"


def reached_after(
    reading: Reading,
    before: Reached,
    newest: Mapping[str, datetime],
    *,
    began_at: datetime,
    asked: Sequence[str] = (),
    was_shared: bool = False,
) -> Reached:
    """How far a resource is read after a run.

    Args:
        reading: how it was read.
        before: how far it was read before.
        newest: by company, the greatest change time that this run stored.
        began_at: when the run began to read, by our clock.
        asked: switches that were on.
        was_shared: whether several walkers read its list.
    """
    if reading.mode == "kept":
        return before
    # A change time ahead of us must not carry the watermark over what changes until then.
    sound = {company: min(mark, began_at) for company, mark in newest.items()}
    if reading.mode == "full":
        return Reached({**before.watermarks, **sound}, began_at, asked=tuple(asked), was_shared=was_shared)
    marks = dict(before.watermarks)
    for company, mark in sound.items():
        since, old = reading.since.get(company, reading.since.get(ANY_COMPANY)), marks.get(company)
        if since is None or (old is not None and since <= old):  # nothing was passed over
            marks[company] = max(filter(None, (old, mark)))
    return replace(before, watermarks=marks)


@dataclass(frozen=True, slots=True)
class Sample:
    """Which parents are read again though they have not changed: those whose key falls into one of `buckets`."""

    bucket: int
    buckets: int

    def holds(self, key: Sequence[str]) -> bool:
        """Whether a key belongs to the sample; each key does once in as many runs as there are buckets."""
        text = "\0".join(key).encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") % self.buckets == self.bucket


def sample_of(turn: int, percent: float) -> Sample | None:
    """The sample of a run, None when none is wanted.

    Args:
        turn: counts the runs, so that the samples rotate.
        percent: of all parents, in each run.
    """
    if not percent:
        return None
    buckets = math.ceil(100 / percent)
    return Sample(turn % buckets, buckets)


def refuse_unknown_resources(option: str, names: Iterable[str], catalogue: Catalogue) -> None:
    """Every name that an option of `run` lists is that of a resource.

    Raises:
        ConfigError: one is not; with the nearest name, or all that there are.
    """
    for name in names:
        if name not in catalogue.names:
            close = difflib.get_close_matches(name, catalogue.names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(catalogue.names)}"
            raise ConfigError(
                f"there is no resource {name!r:.60}", where=f"run {option}", do=f"correct {option}; {hint}"
            )


def _trees(catalogue: Catalogue, only: Sequence[str]) -> set[str]:
    """The lists that the named resources belong to: what hangs under a list is read with it, or would be missed."""
    found: set[str] = set()
    refuse_unknown_resources("--only", only, catalogue)
    for name in only:
        above = name
        while catalogue.depth(above) > 1:
            above = catalogue[above].parent or above
        found.add(above)
    return found
