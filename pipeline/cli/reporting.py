"""`report`: page and workbook again, from the warehouse that readers have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import data_folder, existing, shared, site_settings

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.settings import Report


@click.command(short_help="Write page and workbook again, from the published warehouse.")
@click.option("--mask-people", is_flag=True, help="Put made-up names in place of people's, as report.mask_people does.")
@shared
def report(
    mask_people: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write the page and the workbook of the night that readers have now into reports/latest.

    \b
    Examples:
      prospend report
      prospend report --data data/demo
      prospend report --mask-people        to hand on

    Each run writes them by itself; this is for after a change of the settings, `rebuild`, `rollback` or `erase`.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from pipeline import reports
    from pipeline.errors import ConfigError
    from pipeline.ops.lock import run_lock

    folder = existing(data_folder(config, data))
    wanted = _wanted(config, data, folder)
    if not (wanted.page or wanted.workbook):
        raise ConfigError("neither page nor workbook is wanted", where="[report]", do="set report.page = true")
    now = datetime.now(UTC)
    with run_lock(folder, "report", now):
        written = reports.write(
            folder,
            replace(wanted, marts=True, mask_people=wanted.mask_people or mask_people),
            written_at=now,
            token_expires_at=_expiry(folder),
        )
    if written is None:
        raise ConfigError(
            "the warehouse has no marts to report of",
            where=str(folder),
            state="readers and the report before this are as they were",
            do="set report.marts = true, then `prospend run`; for an older run, `prospend rebuild`",
        )
    if as_json:
        paths = {"page": written.page, "workbook": written.workbook}
        told = {name: str(path) if path else None for name, path in paths.items()}
        click.echo(json.dumps({"run_id": written.run_id, **told}, indent=2))
    elif not quiet:
        for kind, path in (("page", written.page), ("workbook", written.workbook)):
            if path is not None:
                click.echo(f"{kind}: {path}")


def _wanted(config: Path | None, data: Path | None, folder: Path) -> Report:
    """What the site's settings say; with `--data` alone, where they are those of that folder, else the defaults."""
    from pipeline.errors import ConfigError
    from pipeline.settings import Report

    if config is not None or data is None:
        return site_settings(config, data).report
    try:
        settings = site_settings(None, None)
    except ConfigError:
        return Report()
    return settings.report if settings.storage.data_dir.resolve() == folder.resolve() else Report()


def _expiry(folder: Path) -> datetime | None:
    """When the token of the last run expires, if it said so."""
    from datetime import datetime

    from pipeline.ops import records

    for document in records.recent(folder, 1):
        expires_at = (document.get("token") or {}).get("expires_at")
        return datetime.fromisoformat(expires_at) if expires_at else None
    return None
