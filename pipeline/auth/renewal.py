"""How a token is renewed, step by step, for the place where this site keeps it.

Source: the vendor's developer portal, page "Authentication": an admin user, in the admin role, Setup > API Tokens > New
Token, copy; an admin can revoke tokens at any time.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.auth.passport import Passport
from pipeline.settings import Settings, Token

_PASTE = "paste the token, press Enter, then Ctrl-D"
_THIS_MACHINE = re.compile(r"localhost|127\.[0-9.]+|::1")
_LONGEST_ARGUMENT = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, and the command to type where there is one."""

    text: str
    command: str | None = None


def renewal_steps(settings: Settings, found: Passport | None = None) -> tuple[Step, ...]:
    """Every step from the vendor's page to the revoked old token.

    Args:
        settings: where the token is kept, and by which file the commands know it.
        found: the passport of the token in use, to tell it from the new one; None if there is none.
    """
    return (
        Step(
            "sign in to https://[site].prospend.com/ as an admin user ([site] is your site's name), in the admin role"
        ),
        Step(
            "Setup > API Tokens > New Token, and copy the token: it is shown only then"
            + _on_the_sandbox(settings, "new")
        ),
        _storing(settings.token),
        Step("let the source say that it accepts the new one:", _check(settings)),
        Step(
            f"only then revoke the old one: Setup > API Tokens{_which(found)}" + _on_the_sandbox(settings, "revoke ID")
        ),
    )


def _storing(place: Token) -> Step:
    if place.file is not None:
        return Step(f"store it; {_PASTE}:", f"install -m 600 /dev/stdin {shlex.quote(str(place.file))}")
    if place.env is not None:
        where = "in the environment of the nightly run (the unit's EnvironmentFile=, or what crontab reads)"
        return Step(
            f"store it {where}, and for this shell paste it here:", f"read -rs {place.env} && export {place.env}"
        )
    if place.command is not None:
        program, *arguments = place.command
        shown = shlex.join([program, *map(_argument, arguments)])
        return Step(f"store it where `{shown}` reads it, by means of {program} itself")
    if place.keyring is not None:
        service, _, user = place.keyring.partition("/")
        return Step("store it; the command asks for it:", shlex.join(["keyring", "set", service, user]))
    name = place.credential
    return Step(
        f"store it as root in the file that the unit's LoadCredentialEncrypted={name} finds; {_PASTE} (for a plain "
        f"LoadCredential={name}:FILE it is `install -m 600 /dev/stdin FILE`):",
        f"systemd-creds encrypt --name={name} - /etc/credstore.encrypted/{name}",
    )


def _check(settings: Settings) -> str:
    config = [] if settings.source is None else ["--config", str(settings.source)]
    command = ["prospend", "token", "check", *config]
    if settings.token.credential is not None:  # outside the unit there are no credentials
        loaded = f"--property=LoadCredentialEncrypted={settings.token.credential}"
        command = ["systemd-run", "--wait", "--pipe", "--same-dir", loaded, *command]
    return shlex.join(command)


def _which(found: Passport | None) -> str:
    """What tells the old token from the new one in the vendor's list. The token's own texts are not repeated."""
    return "" if found is None or found.issued_at is None else f", the one issued on {found.issued_at:%Y-%m-%d}"


def _on_the_sandbox(settings: Settings, command: str) -> str:
    host = urlsplit(settings.site.base_url).hostname or ""
    return f" (the sandbox: `prospend sandbox token {command}`)" if _THIS_MACHINE.fullmatch(host) else ""


def _argument(text: str) -> str:
    """An argument of the token command, unless it looks like a token: none should stand there, but it might."""
    return "..." if "eyJ" in text or len(text) > _LONGEST_ARGUMENT else text
