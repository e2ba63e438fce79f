"""`token show` and `token check`: what the site's token says of itself, and whether the source accepts it."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import shared, site_settings
from pipeline.cli.text import visible

if TYPE_CHECKING:
    from pipeline.auth import Passport, Secret
    from pipeline.model import Response
    from pipeline.settings import Settings

_WHERE = "token check"


@click.group(short_help="The site's API token: what it says, and whether it is accepted.")
def token() -> None:
    """The API token of the site.

    \b
    Examples:
      prospend token show            issued, expires, days left; no network
      prospend token check           one call: is it accepted, and which companies does it see
    """


@token.command(short_help="When it was issued and when it expires; no network.")
@shared
def show(config: Path | None, data: Path | None, as_json: bool, quiet: bool, debug: bool) -> None:  # noqa: ARG001
    """Show what the token says of its own dates. Nothing is sent anywhere.

    \b
    Examples:
      prospend token show
      prospend token show --json
    """
    from pipeline import auth

    document = _passport_document(auth.passport(_found(site_settings(config, data))), datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"issued     {_day(document['issued_at'])}")
    click.echo(f"expires    {_day(document['expires_at'])}{_assumed(document)}")
    click.echo(f"days left  {'unknown' if document['days_left'] is None else document['days_left']}")


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
    from pipeline import auth
    from pipeline.decode import split_envelope
    from pipeline.errors import PipelineError
    from pipeline.resources import read_catalogue

    settings = site_settings(config, data)
    secret = _found(settings)
    passport = auth.passport(secret)
    auth.refuse_expired(passport, datetime.now(UTC), place="[token]")
    response = asyncio.run(_companies_answer(settings, secret))
    company = read_catalogue(settings.api.resources)["company"]
    try:
        envelope = split_envelope(response.body, accepts_any=company.accepts_any_envelope)
    except PipelineError as error:
        raise error.filled_in(where=_WHERE) from None
    _tell(
        {
            "accepted": True,
            "base_url": settings.site.base_url,
            "companies": _companies(envelope.records, company),
            "more_companies": envelope.next_cursor is not None,
            **_passport_document(passport, response.received_at),
        },
        as_json=as_json,
    )


def _found(settings: Settings) -> Secret:
    from pipeline.ops.token_source import find_token, guarded_environment

    return find_token(settings.token, guarded_environment(settings.token, os.environ))


async def _companies_answer(settings: Settings, secret: Secret) -> Response:
    """The answer to one request for the first page of companies, without another attempt."""
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
            return await session.send(Request(path, (), company.name, _WHERE))


def _companies(records: tuple[bytes, ...], company: Any) -> list[dict[str, str | None]]:
    """Key and name of each company; what has no readable key is left out."""
    from pipeline.decode import parent_keys

    found: list[dict[str, str | None]] = []
    for record, key in zip(records, parent_keys(records, company), strict=True):
        if key is not None:
            name = json.loads(bytes(record)).get("name")
            found.append({"id": key.key, "name": name if isinstance(name, str) else None})
    return found


def _tell(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    companies = document["companies"]
    more = ", and there are more" if document["more_companies"] else ""
    click.echo(f"accepted by {document['base_url']}")
    click.echo(f"expires    {_day(document['expires_at'])}{_assumed(document)}")
    click.echo(f"companies  {len(companies)}{more}")
    for one in companies:
        click.echo(f"  {visible(one['id'])}  {visible(one['name'] or '')}".rstrip())


def _passport_document(passport: Passport, now: datetime) -> dict[str, Any]:
    return {
        "issued_at": passport.issued_at.isoformat() if passport.issued_at else None,
        "expires_at": passport.expires_at.isoformat() if passport.expires_at else None,
        "expiry_is_assumed": passport.is_assumed,
        "days_left": passport.days_left(now),
    }


def _day(instant: str | None) -> str:
    return f"{instant[:16].replace('T', ' ')} UTC" if instant else "unknown: the token does not say"


def _assumed(document: dict[str, Any]) -> str:
    return " (assumed: two years from its issue)" if document["expiry_is_assumed"] else ""
