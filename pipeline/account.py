"""What a run says of itself: a line a resource, the facts of its manifest, its report. Values in, values out."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from pipeline.model import (
    CheckResult,
    ErrorLines,
    Outcome,
    ResourceResult,
    RunReport,
    TokenState,
)
from pipeline.planning import RunPlan
from pipeline.readings import Reading
from pipeline.resources import Catalogue
from pipeline.settings import Settings


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


def reading_of(
    settings: Settings,
    catalogue: Catalogue,
    base: str | None,
    how: Mapping[str, Reading],
    bearer: tuple[str | None, ...],
) -> str:
    """Names all that decides what a run reads: a later run may use its pages only if that is the same.

    `bearer` is who the token says it speaks for: another one may see other records.
    """
    decided = (settings.site, settings.api.page_limit, settings.extract, catalogue.text_sha256, versions())
    decides = (*decided, base, how, bearer)
    return sha256(repr(decides).encode()).hexdigest()


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
