"""A token's passport for people and programs: what it says, what is missing, what to do about its age."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.text import visible

if TYPE_CHECKING:
    from pipeline.auth import Passport, Step
    from pipeline.settings import Settings

_MEANINGS = {
    "alg": "algorithm",
    "jti": "its id",
    "sub": "subject",
    "site": "site; nor an issuer or audience",
    "iss": "issuer",
    "aud": "audience",
    "iat": "when it was issued",
    "exp": "when it expires",
}
_ASSUMED = 'assumed: two years from its issue, "2 years by default" by the vendor\'s page on authentication'
_NOT_VERIFIED = "nothing above is verified; `prospend token check` asks the source"


def passport_document(found: Passport | None, now: datetime, settings: Settings) -> dict[str, Any]:
    """What `token show --json` prints, but for the renewal; all unknown without a passport."""
    from pipeline.auth import Passport, state_of
    from pipeline.ops.token_source import place_of

    found = found or Passport(None, None, is_jwt=False)
    state = state_of(found, now, settings.token.warn_days)
    return {
        "source": place_of(settings.token),
        "is_jwt": found.is_jwt,
        "algorithm": found.algorithm,
        "id": found.id,
        "subject": found.subject,
        "site": found.site,
        "site_claim": found.site_claim,
        "issued_at": found.issued_at.isoformat() if found.issued_at else None,
        "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        "expiry_is_assumed": found.is_assumed,
        "days_left": state.days_left,
        "missing": list(found.missing),
        "unreadable": dict(found.unreadable),
        "in_milliseconds": list(found.in_milliseconds),
        "warning": state.warning,
    }


def renewal_document(steps: Sequence[Step]) -> list[dict[str, str | None]]:
    """The steps for programs."""
    return [asdict(step) for step in steps]


def print_passport(document: dict[str, Any]) -> None:
    """The passport for people. Its texts are the token's own: shown, not obeyed."""
    claim = f" (claim {document['site_claim']})" if document["site_claim"] else ""
    lines = [("source", visible(document["source"]))]
    if not document["is_jwt"]:
        lines.append(("form", "no JWT that can be read: only the source knows what it is"))
    lines += [
        ("algorithm", _said(document["algorithm"])),
        ("id", _said(document["id"])),
        ("subject", _said(document["subject"])),
        ("site", _said(document["site"]) + claim),
        ("issued", day(document["issued_at"])),
        ("expires", expiry(document)),
        ("days left", "unknown" if document["days_left"] is None else str(document["days_left"])),
        *_remarks(document),
        ("note", _NOT_VERIFIED),
    ]
    for label, text in lines:
        click.echo(f"{label:<10} {text}")


def print_warning(document: dict[str, Any]) -> None:
    """The warning, if one is due."""
    if document["warning"] is not None:
        click.echo(f"\n{document['warning']}")


def print_renewal(steps: Sequence[Step]) -> None:
    """The steps for people, numbered, each command on a line of its own."""
    click.echo("\nTo renew the token:")
    for number, step in enumerate(steps, 1):
        click.echo(f"{number:>2}. {visible(step.text)}")
        if step.command is not None:
            click.echo(f"      {visible(step.command)}")


def expiry(document: dict[str, Any]) -> str:
    """When the token expires, and whether that is only assumed."""
    return day(document["expires_at"]) + (f" ({_ASSUMED})" if document["expiry_is_assumed"] else "")


def day(instant: str | None) -> str:
    """An instant of a document, in UTC."""
    return f"{instant[:16].replace('T', ' ')} UTC" if instant else "unknown"


def _said(text: str | None) -> str:
    return "unknown" if text is None else visible(text)


def _remarks(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    missing = [f"{name} ({_MEANINGS[name]})" for name in document["missing"]]
    yield "missing", ", ".join(missing) or ("nothing" if document["is_jwt"] else "everything")
    for name, reason in document["unreadable"].items():
        yield "unreadable", f"{name} ({_MEANINGS[name]}): {reason}"
    for name in document["in_milliseconds"]:
        yield "note", f"{name} ({_MEANINGS[name]}) is in milliseconds, read as such; the standard says seconds"
