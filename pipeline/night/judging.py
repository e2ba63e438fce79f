"""Judging: what was served, stored and loaded, compared with itself and with the last night, before readers see it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pipeline import checks, warehouse
from pipeline.account import Achieved
from pipeline.durable import make_folder, storing, write_sealed
from pipeline.errors import CheckRefused
from pipeline.marts import MartFinding
from pipeline.model import Blamed, CheckResult
from pipeline.night.values import Night, Read, Vanished
from pipeline.ops.runs import generation_of
from pipeline.settings import seconds_of
from pipeline.snapshot import SealedResource, Staging
from pipeline.tables import all_tables
from pipeline.totals import add_totals

# Below the run's own folder, and only if the night is refused.
FAILURES = "check_failures.json"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A night that is loaded: its parts, what was noticed while reading, and the warehouse file built from them."""

    read: Read
    sealed: Sequence[SealedResource]
    staging: Staging
    achieved: Achieved
    built: warehouse.Built
    marts: tuple[MartFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and the numbers that the next night is compared with."""

    results: tuple[CheckResult, ...]
    figures: checks.Figures


def judge(night: Night, loaded: Loaded) -> Verdict:
    """Every check's verdict on a loaded night, as required or advisory as the site wants it."""
    settings, achieved = night.settings, loaded.achieved
    last = night.base.run_id
    before = warehouse.earlier_figures(generation_of(night.data_dir, last)) if last else None
    switches = frozenset(settings.extract.switched_on)
    spill = loaded.staging.root
    counted = warehouse.count(
        loaded.built,
        night.catalogue,
        now=night.started_at,
        switches=switches,
        temp_dir=spill,
        zone=settings.site.timezone,
    )
    results = (
        *_complete(night, loaded),
        *checks.sums_right(counted.sums),
        *_moved(night, loaded, counted.figures, before),
        *_drifted(night, loaded, before),
        *_read_well(loaded),
        *checks.marts_hold(loaded.marts),
        checks.token_lasts(achieved.token),
        checks.advice_given(achieved.advice),
    )
    wanted = checks.demanded(results, settings.checks.required, settings.checks.advisory)
    return Verdict(wanted, counted.figures)


def refuse(results: Sequence[CheckResult], folder: Path) -> None:
    """Stop here if a required check did not pass, and leave the rows to blame in the run's folder.

    Raises:
        CheckRefused: naming each check and what it found.
    """
    failed = checks.refusals(results)
    if not failed:
        return
    path = folder / FAILURES
    with storing(f"check · {path}"):
        make_folder(folder)
        document = [checks.to_document(one) | {"blamed": [_blamed(row) for row in one.blamed]} for one in results]
        write_sealed(path, json.dumps(document, indent=1, ensure_ascii=False).encode(), mode=0o640)
    has_rows = any(one.blamed for one in failed)
    named = f"the rows to blame stand in runs/{folder.name}/{FAILURES}; " if has_rows else ""
    is_of_quarantine = any(one.name == checks.QUARANTINE_SMALL for one in failed)
    set_aside = (
        f"the records that did not fit stand in snapshots/_quarantine/run={folder.name}, with field and reason; "
        "if a column's type in the catalogue is why, correct it; "
        if is_of_quarantine
        else ""
    )
    raise CheckRefused(
        "; ".join(f"check {one.name} did not pass: {one.detail}" for one in failed),
        where="check",
        do=f"{named}{set_aside}{CheckRefused.default_do}",
    )


def _blamed(row: Blamed) -> Mapping[str, object]:
    return {"resource": row.resource, "key": row.key, "detail": row.detail}


def _complete(night: Night, loaded: Loaded) -> tuple[CheckResult, ...]:
    """Compare what was served, what lies in Parquet and what was loaded."""
    built, staging = loaded.built, loaded.staging
    rows, superseded = dict(built.read_rows), dict(built.superseded)
    parquet = {one.name: one.rows for one in loaded.sealed}
    counts = [
        checks.ResourceCounts(
            resource=one.name,
            records=one.records,
            quarantined=one.quarantined,
            parquet_rows=parquet[one.name],
            superseded=superseded.get(one.name, 0),
            warehouse_rows=rows.get(one.name, 0),  # a list without a walk has none
        )
        for one in loaded.achieved.results
    ]
    return checks.judge(
        counts=counts,
        roots=[one.name for one in night.catalogue if one.parent is None],
        element_counts={table: count for one in loaded.sealed for table, count in one.elements},
        loaded_rows=rows,
        page_totals=staging.page_totals(),
        parquet_totals=add_totals(*(one.totals for one in loaded.sealed)),
        loaded_totals=add_totals(built.read_totals, built.superseded_totals),
        key_problems=[checks.KeyProblems(*problem) for problem in built.key_problems],
        max_quarantined_percent=night.settings.checks.max_quarantined_percent,
    )


def _moved(
    night: Night,
    loaded: Loaded,
    now: checks.Figures,
    before: checks.Figures | None,
) -> tuple[CheckResult, ...]:
    """Compare this night with the one that it builds on."""
    limits, accepted = night.settings.checks, night.accepts_shrink
    max_age = timedelta(seconds=seconds_of(limits.max_data_age)) if limits.max_data_age else None
    documents = [one.name for one in night.catalogue if one.period]
    shifts = _shifts(night, loaded, before)
    return (
        checks.shrink_small(shifts, limits.max_shrink_percent, accepted),
        checks.deletions_small(shifts, limits.max_deleted_percent, accepted),
        checks.keys_overlap(shifts, limits.min_key_overlap_percent, accepted),
        checks.states_told(now, before, limits.closed_until),
        checks.null_rates_steady(now, before, limits.max_null_change_percent),
        checks.data_fresh(now.updates, documents, max_age, night.started_at),
        checks.update_times_plausible(now.updates),
    )


def _read_well(loaded: Loaded) -> tuple[CheckResult, ...]:
    """What reading showed of the source itself."""
    read = loaded.read
    return (
        checks.lists_in_order(read.unordered, read.alone),
        checks.rechecks_agree({one.resource: one.recheck_count for one in read.extracted.walks}, read.recheck_differed),
        checks.nothing_hidden({one.resource: one.still_there for one in read.vanished}),
    )


def _shifts(night: Night, loaded: Loaded, before: checks.Figures | None) -> tuple[checks.Shift, ...]:
    """How the rows of each resource moved, for those that the earlier night had.

    Deletions that are held stand in no table, and are judged as if they did.
    """
    had, has = dict(before.rows) if before else {}, dict(loaded.built.rows)
    vanished = {one.resource: one for one in loaded.read.vanished}
    new = {one.resource: one.new + one.restored for one in loaded.built.changes}
    return tuple(
        checks.Shift(one.name, had[one.name], has[one.name] - held, gone.deleted, gone.unseen, new.get(one.name))
        for one in night.catalogue
        if one.name in had
        for gone in [vanished.get(one.name, Vanished(one.name))]
        for held in [gone.deleted if gone.is_held else 0]
    )


def _drifted(night: Night, loaded: Loaded, before: checks.Figures | None) -> tuple[CheckResult, ...]:
    """Compare what was sent with the catalogue, and with what was sent before."""
    notes = loaded.staging.notes()
    return (
        checks.fields_known(notes),
        checks.values_as_sent(notes),
        checks.types_as_declared(loaded.staging.quarantined()),
        *checks.fields_sent(
            [fill for one in loaded.sealed for fill in one.fills],
            before,
            resource_of={table.name: table.resource for table in all_tables(night.catalogue)},
            in_full=[one.name for one in loaded.achieved.results if one.mode == "full"],
            notes=notes,
        ),
    )
