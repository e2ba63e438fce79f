"""How a run's marts are made: from the settings on its own night, from its manifest whenever it is made again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.marts import Reporting
from pipeline.settings import Report, Settings, Site, defaults_of

_OF_SITE = ("fiscal_year_start",)
_OF_REPORT = ("marts", "due_soon_days", "approval_thresholds", "threshold_percent", "entertainment_types")


def reporting_facts(settings: Settings) -> dict[str, Any]:
    """What the manifest says of it: a warehouse that is made again from the snapshots has the same marts."""
    of_site = {name: getattr(settings.site, name) for name in _OF_SITE}
    of_report = {name: getattr(settings.report, name) for name in _OF_REPORT}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in (of_site | of_report).items()}


def reporting_of(manifest: Mapping[str, Any]) -> Reporting | None:
    """What the marts of a run are made with; None if it has none.

    Runs from before there were marts get them by the default rules.
    """
    facts = defaults_of(Site) | defaults_of(Report) | manifest.get("reporting", {})
    return made_with(facts, datetime.fromisoformat(manifest["reading_began_at"]), manifest.get("timezone", "UTC"))


def made_with(facts: Mapping[str, Any], as_at: datetime, timezone: str) -> Reporting | None:
    """The marts of data of an instant; None where the site wants none."""
    if not facts["marts"]:
        return None
    return Reporting(
        as_at=as_at,
        today=as_at.astimezone(ZoneInfo(timezone)).date(),
        timezone=timezone,
        fiscal_month=facts["fiscal_year_start"],
        due_soon_days=facts["due_soon_days"],
        approval_thresholds=tuple(facts["approval_thresholds"]),
        threshold_percent=facts["threshold_percent"],
        entertainment_types=tuple(facts["entertainment_types"]),
    )
