"""How a site stands: what readers have and how old it is, how the last runs went, and what is left of calls and disk.

One document for people and programs. It only looks, needs no valid token, and what it cannot tell is null.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import warehouse
from pipeline.durable import storing
from pipeline.errors import PipelineError
from pipeline.ops import ledger, lock, records
from pipeline.ops.runs import MISSED_AFTER, pointer_of
from pipeline.resources import read_catalogue
from pipeline.settings import Settings, defaults_of, seconds_of
from pipeline.settings.values import Storage
from pipeline.snapshot import erasures, pending
from pipeline.warehouse import Freshness
from pipeline.watching.disk import Disk, disk_of


def health_of(
    folder: Path, settings: Settings | None, now: datetime, *, last: int, token: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What `status --json` prints.

    Args:
        folder: of the data.
        settings: of the site; None leaves out what only they tell.
        now: when it is asked.
        last: how many runs to list.
        token: what is known of the token.

    Raises:
        PipelineError: the published file cannot be read.
    """
    document = outline_of(folder, settings, now, last=last, token=token)
    pointer = pointer_of(folder)
    with storing(f"status · {folder}"):
        if not pointer.is_symlink():
            return document
    with warehouse.connect(pointer) as connection:
        info = warehouse.snapshot_info(connection)
        document["tables"] = warehouse.table_rows(connection)
        fresh = warehouse.freshness(connection)
    age = now - info.data_as_at
    document["site"] = document["site"] or info.site
    document["data_as_at"] = info.data_as_at.isoformat()
    document["age_hours"] = _hours(age)
    document["is_stale"] = age > MISSED_AFTER
    document["warehouse"] = str(pointer.resolve())
    target, documents = _target(settings)
    document["resources"] = {one.resource: resource_of(one, now, target, documents) for one in fresh}
    document["quarantined"] = sum(one.quarantined for one in fresh)
    document["generations"] = [
        {"run_id": one.run_id, "size_bytes": one.size_bytes, "is_current": one.is_current}
        for one in warehouse.generations(folder / "warehouse", pointer)
    ]
    return document


def health_after_run(settings: Settings, now: datetime) -> dict[str, Any]:
    """The same for monitoring, with the token as the newest run that found one knew it.

    A published file that is damaged is the run's to tell: what can be told without it still is.
    """
    folder = settings.storage.data_dir
    token = next((run["token"] for run in records.newest_first(folder) if run.get("token")), None)
    try:
        return health_of(folder, settings, now, last=0, token=token)
    except PipelineError:
        return outline_of(folder, settings, now, last=0, token=token)


def outline_of(
    folder: Path, settings: Settings | None, now: datetime, *, last: int, token: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The same without the published file: what can be told even if that is damaged."""
    return {
        "site": settings.site.name if settings else None,
        "timezone": settings.site.timezone if settings else "UTC",
        "looked_at": now.isoformat(timespec="seconds"),
        "data_as_at": None,
        "age_hours": None,
        "max_age_hours": _hours(MISSED_AFTER),
        "is_stale": None,
        "warehouse": None,
        "running": lock.holder(folder),
        "tables": {},
        "resources": {},
        "quarantined": None,
        "generations": [],
        "runs": list(records.recent(folder, last)),
        "last_success_at": _last_success(folder),
        "erasures_pending": _erasures_pending(folder),
        "token": token,
        "budget": _budget(settings, now),
        "disk": _disk(folder, settings),
    }


def _erasures_pending(folder: Path) -> int | None:
    """How many are not finished; None where that cannot be read: a newer version may have written it."""
    with suppress(PipelineError):
        return len(pending(erasures(folder)))
    return None


def resource_of(one: Freshness, now: datetime, target: timedelta | None, documents: Collection[str]) -> dict[str, Any]:
    """How old one resource is against its targets: it is read each night, and its documents change so often.

    Args:
        one: what the published file says of it.
        now: when it is asked.
        target: the site's `checks.max_data_age`.
        documents: resources that this is about.
    """
    read_age = now - one.read_at if one.read_at else None
    change_age = max(now - one.changed_at, timedelta()) if one.changed_at else None
    wanted = target if one.resource in documents else None
    return {
        "rows": one.row_count,
        "read_at": one.read_at.isoformat() if one.read_at else None,
        "read_age_hours": _hours(read_age),
        "max_read_age_hours": _hours(MISSED_AFTER),
        "is_read_late": read_age is None or read_age > MISSED_AFTER,
        "changed_at": one.changed_at.isoformat() if one.changed_at else None,
        "change_age_hours": _hours(change_age),
        "max_change_age_hours": _hours(wanted),
        "is_change_late": None if wanted is None or change_age is None else change_age > wanted,
        "quarantined": one.quarantined,
    }


def _last_success(folder: Path) -> str | None:
    """When the newest run that published ended; None of one that was killed before it could say."""
    published = (run for run in records.newest_first(folder) if run.get("outcome") == "published")
    return next((run["finished_at"] for run in published), None)


def _target(settings: Settings | None) -> tuple[timedelta | None, frozenset[str]]:
    if settings is None or settings.checks.max_data_age is None:
        return None, frozenset()
    with suppress(PipelineError):  # a catalogue that is not right is the next run's to tell
        catalogue = read_catalogue(settings.api.resources)
        documents = frozenset(one.name for one in catalogue if one.period)
        return timedelta(seconds=seconds_of(settings.checks.max_data_age)), documents
    return None, frozenset()


def _budget(settings: Settings | None, now: datetime) -> dict[str, Any] | None:
    if settings is None:
        return None
    folder = ledger.folder_of(settings.storage.data_dir, settings.site.name)
    return ledger.document_of(folder, settings.budget, now)


def _disk(folder: Path, settings: Settings | None) -> dict[str, Any] | None:
    keep = settings.storage.keep_generations if settings else defaults_of(Storage)["keep_generations"]
    with suppress(PipelineError):
        found: Disk = disk_of(folder, keep)
        return {**dataclasses.asdict(found), "total_bytes": found.total_bytes}
    return None


def _hours(age: timedelta | None) -> float | None:
    return None if age is None else round(age.total_seconds() / 3600, 2)
