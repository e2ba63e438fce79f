"""`init` and `doctor`: a settings file from a few answers, and whether a run could begin."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import shared, until_the_reader_leaves
from pipeline.cli.text import counted, visible

if TYPE_CHECKING:
    from pipeline.examining import Finding

_SIGNS = {"fine": "ok  ", "note": "note", "wrong": "FAIL"}
CONFIG = Path("configs/site.toml")
ORIGIN = "https://api.apac.prospend.io"
TOKEN_FILE = "~/.prospend-token"  # noqa: S105 - where it is, not what it is


@click.command(short_help="Write configs/site.toml from a few answers, and try the token.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    default=CONFIG,
    show_default=True,
    help="The settings file to write.",
)
@click.option("--name", help="Your name for the site, such as my-company.")
@click.option("--base-url", help=f"Origin of the API, https only.  [default: {ORIGIN}]")
@click.option("--timezone", help="Time zone of dates shown to people, such as Pacific/Auckland.")
@click.option("--fiscal-year-start", type=click.IntRange(1, 12), help="Month in which the fiscal year begins.")
@click.option("--data", help="Folder for everything that is stored, absolute or below the settings file's.")
@click.option("--ca-file", help="PEM file with more certificate authorities.")
@click.option("--token-file", help=f"The file with the token, mode 0600.  [default: {TOKEN_FILE}]")
@click.option("--token-env", metavar="NAME", help="An environment variable that holds it.")
@click.option("--token-command", metavar="WORDS", help="A command that prints it.")
@click.option("--token-keyring", metavar="SERVICE/USER", help="An entry of the system's keyring.")
@click.option("--token-credential", metavar="NAME", help="A systemd credential.")
@click.option("--no-check", is_flag=True, help="Ask the source nothing.")
@click.option("--force", is_flag=True, help="Write over a file that exists; it is kept beside, as .before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; ask nothing.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors; ask nothing.")
@click.option("--debug", is_flag=True, help="With an error, also print where in the program it happened.")
def init(
    config: Path,
    name: str | None,
    base_url: str | None,
    timezone: str | None,
    fiscal_year_start: int | None,
    data: str | None,
    ca_file: str | None,
    token_file: str | None,
    token_env: str | None,
    token_command: str | None,
    token_keyring: str | None,
    token_credential: str | None,
    no_check: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write a commented settings file, try the token by one call, and say what to do next.

    \b
    Examples:
      prospend init                                     asks what it needs to know
      prospend init --name my-company --timezone Pacific/Auckland --fiscal-year-start 4
      prospend init --name my-company --token-env PROSPEND_TOKEN --no-check

    Asked on a terminal, you can paste the token: it is stored in a file that only you can read. It never stands in the
    settings or on a command line.
    """
    from pipeline.cli.setting_up import Given, set_up

    set_up(
        Given(
            config=config,
            name=name,
            base_url=base_url,
            timezone=timezone,
            fiscal_year_start=fiscal_year_start,
            data_dir=data,
            ca_file=ca_file,
            places={
                "file": token_file,
                "env": token_env,
                "command": _words(token_command),
                "keyring": token_keyring,
                "credential": token_credential,
            },
        ),
        checks_token=not no_check,
        is_forced=force,
        as_json=as_json,
        quiet=quiet,
    )


def _words(command: str | None) -> tuple[str, ...] | None:
    try:
        return tuple(shlex.split(command)) if command else None
    except ValueError as error:
        told = f"--token-command is no command: {str(error).lower()}"
        raise click.BadParameter(told) from None


@click.command(short_help="Everything that could be wrong on this machine, each with its remedy.")
@click.option("--offline", is_flag=True, help="Ask the source nothing.")
@shared
def doctor(
    offline: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> int:
    """Look at settings, token, clock, network, disk, permissions, locks, schedule and data. One call is made.

    \b
    Examples:
      prospend doctor
      prospend doctor --offline --json

    Exit code 0: a run could begin. Otherwise that of the first thing that is wrong: a run would end with it.
    """
    import os
    from datetime import UTC, datetime

    from pipeline.cli.options import site_settings
    from pipeline.cli.scheduling import nightly_of
    from pipeline.cli.token import checked_token_document
    from pipeline.examining import Patient, examined
    from pipeline.ops.timetable import is_scheduled
    from pipeline.ops.token_source import guarded_environment

    settings = site_settings(config, data)
    environ = guarded_environment(settings.token, os.environ)
    asks = None if offline else (lambda: checked_token_document(settings, environ))
    nightly = nightly_of(settings)
    patient = Patient(settings, environ, datetime.now(UTC), asks, lambda text: is_scheduled(text, nightly))
    found = tuple(examined(patient))
    with until_the_reader_leaves():
        if as_json:
            click.echo(json.dumps({"findings": [asdict(one) for one in found]}, indent=2))
        else:
            _print_findings(found, quiet=quiet)
    return next((one.exit_code for one in found if one.kind == "wrong"), 0)


def _print_findings(found: Sequence[Finding], *, quiet: bool) -> None:
    for one in found:
        if quiet and one.kind == "fine":
            continue
        click.echo(f"{_SIGNS[one.kind]} {one.name:<12}  {visible(one.told)}")
        if one.remedy:
            click.echo(f"{'':<19}DO  {visible(one.remedy)}")
    wrong = [one for one in found if one.kind == "wrong"]
    if not quiet:
        told = f"{counted(len(wrong), 'thing')} to put right before a run" if wrong else "a run could begin"
        click.echo(f"\n{told}")
