"""What to do after an attempt: a table from status to action, and how long to wait.

Pure: the random number, the clock and the elapsed time come in as arguments; the session sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipeline.errors import (
    NotPermitted,
    PipelineError,
    RequestRefused,
    SecurityStop,
    SourceContractBroken,
    SourceUnavailable,
    TokenError,
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of the one retry layer.

    Attempt n (from 1) that fails is followed by a wait drawn evenly from 0 to min(`longest_wait_s`, `first_wait_s` *
    2**(n-1)) seconds (full jitter), or by exactly what a sane Retry-After asks. No wait begins that would end later
    than `total_s` after the first attempt.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    total_s: float = 600.0


# Statuses after which the same request may succeed a little later.
RETRIED = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})


# What every other status means. 200 is the only one that carries data, so the default is a broken contract.
_REFUSED: dict[int, tuple[type[PipelineError], str, str]] = {
    400: (RequestRefused, "the source did not accept the request (400)", ""),
    401: (TokenError, "the source refused the token (401)", ""),
    403: (NotPermitted, "the source does not permit this token to read here (403)", ""),
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


def next_wait_s(
    policy: RetryPolicy, *, attempt: int, elapsed_s: float, random: Callable[[], float], asked_s: float | None
) -> float | None:
    """Seconds to wait before the next attempt, or None to give up.

    Args:
        policy: the limits.
        attempt: the number of the attempt that just failed, from 1.
        elapsed_s: since the first attempt began.
        random: even numbers in [0, 1).
        asked_s: what a sane Retry-After asked for, else None.
    """
    if attempt >= policy.attempts:
        return None
    if asked_s is not None:
        wait_s = asked_s
    else:
        wait_s = random() * min(policy.longest_wait_s, policy.first_wait_s * 2 ** (attempt - 1))
    return wait_s if elapsed_s + wait_s <= policy.total_s else None


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds asked for by a Retry-After header; None when it is absent or makes no sense.

    Source: RFC 9110, section 10.2.3: either a number of seconds or an HTTP date. A date in the past means now.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def exhausted(attempts: int, elapsed_s: float, last: str, asked_s: float | None) -> SourceUnavailable:
    """The error after the last attempt."""
    do = SourceUnavailable.default_do
    if asked_s is not None:
        do = f"run again in {asked_s:.0f} s or later, as the source asked"
    return SourceUnavailable(f"{last}; gave up after {attempts} attempts in {elapsed_s:.0f} s", do=do)
