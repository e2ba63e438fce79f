"""The token: where it comes from, what it may look like, and what it says of itself.

Pure: the environment, file contents and command output come in as arguments (`ops.token_source` fetches them). We hold
no key, so nothing the token says is trusted; its expiry is read only to warn and to stop early. PyJWT lives here.
"""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from pipeline.errors import TokenError

# RFC 6750, section 2.1: b64token. Everything else could split a header or is a sign of a bad copy.
_GRAMMAR = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_LONGEST = 16_384
# Seconds before and after which a date is nonsense, not a promise: PyJWT would accept the year 50000.
_EARLIEST_S, _LATEST_S = 1_420_070_400, 4_102_444_800  # 2015 to 2100
VALIDITY = timedelta(days=730)  # "2 years by default; no custom period", prospend-api.md section 1


class Secret:
    """A token that does not print, format, pickle or show in `vars`; `reveal()` is the only way to it."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The token itself, for one header of one request."""
        return self.__text

    def is_same(self, other: Secret) -> bool:
        """Whether both are one token, in a time that does not tell how much of it agrees."""
        return hmac.compare_digest(self.__text, other.reveal())

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Passport:
    """What a token says of itself, unverified. `expires_at` is None when it says nothing readable.

    `is_assumed` tells that there was no expiry and two years from the issue date were taken.
    """

    issued_at: datetime | None
    expires_at: datetime | None
    is_assumed: bool = False

    def days_left(self, now: datetime) -> int | None:
        """Whole days until the token expires, negative afterwards; None when unknown."""
        return None if self.expires_at is None else math.floor((self.expires_at - now) / timedelta(days=1))


def checked_token(raw: str, *, place: str) -> Secret:
    """The token, if it has the form of one.

    Args:
        raw: as found; one trailing line break is allowed, because files and commands end with one.
        place: where it was found, for messages.

    Raises:
        TokenError: empty, or an illegal character; the message gives its position, never its value.
    """
    text = raw.removesuffix("\n").removesuffix("\r")
    if not text:
        raise TokenError("there is no token", where=place)
    if text[:7].lower() == "bearer ":
        raise TokenError(
            "the token begins with 'Bearer '", where=place, do="store the token alone, without the word Bearer"
        )
    if len(text) > _LONGEST:
        raise TokenError(f"the token is longer than {_LONGEST} characters", where=place)
    match = _GRAMMAR.match(text)
    end = match.end() if match else 0
    if end != len(text):
        raise TokenError(
            f"the token has a character that no token has, at position {end + 1} of {len(text)}",
            where=place,
            do="copy the token again, without quotes, spaces or line breaks inside, and run again",
        )
    return Secret(text)


def token_from_environment(name: str, environ: Mapping[str, str]) -> Secret:
    """The token in an environment variable.

    Raises:
        TokenError: unset, empty or malformed.
    """
    place = f"environment variable {name}"
    if not environ.get(name):
        raise TokenError(
            f"{place} is {'empty' if name in environ else 'not set'}",
            where="[token] env",
            do=f"set {name} where this command runs (cron does not read your shell's profile), or use token.file",
        )
    return checked_token(environ[name], place=place)


def passport(token: Secret) -> Passport:
    """What the token says of its own dates. Never raises: what cannot be read is unknown."""
    import jwt  # costs 60 ms at start; only commands that hold a token pay

    try:
        claims = jwt.decode(token.reveal(), options={"verify_signature": False, "verify_exp": False})
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError):
        return Passport(None, None)
    issued, expires = _instant(claims.get("iat")), _instant(claims.get("exp"))
    if expires is None and "exp" not in claims and issued is not None:
        return Passport(issued, issued + VALIDITY, is_assumed=True)
    return Passport(issued, expires)


def refuse_expired(found: Passport, now: datetime, *, place: str, within: timedelta = timedelta()) -> None:
    """Nothing, if the token has not said it is expired, or expires `within` so long.

    Raises:
        TokenError: it has; known before any request.
    """
    if found.expires_at is None or found.is_assumed or found.expires_at > now + within:
        return
    moment = f"{found.expires_at:%Y-%m-%d %H:%M} UTC"
    if found.expires_at <= now:
        raise TokenError(f"the token expired at {moment}", where=place)
    raise TokenError(f"the token expires at {moment}, before a run would end", where=place)


def _instant(claim: object) -> datetime | None:
    """A NumericDate (RFC 7519, section 2) as an instant; milliseconds are recognised, nonsense is None."""
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return None
    seconds = claim / 1000 if claim > _LATEST_S else claim
    return datetime.fromtimestamp(seconds, UTC) if _EARLIEST_S <= seconds <= _LATEST_S else None
