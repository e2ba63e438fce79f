"""How long a token lasts: milestones, warnings that grow more urgent, and the refusal of one that ends too soon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from pipeline.auth.passport import Passport
from pipeline.errors import TokenError
from pipeline.model import TokenState

MILESTONES = (60, 30, 14, 7)  # days before the expiry
_EXPIRED = 0
# The time left below which the words apply.
_URGENCY = (
    (timedelta(days=7), "URGENT: ", "renew it now, or no run succeeds after that"),
    (timedelta(days=14), "", "renew it this week"),
    (timedelta(days=30), "", "renew it within two weeks"),
    (timedelta.max, "", "plan its renewal"),
)


def milestone(days_left: int | None, warn_days: int) -> int | None:
    """The last milestone that was passed, in days before the expiry; 0 after it, None before the first.

    Args:
        days_left: whole days, negative once expired; None when unknown.
        warn_days: the first milestone; those of `MILESTONES` below it follow. With 0 only the expiry counts.
    """
    if days_left is None:
        return None
    if days_left < 0:
        return _EXPIRED
    in_force = (warn_days, *(days for days in MILESTONES if days < warn_days))
    return min((days for days in in_force if days_left < days), default=None)


def newly_crossed(earlier: Mapping[str, object] | None, current: TokenState, warn_days: int) -> int | None:
    """The milestone that the token has passed since an earlier run, or None: for whoever tells each only once.

    Args:
        earlier: the `token` object of that run's report; None without one. Another token's expiry makes all new.
        current: of this run.
        warn_days: the first milestone.
    """
    passed = milestone(current.days_left, warn_days)
    if passed is None or earlier is None or current.expires_at is None:
        return passed
    days_left = earlier.get("days_left")
    if earlier.get("expires_at") != current.expires_at.isoformat() or not isinstance(days_left, int):
        return passed
    before = milestone(days_left, warn_days)
    return passed if before is None or passed < before else None


def state_of(found: Passport, now: datetime, warn_days: int) -> TokenState:
    """What a report says of a token: when it expires, and a warning once a milestone is passed."""
    days_left = found.days_left(now)
    is_due = milestone(days_left, warn_days) is not None
    return TokenState(found.expires_at, days_left, found.is_assumed, _warning(found, now) if is_due else None)


def refuse_expired(
    found: Passport, now: datetime, *, place: str, within: timedelta = timedelta(), zone: tzinfo = UTC
) -> None:
    """Nothing, if the token has not said it is expired, or expires `within` so long.

    Args:
        found: its passport. An expiry that is only assumed refuses nothing.
        now: the start of what needs it.
        place: where it came from, for the message.
        within: how long it is needed.
        zone: the site's, for the message.

    Raises:
        TokenError: it has; known before any request.
    """
    if found.expires_at is None or found.is_assumed or found.expires_at > now + within:
        return
    moment = _moment(found.expires_at, zone)
    if found.expires_at <= now:
        raise TokenError(f"the token expired at {moment}", where=place)
    end = f"{now + within:%Y-%m-%d %H:%M} UTC"
    raise TokenError(f"the token expires at {moment}, before a run would end (about {end})", where=place)


def _warning(found: Passport, now: datetime) -> str:
    assert found.expires_at is not None
    left = found.expires_at - now
    moment = _moment(found.expires_at, UTC)
    if left < timedelta():
        if found.is_assumed:
            return f"URGENT: the token has probably expired (at {moment}, assumed from its issue): renew it now"
        return f"URGENT: the token expired at {moment}: no run succeeds until a new one is stored"
    mark, advice = next((mark, advice) for below, mark, advice in _URGENCY if left < below)
    basis = ", assumed from its issue" if found.is_assumed else ""
    return f"{mark}the token expires in {_words(left)} ({moment}{basis}): {advice}"


def _moment(at: datetime, zone: tzinfo) -> str:
    """In UTC, and as the site's people read it."""
    told = f"{at:%Y-%m-%d %H:%M} UTC"
    return told if zone is UTC else f"{told} ({at.astimezone(zone):%Y-%m-%d %H:%M %Z})"


def _words(left: timedelta) -> str:
    """Days, and below two days hours and minutes."""
    if left >= timedelta(days=2):
        return f"{left.days} days"
    hours, minutes = divmod(left // timedelta(minutes=1), 60)
    told = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in ((hours, "hour"), (minutes, "minute"))]
    return " ".join(told) if hours else told[1]
