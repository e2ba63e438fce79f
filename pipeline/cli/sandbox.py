"""`sandbox serve`, `sandbox password` and `sandbox token`."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import Moment
from pipeline.cli.sandbox_clock import advance_command
from pipeline.cli.sandbox_faults import fault_options, faults_command, with_faults
from pipeline.cli.sandbox_options import openapi_command, serving_options, serving_settings, variants_command
from pipeline.errors import ConfigError

_STATE = click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path("data/sandbox"),
    show_default=True,
    help="Folder for the sandbox's certificate authority, secret and tokens.",
)


@click.group(short_help="A ProSpend-compatible server to develop against.")
def sandbox() -> None:
    """A ProSpend-compatible API on this machine, over HTTPS, with sample books.

    \b
    Examples:
      prospend sandbox serve
      prospend sandbox serve --claims 100000 --port 8443
      prospend sandbox serve --variant end_marker=missing
      prospend sandbox serve --fault mix:share=0.2 --fault-seed 7
      prospend sandbox openapi > openapi.yaml
      prospend sandbox advance --days 30
      prospend sandbox token new
      prospend sandbox password
    """


sandbox.add_command(variants_command)
sandbox.add_command(faults_command)
sandbox.add_command(openapi_command)
sandbox.add_command(advance_command)


def _end_of_books(_: click.Context, parameter: click.Parameter, value: datetime | None) -> date | None:
    """The day that was given, if the books can end by it."""
    if value is None:
        return None
    from pipeline.sandbox.data.times import days_to_end_by

    try:
        days_to_end_by(value.date())
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from None
    return value.date()


@sandbox.command(short_help="Serve until stopped.")
@_STATE
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the API; 0 takes a free one.")
@click.option(
    "--claims", type=click.IntRange(10, 2_000_000), default=4000, show_default=True, help="Size of the books."
)
@click.option(
    "--seed", type=click.IntRange(0), default=20260630, show_default=True, help="The same seed gives the same books."
)
@click.option(
    "--until",
    type=Moment("YYYY-MM-DD"),
    callback=_end_of_books,
    metavar="DATE",
    help="Move the books on by whole weeks: they end by DATE, at most a week before. Without it, in June 2026. The "
    "first sandbox of a folder decides.",
)
@serving_options
@fault_options
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON once it listens.")
@click.option("--debug", is_flag=True, help="With an error, also print where in the program it happened.")
def serve(state: Path, as_json: bool, debug: bool, faults: tuple[str, ...], fault_seed: int, **options: Any) -> None:  # noqa: ARG001
    """Serve the sandbox on loopback until SIGTERM or Ctrl-C.

    \b
    Examples:
      prospend sandbox serve
      prospend sandbox serve --json      one line: base_url, ca_file, token, admin_url
      prospend sandbox serve --until "$(date +%F)"      books that end this week
    """
    import asyncio

    settings = with_faults(serving_settings(state, **options), faults, fault_seed)
    asyncio.run(_serve(settings, as_json=as_json))


@asynccontextmanager
async def _reachable(port: int) -> AsyncIterator[None]:
    """A port that cannot be had is the user's to change."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        where = f"sandbox serve --port {port}"
        raise ConfigError(
            f"the port cannot be used ({os.strerror(error.errno)})", where=where, do="choose another"
        ) from None


async def _serve(settings: object, *, as_json: bool) -> None:
    import asyncio
    import signal

    from pipeline.sandbox import SandboxSettings, serving

    assert isinstance(settings, SandboxSettings)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with _reachable(settings.port), serving(settings) as served:
        facts = {
            "base_url": served.base_url,
            "ca_file": str(served.ca_file),
            "token": served.token,
            "admin_url": served.admin_url,
        }
        if as_json:
            click.echo(json.dumps(facts))
        else:
            click.echo("sandbox: sample books, not real data; Ctrl-C stops it")
            for name, value in facts.items():
                click.echo(f"  {name:<9} {value}")
            _tell_account(settings.state_dir)
        await stopped.wait()


def _tell_account(state_dir: Path) -> None:
    """Say who may sign in to the page; the password only at the moment it is made."""
    from pipeline.sandbox.page import account

    password = account.make_once(state_dir)
    click.echo(f"  user      {account.USER}  (signs in at admin_url)")
    if password is None:
        click.echo("  password  as set before; `prospend sandbox password` makes a new one")
    else:
        click.echo(f"  password  {password}  (shown this once)")


@sandbox.command(short_help="A new password for the token page.")
@_STATE
@click.option("--stdin", "is_given", is_flag=True, help="Take it from standard input; on a terminal it is not echoed.")
def password(state: Path, is_given: bool) -> None:
    """Set the password of the token page, and sign out whoever is signed in there.

    \b
    Examples:
      prospend sandbox password                        a random one, printed once
      prospend sandbox password --stdin                asks for one
      prospend sandbox password --stdin < password.txt
    """
    from pipeline.errors import ConfigError
    from pipeline.sandbox.page import account

    if not is_given:
        click.echo(account.make(state.absolute()))
        return
    given = _typed() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    try:
        account.put(state.absolute(), given)
    except ValueError as error:
        raise ConfigError(str(error), where="sandbox password", do="give another password") from None
    click.echo("the password is set", err=True)


def _typed() -> str:
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@sandbox.group(short_help="Issue, list and revoke tokens of the sandbox.")
def token() -> None:
    """Tokens of the sandbox: HS256 JWTs, valid for two years.

    \b
    Examples:
      prospend sandbox token new > token.txt && chmod 600 token.txt
      prospend sandbox token list
      prospend sandbox token revoke ID
    """


@token.command("new", short_help="Issue a token; it is shown once.")
@_STATE
def token_new(state: Path) -> None:
    """Issue a token and print it. It is shown this once."""
    from pipeline.sandbox import tokens

    click.echo(tokens.new(state.absolute(), now=datetime.now(UTC)).text)


@token.command("list", short_help="List issued tokens.")
@_STATE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def token_list(state: Path, as_json: bool) -> None:
    """List issued tokens: id, dates and state; never the token itself."""
    from pipeline.cli.text import aligned
    from pipeline.sandbox import tokens

    now = datetime.now(UTC)
    found = [
        {
            "id": one.id,
            "name": one.name,
            "issued_at": one.issued_at.isoformat(),
            "expires_at": one.expires_at.isoformat(),
            "state": one.state(now),
        }
        for one in tokens.listed(state.absolute())
    ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    cells = [list(one.values()) for one in found]
    click.echo(aligned(["id", "name", "issued", "expires", "state"], cells, [False] * 5) if cells else "no tokens yet")


@token.command("revoke", short_help="Revoke a token at once.")
@click.argument("token_id")
@_STATE
def token_revoke(token_id: str, state: Path) -> None:
    """Revoke a token: the next request with it is refused."""
    from pipeline.sandbox import tokens

    try:
        tokens.revoke(state.absolute(), token_id, now=datetime.now(UTC))
    except KeyError:
        where = f"sandbox token revoke · {state}"
        raise ConfigError("there is no such token", where=where, do="see `prospend sandbox token list`") from None
    click.echo(f"{token_id} is revoked")
