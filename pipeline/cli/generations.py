"""`rebuild` and `rollback`: other generations of the warehouse for readers to open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.cli.options import catalogue_of, data_folder, existing, shared


@click.command(short_help="Make the warehouse again from the snapshots alone.")
@shared
def rebuild(config: Path | None, data: Path | None, as_json: bool, quiet: bool, debug: bool) -> None:  # noqa: ARG001
    """Make a new warehouse from the Parquet snapshots, with no network, and let readers open it.

    \b
    Examples:
      prospend rebuild                       after a damaged file, or a change of configs/prospend.toml
      prospend rebuild --data data/demo

    Every snapshot is verified before it is used. Records that did not fit when they were read are tried again from the
    bytes that were kept. What readers have stays open to them until they connect again.
    """
    from pipeline.cli.progress import fits_now
    from pipeline.night.rebuilding import rebuild as rebuild_warehouse
    from pipeline.resources import read_catalogue

    folder = existing(data_folder(config, data))
    done = rebuild_warehouse(folder, read_catalogue(catalogue_of(config, data)), datetime.now(UTC))
    if as_json:
        told = {"run_id": done.run_id, "warehouse": str(done.path), "runs": done.run_count, "rows": done.row_count}
        differs = None if done.differs is None else list(done.differs)
        click.echo(json.dumps({**told, "differs": differs, "fit_now": done.fit_now}, indent=2))
        return
    if quiet:
        return
    click.echo(f"rebuilt {done.run_id} from {done.run_count:,} runs: {done.row_count:,} rows")
    if done.fit_now:
        click.echo(f"  {fits_now(done.fit_now)}")
    if done.differs is None:
        click.echo("  there was no sound file to compare it with")
    elif done.differs:
        click.echo(f"  not as before: {', '.join(done.differs)}")
    else:
        click.echo("  every table is as it was")


@click.command(short_help="Let readers open an earlier generation.")
@click.argument("run_id", required=False, metavar="[RUN]")
@shared
def rollback(
    run_id: str | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Point readers at the generation before the current one, or at the one named. The next run publishes anew.

    \b
    Examples:
      prospend rollback
      prospend rollback 20261123T020000Z      see `prospend status` for what there is
    """
    from pipeline import reports, upkeep, warehouse
    from pipeline.errors import ConfigError, PipelineError
    from pipeline.ops.lock import run_lock
    from pipeline.ops.runs import pointer_of
    from pipeline.snapshot import erasures, pending

    folder = existing(data_folder(config, data))
    with run_lock(folder, "rollback", datetime.now(UTC)):
        if pending(erasures(folder)):
            raise ConfigError(
                "an erasure is not finished: an earlier generation would bring those people back",
                where="rollback",
                state="readers keep what they have",
                do="run `prospend erase` for them again, or `prospend run`, which ends it",
            )
        chosen = warehouse.rollback(folder / "warehouse", pointer_of(folder), run_id)
        if upkeep.parquet.is_kept(folder):
            upkeep.parquet.follow(folder)
        try:
            is_reported = reports.follow(folder)
        except PipelineError as error:
            raise error.filled_in(
                state=f"readers open {chosen.run_id}; reports/latest tells of another night"
            ) from None
    if as_json:
        click.echo(json.dumps({"run_id": chosen.run_id, "warehouse": str(chosen.path)}, indent=2))
    elif not quiet:
        click.echo(f"readers open {chosen.run_id} from their next connection on")
        if not is_reported and (folder / "reports").exists():
            click.echo("  reports/latest tells of another night: `prospend report` writes one of this")
