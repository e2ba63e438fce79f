"""Sending a message to people: a webhook, SMTP, or whatever apprise knows. Never the token, never a row of the data.

Addresses may hold secrets, so they are never part of an error; `env:NAME` in the settings names the variable that holds
one. Everything goes over verified TLS, but mail to a server on this machine, and what is apprise's.
"""

from __future__ import annotations

import importlib
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

Kind = Literal["failure", "recovery", "token", "drift", "missed"]
TIMEOUT_S: Final = 20
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_MOST_PING_BYTES: Final = 10_000  # what Healthchecks keeps of a ping


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that people should hear of. Title and body hold no value of any record."""

    kind: Kind
    site: str
    title: str
    body: str
    run_id: str | None = None
    exit_code: int | None = None


class NotSent(Exception):
    """A message could not be sent; says why, without the address."""


def address(written: str, environ: Mapping[str, str]) -> str:
    """The address that a setting means.

    Raises:
        NotSent: it names a variable that is not set.
    """
    name = written.removeprefix("env:")
    if name == written:
        return written
    if not (found := environ.get(name, "").strip()):
        raise NotSent(f"the variable {name} is not set")
    return found


@dataclass(frozen=True, slots=True)
class Way:
    """How messages leave: whom to trust as a server, and the proxy of the settings, if there is one."""

    trust: ssl.SSLContext
    proxy: str | None = None


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """This machine's authorities and those of a file. Not the default context: that obeys SSLKEYLOGFILE."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def send(message: Message, to: str, way: Way) -> None:
    """The message is with whoever `to` leads to.

    Args:
        message: what to say.
        to: https:// is a webhook that takes JSON with `text` in it; smtp:// and smtps:// are mail,
            smtps://USER:PASSWORD@HOST/?from=A&to=B; anything else is for apprise.
        way: how it leaves.

    Raises:
        NotSent: it is not.
    """
    try:
        parts = urlsplit(to)
        if parts.scheme == "https":
            document = {**asdict(message), "text": f"{message.title}\n{message.body}"}
            _post(to, json.dumps(document).encode(), "application/json", way)
        elif parts.scheme in ("smtp", "smtps"):
            _mail(message, parts, way.trust)
        else:
            _apprise(message, to)
    except NotSent:
        raise
    except Exception as error:  # noqa: BLE001 - many packages speak here, and none of their errors may hold the address
        raise NotSent(f"{_kind(to)}: {_reason(error)}") from None


def ping(url: str, suffix: str, told: str, way: Way) -> None:
    """A dead man's switch in the manner of Healthchecks hears that the run has begun (`start`), or its exit code.

    Raises:
        NotSent: it does not.
    """
    try:
        _refuse_unencrypted(url)
        _post(f"{url.rstrip('/')}/{suffix}", told.encode()[-_MOST_PING_BYTES:], "text/plain; charset=utf-8", way)
    except NotSent:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise NotSent(f"the ping: {_reason(error)}") from None


def _refuse_unencrypted(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise NotSent("the ping: only https is used")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What was said to one place goes to no other."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """None: the redirect becomes an error."""


def _post(url: str, body: bytes, kind: str, way: Way) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": kind, "User-Agent": "prospend-pipeline"})  # noqa: S310
    proxies = urllib.request.ProxyHandler({"https": way.proxy} if way.proxy else {})  # never the environment's
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=way.trust), proxies, _NoRedirects())
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            response.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        raise NotSent(f"https: answered {error.code}") from None


def _mail(message: Message, parts: SplitResult, trust: ssl.SSLContext) -> None:
    asked = parse_qs(parts.query.replace("+", "%2B"))  # which stands in addresses
    if not parts.hostname or "to" not in asked:
        raise NotSent("mail: an address needs a host and ?to=")
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.title.split())
    mail["To"] = ", ".join(asked["to"])
    mail["From"] = asked.get("from", asked["to"])[0]
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain="prospend-pipeline.invalid")
    mail.set_content(message.body)
    port = parts.port or 0
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(parts.hostname, port, timeout=TIMEOUT_S, context=trust)
    else:
        server = smtplib.SMTP(parts.hostname, port, timeout=TIMEOUT_S)
    with server:
        if parts.scheme == "smtp" and parts.hostname not in _LOCAL:
            server.starttls(context=trust)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(mail)


def _apprise(message: Message, to: str) -> None:
    try:
        apprise = importlib.import_module("apprise")
    except ImportError:
        raise NotSent(
            f"{_kind(to)}: needs the extra: pip install 'prospend-pipeline[notify]'; https:// and smtps:// do not"
        ) from None
    told = apprise.Apprise()
    if not told.add(to):
        raise NotSent(f"{_kind(to)}: apprise does not know such an address")
    if not told.notify(title=message.title, body=message.body):
        raise NotSent(f"{_kind(to)}: apprise could not deliver it")


def _kind(to: str) -> str:
    """What sort of address it is: its scheme alone."""
    scheme = to.partition("://")[0]
    return scheme if scheme != to and scheme.isalnum() and len(scheme) < 16 else "an address without a scheme"


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        error = error.reason
    is_of_tls = isinstance(error, ssl.SSLError)  # whose text may hold the host
    strerror = None if is_of_tls else getattr(error, "strerror", None)
    return f"{type(error).__name__}: {strerror}" if strerror else type(error).__name__
