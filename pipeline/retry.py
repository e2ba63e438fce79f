"""What to do after an attempt: tables from status to meaning and from kind of failure to wait.

Pure: the random number, the clock and the time spent come in as arguments; the session sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from types import MappingProxyType

from pipeline.errors import (
    NotPermitted,
    NotThere,
    PipelineError,
    RequestRefused,
    SecurityStop,
    SourceContractBroken,
    SourceUnavailable,
    TokenError,
)


class Kind(Enum):
    """How an attempt failed that another one may not."""

    LIMITED = "429, or 403 that says so: we ask too often"
    BUSY = "503 or 504: the source is overloaded"
    UNWELL = "another status that may pass"
    LATE = "a deadline of ours passed"
    DROPPED = "the connection ended before any answer"
    BROKEN = "no connection, or an answer that did not come whole"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of the one retry layer.

    Attempt n (from 1) that fails is followed by a wait drawn evenly from 0 to min(`longest_wait_s`, `first_wait_s` *
    2**(n-1)) seconds (full jitter), or by exactly what a sane Retry-After asks. A limit that asks for nothing is
    followed by `limited_wait_s` * 2**(n-1), at most `longest_limited_wait_s`. Ten attempts: where a fifth of all
    requests fails, a page is then lost once in ten million.

    `total_s` bounds attempts and waits of one request together; waits that the source asked for, and those after a
    limit, are bounded by the run's deadline instead.
    """

    attempts: int = 10
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    total_s: float = 900.0
    limited_wait_s: float = 60.0
    longest_limited_wait_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt after a wait; with `holds_all`, no request of the whole client goes before it ends."""

    wait_s: float
    holds_all: bool = False


class Stop(Enum):
    """Why there is no other attempt."""

    ATTEMPTS = "all attempts were used"
    TIME = "the time for one request was used"
    DEADLINE = "the wait would end after the run's deadline"


# A wait longer than the longest quota period is a mistake, not a promise.
_LONGEST_ASKED_S = 31 * 86_400.0


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer that no other attempt can change."""

    kind: type[PipelineError]
    what: str
    do: str = ""


_NO_DATA = _Refusal(SourceContractBroken, "the source answered with status {status}, which carries no data")

# What a status means. 200 alone carries data and is not asked here; one that is not listed breaks the contract.
_MEANINGS: Mapping[int, Kind | _Refusal] = MappingProxyType(
    {
        400: _Refusal(RequestRefused, "the source did not accept the request (400)"),
        401: _Refusal(TokenError, "the source refused the token (401): it is expired, revoked or not of this site"),
        403: _Refusal(NotPermitted, "the source knows the token but does not permit it to read here (403)"),
        404: _Refusal(NotThere, "a list answered 404 (not found); that never means an empty list"),
        408: Kind.UNWELL,
        410: _Refusal(NotThere, "a list answered 410 (gone); that never means an empty list"),
        419: _Refusal(NotThere, "the source answered 419: what was asked for has expired"),
        425: Kind.UNWELL,
        429: Kind.LIMITED,
        **dict.fromkeys(range(500, 600), Kind.UNWELL),
        501: _NO_DATA,
        503: Kind.BUSY,
        504: Kind.BUSY,
        505: _NO_DATA,
    }
)


def judged(status: int, *, leads_away: bool = False, is_limit: bool = False) -> Kind | PipelineError:
    """What an answer other than 200 means: how the attempt failed, or the error that no other attempt can change.

    Args:
        status: as received.
        leads_away: whether it is a redirect to another origin.
        is_limit: whether its headers say that we ask too often (`says_limited`); only a 403 needs to be asked.
    """
    if leads_away:
        return SecurityStop(f"the source redirected to another origin ({status}); the token was not sent there")
    if status == 403 and is_limit:
        return Kind.LIMITED
    meaning = _MEANINGS.get(status, _NO_DATA)
    if isinstance(meaning, Kind):
        return meaning
    return meaning.kind(meaning.what.format(status=status), do=meaning.do)


# Names under which gateways tell how many requests are left, 403 or not. None of them is a standard.
_LEFT = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
# The IETF draft's one header, in its later form (`"hour";r=0;t=60`) and its earlier one (`limit=9, remaining=0`).
_NONE_LEFT = re.compile(r"(?:^|[;,\s])(?:r|remaining)\s*=\s*0+\s*(?:$|[;,])")


def says_limited(headers: Mapping[str, str]) -> bool:
    """Whether headers tell of a limit of requests: a Retry-After, whatever it says, or that none is left.

    No wait is taken from the second kind: whether a reset is an instant or a number of seconds is told nowhere.
    """
    told = {name.lower(): value.strip() for name, value in headers.items()}
    none_left = any(re.fullmatch("0+", told.get(name, "")) for name in _LEFT)
    return "retry-after" in told or none_left or _NONE_LEFT.search(told.get("ratelimit", "")) is not None


class _Wait(Enum):
    """How long to wait when the source asks for nothing."""

    SHORT = "drawn below a doubling bound; the others go on"
    SHORT_AFTER_THE_FIRST = "none after the first attempt, then as SHORT: a kept connection ended while idle"
    LONG_FOR_ALL = "a minute, doubling; no request of the client goes meanwhile"


_WAITS: Mapping[Kind, _Wait] = MappingProxyType(
    {
        Kind.LIMITED: _Wait.LONG_FOR_ALL,
        Kind.BUSY: _Wait.SHORT,
        Kind.UNWELL: _Wait.SHORT,
        Kind.LATE: _Wait.SHORT,
        Kind.DROPPED: _Wait.SHORT_AFTER_THE_FIRST,
        Kind.BROKEN: _Wait.SHORT,
    }
)


def next_step(
    policy: RetryPolicy,
    kind: Kind,
    *,
    attempt: int,
    spent_s: float,
    left_s: float,
    random: Callable[[], float],
    asked_s: float | None = None,
) -> Again | Stop:
    """What follows a failed attempt.

    Args:
        policy: the limits.
        kind: how it failed.
        attempt: its number, from 1.
        spent_s: on this request so far, without waits that held the whole client.
        left_s: until the run's deadline.
        random: even numbers in [0, 1).
        asked_s: what a sane Retry-After asked for, else None. 0, or a date in the past, is no more than "soon".
    """
    if attempt >= policy.attempts:
        return Stop.ATTEMPTS
    if asked_s:
        step = Again(asked_s, holds_all=True)
    else:
        # Zero asks for "soon": even a limit is then over.
        step = _unasked(policy, _Wait.SHORT if asked_s is not None else _WAITS[kind], attempt, random)
    if step.wait_s > left_s:
        return Stop.DEADLINE
    if not step.holds_all and spent_s + step.wait_s > policy.total_s:
        return Stop.TIME
    return step


def _unasked(policy: RetryPolicy, wait: _Wait, attempt: int, random: Callable[[], float]) -> Again:
    if wait is _Wait.LONG_FOR_ALL:
        return Again(_doubled(policy.limited_wait_s, policy.longest_limited_wait_s, attempt), holds_all=True)
    if wait is _Wait.SHORT_AFTER_THE_FIRST and attempt == 1:
        return Again(0.0)
    return Again(random() * _doubled(policy.first_wait_s, policy.longest_wait_s, attempt))


def _doubled(first_s: float, longest_s: float, attempt: int) -> float:
    return min(longest_s, first_s * 2.0 ** min(attempt - 1, 64))


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds asked for by a Retry-After header; None when it is absent or makes no sense.

    Source: RFC 9110, section 10.2.3: either a number of seconds or an HTTP date. A date in the past means now.

    Args:
        value: of the header.
        now: by the clock that made the date, the source's own if it told it.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        seconds = float(value)
    else:
        moment = http_date(value)
        if moment is None:
            return None
        seconds = max(0.0, (moment - now).total_seconds())
    return seconds if seconds <= _LONGEST_ASKED_S else None


def http_date(value: str | None) -> datetime | None:
    """An HTTP date as an aware instant; None when there is none, or nothing readable."""
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def exhausted(
    stop: Stop,
    failures: Mapping[str, int],
    *,
    spent_s: float,
    now: datetime,
    asked_s: float | None = None,
) -> SourceUnavailable:
    """The error after the last attempt.

    Args:
        stop: why it was the last.
        failures: what went wrong -> how often, in order of appearance.
        spent_s: on the request.
        now: for the moment to come back.
        asked_s: what the source asked to wait at last.
    """
    told = ", ".join(f"{what} ({count} times)" if count > 1 else what for what, count in failures.items())
    attempts = sum(failures.values())
    what = f"{told}; gave up after {attempts} attempt{'s' if attempts > 1 else ''} in {spent_s:.0f} s, {stop.value}"
    do = SourceUnavailable.default_do
    if asked_s:
        # Rounded up: never earlier than asked.
        moment = (now + timedelta(seconds=asked_s + 1)).astimezone(UTC)
        do = f"run again at {moment:%Y-%m-%d %H:%M:%S} UTC or later (in {asked_s:.0f} s), as the source asked"
    return SourceUnavailable(what, do=do)
