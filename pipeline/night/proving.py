"""What the source no longer has: nothing is taken for deleted without proof.

A record that a complete walk did not show is looked up by itself; only an answer that it is not there any more proves
its end. What hangs under a deleted record has ended with it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Final

from pipeline import warehouse
from pipeline.checks import is_too_much
from pipeline.extract import Extraction
from pipeline.model import Context, Deletion
from pipeline.night.values import Night, Vanished
from pipeline.resources import Resource
from pipeline.snapshot import Staging
from pipeline.warehouse import DuckDB

# Of so many vanished records of one resource each is looked up; of more a sample of this size, spread evenly.
MOST_LOOKUPS: Final = 1000

_Key = tuple[str, ...]


async def prove_deletions(
    extraction: Extraction, staging: Staging, known: DuckDB, night: Night
) -> tuple[Vanished, ...]:
    """Everything that has ended at the source stands in the part `_deleted`.

    Args:
        extraction: has read all lists; look-ups go through it.
        staging: holds what was read.
        known: what the warehouse held before.
        night: whose limits and exceptions hold.
    """
    gone: dict[str, list[_Key]] = {}
    found = []
    alive = warehouse.alive_counts(known)
    for resource in night.catalogue:
        if night.how[resource.name].mode == "kept":
            continue
        below = await _listed(warehouse.alive_under, known, resource, gone.get(resource.parent or "", ()))
        unseen = await _unseen(known, extraction, staging, resource, set(below))
        would_end = len(below) + len(unseen)
        is_held = resource.name not in night.accepts_shrink and is_too_much(
            would_end, alive[resource.name], night.settings.checks.max_deleted_percent
        )
        if is_held:
            found.append(Vanished(resource.name, would_end, would_end, is_held=True))
            continue
        asked = unseen[:: max(1, math.ceil(len(unseen) / MOST_LOOKUPS))] if resource.has_single else []
        answers = await extraction.look_up([_record(resource, key) for key in asked])
        there = {key for key, mark in zip(asked, answers, strict=True) if mark is not None}
        ended = [key for key in unseen if key not in there]
        staging.add_deleted(_proven(resource, below, ended, set(asked), night.world.clock()))
        gone[resource.name] = [*below, *ended]
        found.append(Vanished(resource.name, would_end, len(below) + len(ended), len(asked), len(there)))
    return tuple(found)


async def _unseen(
    known: DuckDB, extraction: Extraction, staging: Staging, resource: Resource, below: Collection[_Key]
) -> list[_Key]:
    """Keys that were alive, and that the complete walks of this run should have shown and did not."""
    if extraction.is_incremental_list(resource) and extraction.scope.reading(resource.name).mode == "incremental":
        return []  # what did not change is not shown: that proves nothing
    incoming, covered = staging.written(resource.name), staging.pages_written()
    return [key for key in await _listed(warehouse.vanished, known, resource, covered, incoming) if key not in below]


async def _listed(query: Callable[..., Iterable[_Key]], *arguments: object) -> list[_Key]:
    """The keys that a query gives; it may take a while, and the network must not wait for it."""
    return await asyncio.to_thread(lambda: list(query(*arguments)))


def _record(resource: Resource, key: _Key) -> tuple[Resource, Context, str]:
    return resource, tuple(zip(resource.context_names, key, strict=False)), key[-1]


def _proven(
    resource: Resource, below: Iterable[_Key], ended: Iterable[_Key], asked: Collection[_Key], now: datetime
) -> Iterator[Deletion]:
    for key in below:
        yield Deletion(resource.name, key, "parent", now)
    for key in ended:
        yield Deletion(resource.name, key, "lookup" if key in asked else "walk", now)
