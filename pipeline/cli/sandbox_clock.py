"""`sandbox advance`: moves the sandbox's books forward."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("advance", short_help="Move the sandbox's books some days on.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path("data/sandbox"),
    show_default=True,
    help="Folder of the sandbox.",
)
@click.option("--days", type=click.IntRange(1), default=1, show_default=True, help="How many days pass.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="With an error, also print where in the program it happened.")
def advance_command(state: Path, days: int, as_json: bool, debug: bool) -> None:  # noqa: ARG001
    """Move the books forward: new claims and invoices, approvals, corrections, deletions, late commits.

    A sandbox that serves from this folder moves at once, and every later one starts there. The same books always live
    the same days. To start again, delete clock.json in the folder and restart.

    \b
    Examples:
      prospend sandbox advance
      prospend sandbox advance --days 30
    """
    from pipeline.sandbox.clock import remote

    moved = remote.move(state.absolute(), days)
    if as_json:
        click.echo(json.dumps({"days": moved.days, "by_server": moved.by_server}))
        return
    where = "the running sandbox has moved" if moved.by_server else "no sandbox is running: the next one starts there"
    click.echo(f"the books are {moved.days} days on; {where}")
