"""`run`, `plan`, `demo`, `query` and `status`."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.ending import end_statements_on_interrupt
from pipeline.cli.options import Moment, data_folder, shared, site_settings, until_the_reader_leaves

if TYPE_CHECKING:
    from pipeline.readings import Wanted
    from pipeline.settings import Settings

_FORMATS = ("table", "csv", "json", "parquet")


@click.command(short_help="Read, check and publish everything the token can see.")
@click.option("--full", "is_full", is_flag=True, help="Read everything, not only what changed.")
@click.option("--only", metavar="RES,...", help="Read only these lists, each with what hangs under it; keep the rest.")
@click.option(
    "--since",
    type=Moment("YYYY-MM-DD", "YYYY-MM-DDTHH:MM:SSZ"),
    metavar="MOMENT",
    help="Read changes from then on, UTC: YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ.",
)
@click.option("--accept-shrink", metavar="RES,...", help="Publish though these shrank: you know that it is right.")
@click.option(
    "--closed-until",
    type=Moment("YYYY-MM-DD"),
    metavar="DATE",
    help="Last closed day, in place of checks.closed_until: list what this run changes before.",
)
@click.option("--dry-run", "is_dry", is_flag=True, help="As `plan`: show what would be read, and read nothing.")
@shared
def run(
    is_full: bool,
    only: str | None,
    since: datetime | None,
    accept_shrink: str | None,
    closed_until: datetime | None,
    is_dry: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Read everything the token can see, check it, and publish it as the new warehouse.

    \b
    Examples:
      prospend run                               what changed since the last run
      prospend run --full                        everything; deletions at the source show up
      prospend run --only invoice,supplier
      prospend run --since 2026-07-01            changes from then on, once more
      prospend run --accept-shrink supplier      after exit 41, if the shrinkage is real
      prospend run --closed-until 2026-06-30     list what it restates of June, in meta.restatement
      prospend run --config configs/site.toml --quiet
      0 2 * * *  cd /srv/prospend && .venv/bin/prospend run --quiet      (a crontab line)

    Exit code 0 means published. Whatever fails, the earlier warehouse stays readable.
    """
    from pipeline.cli.nights import closing, listed, run_and_tell, wanted_of

    wanted, settings = wanted_of(is_full=is_full, only=only, since=since), site_settings(config, data)
    if is_dry:
        _show_plan(settings, wanted, as_json=as_json)
        return
    if closed_until is not None:
        settings = closing(settings, closed_until.date())
    run_and_tell(settings, wanted, accepts_shrink=listed(accept_shrink), as_json=as_json, quiet=quiet)


@click.command(short_help="What a run would read and cost; makes no request.")
@shared
def plan(config: Path | None, data: Path | None, as_json: bool, quiet: bool, debug: bool) -> None:  # noqa: ARG001
    """Show what the next run would read: walks, rows, calls, minutes and its share of the call budget.

    \b
    Examples:
      prospend plan
      prospend plan --json

    It is told from the last sealed run that read each list in the same way, in full or what changed. What no run has
    read so is not known yet: nothing before the first run, and after it only what is read in full every night.
    """
    from pipeline.readings import Wanted

    _show_plan(site_settings(config, data), Wanted(), as_json=as_json)


def _show_plan(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    from pipeline.cli.plans import plan_document, print_plan

    document = plan_document(settings, wanted)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        print_plan(document)


@click.command(short_help="The whole of `run` on built-in sample books; no account needed.")
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path("data/demo"), show_default=True, help="Data folder."
)
@click.option(
    "--claims", type=click.IntRange(10, 1_000_000), default=4000, show_default=True, help="Size of the books."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
@click.option("--debug", is_flag=True, help="With an error, also print where in the program it happened.")
def demo(data: Path, claims: int, as_json: bool, quiet: bool, debug: bool) -> None:  # noqa: ARG001
    """Start the sandbox, read it all over HTTPS, publish a warehouse, and show three queries.

    \b
    Examples:
      prospend demo
      prospend demo --claims 20000 --data /tmp/demo
    """
    from pipeline.cli.nights import run_demo

    run_demo(data, claims=claims, as_json=as_json, quiet=quiet)


@click.command(short_help="A read-only query on the published warehouse.")
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: table; with --json: json.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to a file; needed for parquet.")
@shared
def query(
    sql: str,
    form: str | None,
    output: Path | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
    debug: bool,  # noqa: ARG001
) -> None:
    """Run one SELECT on the published warehouse.

    \b
    Examples:
      prospend query "SELECT status, count(*) FROM prospend.claim GROUP BY status"
      prospend query --format csv "FROM prospend.supplier" > suppliers.csv
      prospend query --data data/demo --format parquet --output claims.parquet "FROM prospend.claim"
    """
    from pipeline.cli.results import print_query

    end_statements_on_interrupt()
    with until_the_reader_leaves():
        print_query(data_folder(config, data), sql, form or ("json" if as_json else "table"), output)


@click.command(short_help="Age of the data, last runs, token, calls, disk.")
@click.option("--last", type=click.IntRange(1, 1000), default=10, show_default=True, help="Runs to show.")
@shared
def status(
    last: int,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
    debug: bool,  # noqa: ARG001
) -> None:
    """Show what readers have and how old it is, how the last runs went, and what is left of token, calls and disk.

    \b
    Examples:
      prospend status
      prospend status --data data/demo
      prospend status --json

    Data is STALE when it is older than 36 hours. Colours are left out where NO_COLOR is set, and wherever the
    output is no terminal; the words say the same.
    """
    from pipeline.cli.health import print_status, status_document

    document = status_document(config, data, last)
    with until_the_reader_leaves():
        if as_json:
            click.echo(json.dumps(document, indent=2))
        else:
            print_status(document)
