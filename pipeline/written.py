"""What people wrote: TOML as it comes from an editor, origins, and what of their words a message may repeat. Pure."""

from __future__ import annotations

import re
import tomllib
from typing import Any
from urllib.parse import SplitResult, urlsplit

# A JWT: three parts, of which the first is a JSON object in base64.
_TOKEN_FORM = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 40
# A name in ASCII (punycode for others), or an address.
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9.])?|[0-9a-f:]*:[0-9a-f:.]*")


def toml_text(content: bytes) -> str:
    """The text of a TOML file.

    Raises:
        ValueError: it is not UTF-8, or begins with a byte order mark; with line and column, without its content.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
        raise ValueError(f"not UTF-8 (at line {line}, column {column}); save it as UTF-8") from None
    if text.startswith("\ufeff"):
        raise ValueError("not valid TOML: it begins with a byte order mark (at line 1, column 1); save it without one")
    return text


def toml_document(text: str) -> dict[str, Any]:
    """What a TOML text says.

    Raises:
        ValueError: it is not TOML; with line and column.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"not valid TOML: {error}"
    except RecursionError:
        problem = "not valid TOML: a value is nested too deeply"
    except ValueError:  # a number of more digits than Python converts
        problem = "not valid TOML: a number has too many digits"
    raise ValueError(problem)


def shown_name(name: str) -> str:
    """A name that somebody wrote, fit for a message: a long one could be a token in the wrong place."""
    return name if len(name) <= _LONGEST_SHOWN else f"(a name of {len(name)} characters)"


def looks_like_token(text: str) -> bool:
    """Whether a JWT stands in there."""
    return _TOKEN_FORM.search(text) is not None


def base_url_problems(url: str) -> list[str]:
    """What is wrong with a base URL; the URL itself is not repeated, it might hold a secret."""
    try:
        parts = urlsplit(url)
        problems = _origin_problems(parts, url)
    except ValueError:
        return ["is not a URL"]
    if parts.scheme != "https":
        found = parts.scheme or "no scheme"
        problems.insert(0, f"must begin with https://, found {found}; the token is never sent unencrypted")
    if parts.username is not None or parts.password is not None:
        problems.append("must not hold a user name or password")
    if parts.path.strip("/"):
        problems.append("must be the origin only; the version has its own setting, site.version")
    return problems


def proxy_problems(url: str) -> list[str]:
    """The same of a proxy's URL."""
    try:
        parts = urlsplit(url)
        problems = _origin_problems(parts, url)
    except ValueError:
        return ["is not a URL"]
    if parts.scheme not in ("http", "https"):
        problems.insert(0, f"must begin with http:// or https://, found {parts.scheme or 'no scheme'}")
    if parts.username is not None or parts.password is not None:
        problems.append(
            "must not hold a user name or password: no secret stands in settings, and a proxy that asks for one is not "
            "supported; have it let this machine through by its address"
        )
    if parts.path.strip("/"):
        problems.append("must be scheme, host and port only")
    return problems


def notify_problems(url: str) -> list[str]:
    """What is wrong with an address of people; it is not repeated, it might hold a secret."""
    if re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", url):
        return []
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None
    except ValueError:
        return ["is not a URL"]
    problems = []
    if not parts.scheme or "://" not in url or not url.isprintable():
        problems.append("must be an address such as https://... or env:NAME")
    if parts.scheme == "http":
        problems.append("must not be http://: what it says would be sent unencrypted")
    if has_password:
        problems.append("must not hold a password: put the address into a variable, and write env:NAME")
    return problems


def _origin_problems(parts: SplitResult, url: str) -> list[str]:
    """What no origin may have, whatever it is for."""
    problems = []
    sound = parts.port != 0 and _HOST.fullmatch(parts.hostname or "") and url.isprintable()
    if not sound or set(url) & {" ", "\\"}:
        problems.append("has no sound host and port")
    if "?" in url or "#" in url:
        problems.append("must not have a query or fragment")
    return problems
