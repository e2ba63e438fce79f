"""What to do after an attempt: a table from status or failure to action, and how long to wait.

Pure: the random number, the clock and the time spent come in as arguments; the session sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum

from pipeline.errors import (
    NotPermitted,
    PipelineError,
    RequestRefused,
    SecurityStop,
    SourceContractBroken,
    SourceUnavailable,
    TokenError,
)


class Kind(Enum):
    """How an attempt failed that another one may not."""

    LIMITED = "429: we ask too often"
    BUSY = "503 or 504: the source is overloaded"
    UNWELL = "another status that may pass"
    LATE = "a deadline of ours passed"
    DROPPED = "the connection ended before any answer"
    BROKEN = "no connection, or an answer that did not come whole"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of the one retry layer.

    Attempt n (from 1) that fails is followed by a wait drawn evenly from 0 to min(`longest_wait_s`, `first_wait_s` *
    2**(n-1)) seconds (full jitter), or by exactly what a sane Retry-After asks. A 429 that asks for nothing is followed
    by `limited_wait_s` * 2**(n-1), at most `longest_limited_wait_s`. Ten attempts: where a fifth of all requests
    fails, a page is then lost once in ten million.

    `total_s` bounds attempts and waits of one request together; waits that the source asked for, and those after a
    429, are bounded by the run's deadline instead.
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


# Statuses after which the same request may succeed a little later.
RETRIED = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})

# A wait longer than the longest quota period is a mistake, not a promise.
_LONGEST_ASKED_S = 31 * 86_400.0

# What every other status means. 200 is the only one that carries data, so the default is a broken contract.
_REFUSED: dict[int, tuple[type[PipelineError], str, str]] = {
    400: (RequestRefused, "the source did not accept the request (400)", ""),
    401: (TokenError, "the source refused the token (401): it is expired, revoked or not of this site", ""),
    403: (NotPermitted, "the source knows the token but does not permit it to read here (403)", ""),
    404: (
        SourceContractBroken,
        "a list answered 404 (not found); that never means an empty list",
        "check site.base_url, site.version and the path in configs/prospend.toml",
    ),
}


def refusal(status: int, *, leads_away: bool = False) -> PipelineError | None:
    """The error that a status other than 200 stands for, or None if another attempt may succeed.

    Args:
        status: as received.
        leads_away: whether it is a redirect to another origin.
    """
    if status in RETRIED:
        return None
    if leads_away:
        return SecurityStop(f"the source redirected to another origin ({status}); the token was not sent there")
    kind, what, do = _REFUSED.get(
        status, (SourceContractBroken, f"the source answered with status {status}, which carries no data", "")
    )
    return kind(what, do=do)


def kind_of(status: int) -> Kind:
    """How an attempt failed that was answered with one of the statuses `RETRIED`."""
    if status == 429:
        return Kind.LIMITED
    return Kind.BUSY if status in (503, 504) else Kind.UNWELL


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
    elif kind is Kind.LIMITED and asked_s is None:
        step = Again(_doubled(policy.limited_wait_s, policy.longest_limited_wait_s, attempt), holds_all=True)
    elif kind is Kind.DROPPED and attempt == 1:
        step = Again(0.0)  # a kept connection that the server had closed meanwhile: nobody is at fault
    else:
        step = Again(random() * _doubled(policy.first_wait_s, policy.longest_wait_s, attempt))
    if step.wait_s > left_s:
        return Stop.DEADLINE
    if not step.holds_all and spent_s + step.wait_s > policy.total_s:
        return Stop.TIME
    return step


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
