"""`verify` and `prune`: looking after what is stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import existing, shared, site_settings, until_the_reader_leaves
from pipeline.cli.text import visible
from pipeline.errors import StoredDataDamaged

if TYPE_CHECKING:
    from pipeline.model import Checked
    from pipeline.resources import Catalogue
    from pipeline.upkeep import Pruning


@click.command(short_help="Read every stored byte and compare it with what was written.")
@shared
def verify(config: Path | None, data: Path | None, as_json: bool, quiet: bool, debug: bool) -> None:  # noqa: ARG001
    """Read every byte: manifests and their chain, snapshots, warehouse files, kept pages, records, the pointer.

    \b
    Examples:
      prospend verify
      prospend verify --data data/demo --json

    Exit code 0: everything is what was written. 40: something is not; each finding says what to do. Nothing is changed.
    """
    from datetime import UTC, datetime

    from pipeline import upkeep
    from pipeline.ops.lock import run_lock

    data_dir, catalogue = _place(config, data)
    began = datetime.now(UTC)
    with run_lock(data_dir, "verify", began):
        checked = upkeep.verify(data_dir, catalogue)
    damaged = [one for one in checked.findings if one.is_damage]
    with until_the_reader_leaves():
        if as_json:
            click.echo(json.dumps(_document(checked), indent=2))
        else:
            _print(checked, quiet=quiet)
    if damaged:
        more = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        raise StoredDataDamaged(
            f"{damaged[0].what}{more}", where=damaged[0].where, state="nothing was changed", do=damaged[0].do
        )


@click.command(short_help="Remove what is no longer needed, put small snapshot files together.")
@click.option(
    "--dry-run", is_flag=True, help="Only say what would go or be put together, and how many bytes that frees."
)
@shared
def prune(
    dry_run: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Remove what neither readers nor a rebuild need any more.

    \b
    Examples:
      prospend prune --dry-run
      prospend prune --json

    That is: warehouse files beyond storage.keep_generations; parts of runs refused a fortnight ago; pages that no run
    may go on from; records of failed runs after 400 days; snapshots older than storage.keep_days. What readers open,
    the file before it and whatever is younger than 48 hours stays. Snapshots go only where a later full run stands for
    them: what changed or went before that run can then not be rebuilt, and this says so.

    Small snapshot files of older nights are put together into one for each resource: their rows stay as they are, and
    so does every manifest.
    """
    from datetime import UTC, datetime

    from pipeline import upkeep
    from pipeline.ops.lock import run_lock
    from pipeline.settings import seconds_of

    settings = site_settings(config, data)
    data_dir, now = settings.storage.data_dir, datetime.now(UTC)
    with run_lock(data_dir, "prune", now):
        found = upkeep.plan_pruning(
            data_dir, settings.storage, now, resume_within_s=seconds_of(settings.extract.resume_within)
        )
        if not dry_run:
            upkeep.prune(data_dir, found)
    with until_the_reader_leaves():
        if as_json:
            click.echo(json.dumps(_pruning_document(found, dry_run=dry_run), indent=2))
        else:
            _print_pruning(found, dry_run=dry_run, quiet=quiet)


def _pruning_document(found: Pruning, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "bytes": found.size_bytes,
        "history_begins_at": found.begins_at,
        "removed": [
            {"where": one.where, "kind": one.kind, "why": one.why, "bytes": one.size_bytes} for one in found.doomed
        ],
        "put_together": [
            {
                "snapshot": one.file.name,
                "files": [old.path for old in one.file.of],
                "runs": one.run_count,
                "bytes": one.size_bytes,
            }
            for one in found.together
        ],
    }


def _print_pruning(found: Pruning, *, dry_run: bool, quiet: bool) -> None:
    if not quiet:
        for one in found.doomed:
            click.echo(f"{one.kind}: {visible(one.where)}, {one.size_bytes:,} bytes: {one.why}")
        for together in found.together:
            count, runs, size = len(together.file.of), together.run_count, together.size_bytes
            click.echo(
                f"snapshot {together.file.name}: {count:,} small files of {runs:,} runs, {size:,} bytes, into one"
            )
    word = "would go" if dry_run else "removed"
    click.echo(f"{len(found.doomed):,} {word}, {found.size_bytes:,} bytes")
    if found.together:
        files = sum(len(one.file.of) for one in found.together)
        become = "would become" if dry_run else "are"
        click.echo(f"{files:,} small snapshot files {become} {len(found.together):,}")
    if found.begins_at:
        lost = "would be lost to" if dry_run else "are lost to"
        click.echo(f"history begins with run {found.begins_at}: changes before it {lost} `prospend rebuild`")


def _place(config: Path | None, data: Path | None) -> tuple[Path, Catalogue]:
    """The data folder and what its parts hold; with `--data` alone no site is needed."""
    from pipeline.resources import read_catalogue

    if data is not None and config is None:
        folder, catalogue = data, read_catalogue()
    else:
        settings = site_settings(config, data)
        folder, catalogue = settings.storage.data_dir, read_catalogue(settings.api.resources)
    return existing(folder), catalogue


def _document(checked: Checked) -> dict[str, object]:
    return {
        "sound": not any(one.is_damage for one in checked.findings),
        "files": checked.file_count,
        "bytes": checked.size_bytes,
        "findings": [
            {"where": one.where, "what": one.what, "do": one.do, "damaged": one.is_damage} for one in checked.findings
        ],
    }


def _print(checked: Checked, *, quiet: bool) -> None:
    for one in checked.findings:
        word = "damaged" if one.is_damage else "left over"
        click.echo(f"{word}: {visible(one.where)}: {one.what}\n  {one.do}")
    if not quiet:
        click.echo(f"{checked.file_count:,} files, {checked.size_bytes:,} bytes read; {_verdict(checked)}")


def _verdict(checked: Checked) -> str:
    count = sum(one.is_damage for one in checked.findings)
    return f"{count:,} damaged" if count else "all are what was written"
