"""What a run says of itself: a line a resource, the facts of its manifest, its report. Values in, values out."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.extract import Extracted
from pipeline.model import (
    CheckResult,
    ControlTotal,
    ErrorLines,
    Outcome,
    ResourceResult,
    RunReport,
    TokenState,
)
from pipeline.planning import RunPlan
from pipeline.resources import Catalogue
from pipeline.settings import Settings
from pipeline.snapshot import KeptPages, SealedResource, Staging


@dataclass(slots=True)
class Achieved:
    """What a run has achieved so far: what its report says if it ends now."""

    calls: Mapping[str, int]
    token: TokenState
    plan: RunPlan | None = None
    results: tuple[ResourceResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    advice: tuple[str, ...] = ()
    pages_kept: int = 0


def results_of(
    extracted: Extracted, sealed: Sequence[SealedResource], staging: Staging, achieved: Achieved
) -> tuple[ResourceResult, ...]:
    """One line a resource, in catalogue order: what came of it, beside what was planned."""
    plan = achieved.plan or RunPlan((), None, None)
    rows = {one.name: one.rows for one in sealed}
    quarantined: dict[str, int] = {}
    for one in staging.quarantined():
        quarantined[one.resource] = quarantined.get(one.resource, 0) + 1
    return tuple(
        ResourceResult(
            name=walks.resource,
            mode="full",
            rows=rows[walks.resource],
            calls=achieved.calls.get(walks.resource, 0),
            pages=walks.page_count,
            records=walks.record_count,
            quarantined=quarantined.get(walks.resource, 0),
            calls_planned=plan.of(walks.resource).calls,
            rows_planned=plan.of(walks.resource).rows,
        )
        for walks in extracted.walks
    )


def reading_of(settings: Settings, catalogue: Catalogue) -> str:
    """Names all that decides what a run reads: a later run may use its pages only if that is the same."""
    decides = (settings.site, settings.api.page_limit, settings.extract, catalogue.text_sha256, versions())
    return sha256(repr(decides).encode()).hexdigest()


def manifest_facts(
    settings: Settings,
    catalogue: Catalogue,
    started_at: datetime,
    extracted: Extracted,
    staging: Staging,
    achieved: Achieved,
    kept: KeptPages,
) -> dict[str, Any]:
    """What the manifest says beside its parts."""
    return {
        "site": settings.site.name,
        "started_at": started_at.isoformat(),
        "reading_began_at": kept.began.began_at.isoformat(),
        "went_on_from": list(kept.earlier),
        "versions": versions(),
        "settings_sha256": sha256(repr(replace(settings, source=None)).encode()).hexdigest(),
        "catalogue_sha256": catalogue.text_sha256,
        "page_limit": extracted.page_limit,
        "resources": {
            one.name: {
                "mode": one.mode,
                "walks": {
                    "count": walks.walk_count,
                    "pages": walks.page_count,
                    "records": walks.record_count,
                    "all_ended_at_marker": True,  # a walk that did not would have ended the run
                },
                "calls": one.calls,
                "quarantined": one.quarantined,
                "planned": {"calls": one.calls_planned, "rows": one.rows_planned},
            }
            for one, walks in zip(achieved.results, extracted.walks, strict=True)
        },
        "control_totals": [_total(one) for one in staging.page_totals()],
        "notes": [[note.resource, note.field, note.kind, note.record_count] for note in staging.notes()],
    }


def _total(one: ControlTotal) -> list[str | int]:
    return [one.resource, one.table, one.column, one.currency, one.value_count, f"{one.total:f}"]


def report_of(
    run_id: str,
    started_at: datetime,
    finished_at: datetime,
    achieved: Achieved,
    *,
    outcome: Outcome,
    exit_code: int,
    published: Path | None = None,
    error: ErrorLines | None = None,
) -> RunReport:
    """The result of a run, however it ended."""
    return RunReport(
        run_id=run_id,
        outcome=outcome,
        exit_code=exit_code,
        started_at=started_at,
        finished_at=finished_at,
        warehouse=str(published) if published else None,
        calls_planned=achieved.plan.calls if achieved.plan else None,
        calls_used=sum(achieved.calls.values()),
        resources=achieved.results,
        checks=achieved.checks,
        error=error,
        token=achieved.token,
    )


def program_version() -> str:
    """The version of the installed distribution."""
    return metadata.version("prospend-pipeline")


def versions() -> dict[str, str]:
    """Everything whose version can change what a run writes."""
    packages = ("prospend-pipeline", "aiohttp", "msgspec", "pyarrow", "duckdb")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}
