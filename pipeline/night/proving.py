"""What the source no longer has: nothing is taken for deleted without proof.

A record that a complete walk did not show is looked up by itself; only an answer that it is not there any more proves
its end. What hangs under a deleted record has ended with it, whether its own list was read or not: no later night would
look for it. All this holds for records in quarantine as for rows: one that fits some day must not come back from the
dead. The limits and counts are of rows alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from pipeline import warehouse
from pipeline.checks import is_too_much
from pipeline.decode import quarantined_key
from pipeline.extract import Extraction
from pipeline.model import Context, Deletion
from pipeline.night.values import Night, Vanished
from pipeline.resources import Resource
from pipeline.snapshot import Staging
from pipeline.warehouse import DuckDB

# So many vanished records of one resource are looked up in one night.
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
    unfit = _unfit(staging, night)
    for resource in night.catalogue:
        met = extraction.gone.get(resource.name, set())
        below = [key for key in await _below(known, resource, gone) if key not in met]
        shown = {*below, *met, *unfit.get(resource.name, ())}
        unseen = [key for key in await _unseen(known, extraction, staging, resource) if key not in shown]
        no_rows = set(await _listed(warehouse.only_in_quarantine, known, resource))
        most_percent = night.settings.checks.max_deleted_percent
        are_many = is_too_much(len(set(unseen) - no_rows), alive[resource.name], most_percent)
        if are_many and await extraction.read_alone({resource.name}):
            # Several walkers had read the list: what their bounds hid has not vanished.
            unseen = [key for key in await _unseen(known, extraction, staging, resource) if key not in shown]
        would_end = len({*below, *unseen, *met} - no_rows)
        is_accepted = resource.name in night.accepts_shrink
        if not is_accepted and is_too_much(would_end, alive[resource.name], most_percent):
            found.append(Vanished(resource.name, would_end, would_end, is_held=True))
            continue
        asked = unseen[:MOST_LOOKUPS] if resource.has_single else []
        there = await _looked_up(extraction, known, resource, asked)
        # What was not asked stays until the next full night, unless the user has said that so many are really gone.
        rest = unseen[len(asked) :] if not resource.has_single or (is_accepted and not there) else []
        ended = [*met, *(key for key in asked if key not in there)]
        now = night.world.clock()
        staging.add_deleted(Deletion(resource.name, key, "parent", now) for key in below)
        staging.add_deleted(Deletion(resource.name, key, "lookup", now) for key in ended)
        staging.add_deleted(Deletion(resource.name, key, "walk", now) for key in rest)
        gone[resource.name] = [*below, *ended, *rest]
        looked_up = len(asked) + len(met)
        deleted = len(set(gone[resource.name]) - no_rows)
        found.append(Vanished(resource.name, would_end, deleted, looked_up, len(there)))
    return tuple(found)


async def _looked_up(
    extraction: Extraction, known: DuckDB, resource: Resource, keys: Sequence[_Key]
) -> dict[_Key, int]:
    """Fingerprints of those records that answer; what hangs under one that is not as it was has been read, too."""
    records = [_record(resource, key) for key in keys]
    answers = await extraction.look_up(records)
    there = {key: mark for key, mark in zip(keys, answers, strict=True) if mark is not None}
    changed = []
    for key, record in zip(keys, records, strict=True):
        before = warehouse.known_fingerprints(known, resource, record[1], [record[2]])
        if key in there and before.get(record[2]) != there[key]:
            changed.append(record)
    await extraction.read_below(changed)
    return there


async def _below(known: DuckDB, resource: Resource, gone: Mapping[str, Sequence[_Key]]) -> list[_Key]:
    """Keys that were known and hang under a record that has ended."""
    return await _listed(warehouse.alive_under, known, resource, tuple(gone.get(resource.parent or "", ())))


async def _unseen(known: DuckDB, extraction: Extraction, staging: Staging, resource: Resource) -> list[_Key]:
    """Keys that were known, and that the complete walks of this run should have shown and did not."""
    mode = extraction.scope.reading(resource.name).mode
    if mode == "kept" or (mode == "incremental" and extraction.is_incremental_list(resource)):
        return []  # what was not asked for, or did not change, is not shown: that proves nothing
    childless = None
    if resource.only_when is not None and resource.parent is not None:
        childless = (extraction.scope.catalogue[resource.parent], staging.written(resource.parent))
    incoming, covered = staging.written(resource.name), staging.pages_written()
    return await _listed(warehouse.vanished, known, resource, covered, incoming, childless)


def _unfit(staging: Staging, night: Night) -> dict[str, set[_Key]]:
    """By resource, the keys of quarantined records: they were shown, though they stand in no part."""
    found: dict[str, set[_Key]] = {}
    for one in staging.quarantined():
        key = quarantined_key(one, night.catalogue[one.resource])
        if key is not None:
            found.setdefault(one.resource, set()).add(key)
    return found


async def _listed(query: Callable[..., Iterable[_Key]], *arguments: object) -> list[_Key]:
    """The keys that a query gives; it may take a while, and the network must not wait for it."""
    return await asyncio.to_thread(lambda: list(query(*arguments)))


def _record(resource: Resource, key: _Key) -> tuple[Resource, Context, str]:
    return resource, tuple(zip(resource.context_names, key, strict=False)), key[-1]
