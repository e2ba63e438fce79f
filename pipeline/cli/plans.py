"""What a run is expected to read and cost, for people and programs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import click

from pipeline.cli.text import aligned
from pipeline.ops import ledger
from pipeline.readings import Wanted
from pipeline.settings import Settings


def plan_document(settings: Settings, wanted: Wanted) -> dict[str, Any]:
    """What `plan --json` prints."""
    from pipeline.forecast import plan_next

    plan = plan_next(settings, datetime.now(UTC), wanted)
    folder = ledger.folder_of(settings.storage.data_dir, settings.site.name)
    return {
        "based_on": plan.based_on,
        "calls": plan.calls,
        "minutes": _rounded(None if plan.seconds is None else plan.seconds / 60),
        "rows": plan.rows,
        "resources": [{**dataclasses.asdict(one), "minutes": _rounded(one.minutes)} for one in plan.resources],
        "budget": ledger.document_of(folder, settings.budget, datetime.now(UTC)),
    }


def print_plan(document: dict[str, Any]) -> None:
    """The plan for people."""
    if document["based_on"] is None:
        click.echo("no earlier run: the first one reads everything and finds out what that costs")
    elif document["calls"] is None:
        click.echo(
            f"not known yet what it costs: no earlier run read every list in this way; "
            f"what is known is by the run {document['based_on']}"
        )
    else:
        minutes = f", about {document['minutes']:.1f} minutes" if document["minutes"] is not None else ""
        click.echo(
            f"about {document['calls']:,} calls{minutes}, {document['rows']:,} rows, by the run {document['based_on']}"
        )
    cells = [
        [
            one["name"],
            one["mode"],
            *("?" if one[key] is None else f"{one[key]:,}" for key in ("walks", "rows", "calls")),
            "?" if one["minutes"] is None else f"{one['minutes']:.2f}",
        ]
        for one in document["resources"]
    ]
    click.echo()
    header = ["resource", "mode", "walks", "rows", "calls", "minutes"]
    click.echo(aligned(header, cells, [False, False, True, True, True, True]))
    if document["minutes"] is not None:
        click.echo("minutes are the whole run's, shared out by calls: lists are read side by side")
    click.echo()
    for line in budget_lines(document["budget"], document["calls"]):
        click.echo(line)


def budget_lines(budget: dict[str, Any], planned: int | None = None) -> list[str]:
    """Used and left in the hour and the month, and where the month is heading."""
    lines = []
    for name in ("hour", "month"):
        one = budget[name]
        told = f"calls this {name}: {one['used']:,} used"
        if one["limit"] is not None:
            told += f", {one['left']:,} left of {one['limit']:,}"
            if planned:
                told += f"; this run would take {planned * 100 / one['limit']:.0f} % of the limit"
        lines.append(told)
    if budget["month"]["ends_on"]:
        lines.append(f"at this pace the month's calls end on {budget['month']['ends_on']}")
    return lines


def _rounded(minutes: float | None) -> float | None:
    return None if minutes is None else round(minutes, 2)
