"""`token show` and `token check`: what the site's token says of itself, and whether the source accepts it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from pipeline.cli.options import shared, site_settings
from pipeline.cli.passports import (
    day,
    expiry,
    passport_document,
    print_passport,
    print_renewal,
    print_warning,
    renewal_document,
)
from pipeline.cli.text import visible

if TYPE_CHECKING:
    from pipeline.auth import Secret
    from pipeline.model import Response
    from pipeline.settings import Settings

_WHERE = "token check"


@click.group(short_help="The site's API token: what it says, and whether it is accepted.")
def token() -> None:
    """The API token of the site.

    \b
    Examples:
      prospend token show            issued, expires, days left; no network
      prospend token show --renewal  how to renew it, step by step
      prospend token check           one call: is it accepted, and which companies does it see
    """


@token.command(short_help="What it says of itself, and how to renew it; no network.")
@click.option("--renewal", "with_renewal", is_flag=True, help="Tell step by step how to renew it, due or not.")
@shared
def show(
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
    debug: bool,  # noqa: ARG001
    with_renewal: bool,
) -> None:
    """Show what the token says of itself, unverified. Nothing is sent anywhere, and the token is not shown.

    \b
    Examples:
      prospend token show
      prospend token show --renewal      how to renew it, also when there is none
      prospend token show --json

    When it nears its expiry (token.warn_days), the steps of its renewal follow unasked.
    """
    from pipeline import auth
    from pipeline.errors import TokenError

    settings, now = site_settings(config, data), datetime.now(UTC)
    found, problem = None, None
    try:
        found = auth.passport(_found(settings), now)
    except TokenError as error:
        if not with_renewal:
            raise
        problem = f"{error.what} ({error.where})"
    document = {**passport_document(found, now, settings), "problem": problem}
    is_due = with_renewal or document["warning"] is not None
    steps = auth.renewal_steps(settings, found) if is_due else ()
    if as_json:
        click.echo(json.dumps({**document, "renewal": renewal_document(steps) or None}, indent=2))
        return
    if problem is None:
        print_passport(document)
        print_warning(document)
    else:
        click.echo(f"problem    {visible(problem)}")
    if steps:
        print_renewal(steps)


@token.command(short_help="Ask the source, by one call, whether it accepts the token.")
@shared
def check(config: Path | None, data: Path | None, as_json: bool, quiet: bool, debug: bool) -> None:  # noqa: ARG001
    """Read the list of companies, by one request, and say what the token sees.

    \b
    Examples:
      prospend token check
      prospend token check --config configs/site.toml --json

    Exit code 0 means accepted, 11 refused.
    """
    _tell(checked_token_document(site_settings(config, data)), as_json=as_json)


def checked_token_document(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the source says to the site's token, by one call: the companies it sees, and the token's passport.

    Raises:
        TokenError: there is none, or the source refuses it.
        PipelineError: the source does not answer as it should.
    """
    from pipeline import auth
    from pipeline.decode import split_envelope
    from pipeline.errors import PipelineError
    from pipeline.ops.token_source import place_of
    from pipeline.resources import read_catalogue

    secret = _found(settings, environ)
    now = datetime.now(UTC)
    passport = auth.passport(secret, now)
    auth.refuse_expired(passport, now, place=place_of(settings.token), zone=ZoneInfo(settings.site.timezone))
    response, advice = asyncio.run(_companies_answer(settings, secret))
    company = read_catalogue(settings.api.resources)["company"]
    try:
        envelope = split_envelope(response.body, accepts_any=company.accepts_any_envelope)
    except PipelineError as error:
        raise error.filled_in(where=_WHERE) from None
    return {
        "accepted": True,
        "base_url": settings.site.base_url,
        "companies": _companies(envelope.records, company),
        "more_companies": envelope.next_cursor is not None,
        "advice": advice,
        **passport_document(passport, response.received_at, settings),
    }


def _found(settings: Settings, environ: Mapping[str, str] | None = None) -> Secret:
    """The site's token; `environ` is one that was guarded already, the process's own by default."""
    from pipeline.ops.token_source import find_token, guarded_environment

    guarded = guarded_environment(settings.token, os.environ) if environ is None else environ
    return find_token(settings.token, guarded)


async def _companies_answer(settings: Settings, secret: Secret) -> tuple[Response, list[str]]:
    """The answer to one request for the first page of companies, without another attempt; what is to be known of it."""
    from pipeline.extract import filled_path
    from pipeline.model import Request
    from pipeline.nightly import real_world
    from pipeline.ops.ledger import Ledger, folder_of
    from pipeline.resources import read_catalogue
    from pipeline.retry import RetryPolicy
    from pipeline.session import open_session

    company = read_catalogue(settings.api.resources)["company"]
    path = filled_path(company.path, settings.site.version, ())
    world = real_world()
    ledger = Ledger(folder_of(settings.storage.data_dir, settings.site.name), settings.budget, world.clock)
    with closing(ledger):
        async with open_session(settings.api, settings.site.base_url, secret, world, count=ledger.count) as session:
            session.policy = RetryPolicy(attempts=1)
            # No `limit`: the list documents no parameters, and a refused one would cost a second request.
            return await session.send(Request(path, (), company.name, _WHERE)), session.advice


def _companies(records: tuple[bytes, ...], company: Any) -> list[dict[str, str | None]]:
    """Key and name of each company; what has no readable key is left out."""
    from pipeline.decode import parent_keys

    found: list[dict[str, str | None]] = []
    for record, key in zip(records, parent_keys(records, company), strict=True):
        if key is not None:
            try:
                name = json.loads(bytes(record)).get("name")
            except (ValueError, RecursionError):  # a number of 5,000 digits, a nest: the key is sound all the same
                name = None
            found.append({"id": key.key, "name": name if isinstance(name, str) else None})
    return found


def _tell(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    for told in document["advice"]:
        click.echo(f"note: {told}", err=True)
    companies = document["companies"]
    more = ", and there are more" if document["more_companies"] else ""
    click.echo(f"accepted by {document['base_url']}")
    click.echo(f"issued     {day(document['issued_at'])}")
    click.echo(f"expires    {expiry(document)}")
    click.echo(f"companies  {len(companies)}{more}")
    for one in companies:
        click.echo(f"  {visible(one['id'])}  {visible(one['name'] or '')}".rstrip())
    print_warning(document)
