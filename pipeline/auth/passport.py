"""What a token says of itself, read without trusting it: any text may stand there, and none of it may end a run."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.auth.secret import Secret

# "2 years by default; no custom period": the vendor's developer portal, page "Authentication".
VALIDITY = timedelta(days=730)
# A date before this or more than ten years ahead is nonsense, not a promise: PyJWT would accept the year 50000.
_EARLIEST_S = 1_420_070_400  # 2015
_BELIEVED = timedelta(days=3653)
# A number beyond 2100 in seconds is one of milliseconds: the least such lies in 1970.
_MILLISECONDS_FROM = 4_102_444_800
_LONGEST_TEXT = 100
_MOST_DIGITS = 25
# Where the site may stand, most telling first: RFC 7519 knows an issuer and an audience, but no site.
_SITE_CLAIMS = ("site", "iss", "aud")


@dataclass(frozen=True, slots=True)
class Passport:
    """What a token says of itself, unverified. None is what it does not say, or not readably.

    `is_assumed` tells that there was no expiry and two years from the issue date were taken. `missing` names the claims
    that are not there, `unreadable` those that mean nothing, each with the reason, and `in_milliseconds` the dates that
    should be in seconds. Texts are the token's own words: at most 100 characters, and any characters.
    """

    issued_at: datetime | None
    expires_at: datetime | None
    is_assumed: bool = False
    algorithm: str | None = None
    id: str | None = None
    subject: str | None = None
    site: str | None = None
    site_claim: str | None = None
    missing: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
    in_milliseconds: tuple[str, ...] = ()
    is_jwt: bool = True

    def days_left(self, now: datetime) -> int | None:
        """Whole days until the token expires, negative afterwards; None when unknown."""
        return None if self.expires_at is None else math.floor((self.expires_at - now) / timedelta(days=1))


def passport(token: Secret, now: datetime) -> Passport:
    """What the token says of itself. Never raises: what cannot be read is unknown, and said to be."""
    import jwt  # costs 60 ms at start; only commands that hold a token pay

    try:
        opened = jwt.PyJWS().decode_complete(token.reveal(), options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError):
        return Passport(None, None, is_jwt=False)
    claims = _claims(opened["payload"])
    if claims is None:
        return Passport(None, None, is_jwt=False)
    return _Reader(opened["header"], claims, now).passport()


class _Unreadable(Exception):
    """A claim means nothing; the message says why, without its value."""


# A number of more digits than any date has: Python refuses to convert the longest of them, and none means anything.
_LONG_NUMBER = object()


def _claims(payload: bytes) -> Mapping[str, object] | None:
    """The members of the payload; one that stands twice is none of its values. None when it is no JSON object."""
    try:
        pairs = json.loads(payload, object_pairs_hook=tuple, parse_int=_whole)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, tuple):
        return None
    counts = Counter(name for name, _ in pairs)
    return {name: _Unreadable("it stands twice") if counts[name] > 1 else value for name, value in pairs}


def _whole(digits: str) -> object:
    return int(digits) if len(digits) <= _MOST_DIGITS else _LONG_NUMBER


class _Reader:
    """Reads claim by claim and gathers what is missing or means nothing."""

    def __init__(self, header: Mapping[str, object], claims: Mapping[str, object], now: datetime) -> None:
        self.header = header
        self.claims = claims
        self.latest_s = (now + _BELIEVED).timestamp()
        self.missing: list[str] = []
        self.unreadable: list[tuple[str, str]] = []
        self.in_milliseconds: list[str] = []

    def passport(self) -> Passport:
        algorithm = self.text(self.header, "alg")
        identity = self.text(self.claims, "jti") if "jti" in self.claims else None
        subject = self.text(self.claims, "sub")
        site_claim = next((name for name in _SITE_CLAIMS if name in self.claims), None)
        site = self.text(self.claims, site_claim or "site")
        issued, expires = self.instant("iat"), self.instant("exp")
        is_assumed = "exp" in self.missing and issued is not None
        if is_assumed and issued is not None:
            expires = issued + VALIDITY
        return Passport(
            issued_at=issued,
            expires_at=expires,
            is_assumed=is_assumed,
            algorithm=algorithm,
            id=identity,
            subject=subject,
            site=site,
            site_claim=site_claim,
            missing=tuple(self.missing),
            unreadable=tuple(self.unreadable),
            in_milliseconds=tuple(self.in_milliseconds),
        )

    def text(self, where: Mapping[str, object], name: str) -> str | None:
        if name not in where:
            self.missing.append(name)
            return None
        try:
            return _text(where[name])
        except _Unreadable as error:
            self.unreadable.append((name, str(error)))
            return None

    def instant(self, name: str) -> datetime | None:
        if name not in self.claims:
            self.missing.append(name)
            return None
        try:
            seconds, is_in_milliseconds = _seconds(self.claims[name], self.latest_s)
        except _Unreadable as error:
            self.unreadable.append((name, str(error)))
            return None
        if is_in_milliseconds:
            self.in_milliseconds.append(name)
        return datetime.fromtimestamp(seconds, UTC)


def _seconds(value: object, latest_s: float) -> tuple[float, bool]:
    """A NumericDate (RFC 7519, section 2), and whether it was one of milliseconds."""
    number = _number(value)
    is_in_milliseconds = number > _MILLISECONDS_FROM
    seconds = number / 1000 if is_in_milliseconds else number
    if seconds < _EARLIEST_S:
        raise _Unreadable("it lies before 2015")
    if seconds > latest_s:
        raise _Unreadable("it lies more than ten years ahead")
    return seconds, is_in_milliseconds


def _number(value: object) -> int | float:
    if isinstance(value, _Unreadable):
        raise value
    if value is _LONG_NUMBER:
        raise _Unreadable(f"it has more than {_MOST_DIGITS} digits")
    if isinstance(value, str):
        raise _Unreadable("it is text, not a number")
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise _Unreadable("it is not a number")
    return value


def _text(value: object) -> str:
    if isinstance(value, _Unreadable):
        raise value
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        value = ", ".join(value)  # `aud` may be a list
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _Unreadable("it is not text")
    if not value:
        raise _Unreadable("it is empty")
    return value if len(value) <= _LONGEST_TEXT else f"{value[: _LONGEST_TEXT - 1]}\u2026"
