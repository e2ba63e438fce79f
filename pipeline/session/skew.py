"""How far this machine's clock is from the source's: judged once, on the first answer that tells the time. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pipeline.errors import ConfigError

_TELL: Final = timedelta(minutes=2)
_REFUSE: Final = timedelta(hours=24)


def judged_skew(ours: datetime, theirs: datetime) -> str | None:
    """What a person should know of the difference, or None.

    Raises:
        ConfigError: it is more than a day: every time this run would write is wrong.
    """
    skew = ours - theirs
    if abs(skew) <= _TELL:
        return None
    told = f"this machine's clock is {_words(abs(skew))} {'ahead of' if skew > timedelta() else 'behind'} the source's"
    if abs(skew) > _REFUSE:
        raise ConfigError(
            f"{told} ({ours:%Y-%m-%d %H:%M} UTC here, {theirs:%Y-%m-%d %H:%M} UTC there)",
            where="the machine's clock",
            do="set the clock (timedatectl set-ntp true), run again",
        )
    return told


def _words(skew: timedelta) -> str:
    minutes = round(skew / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} minutes"
    hours = round(skew / timedelta(hours=1))
    return f"{hours} hours" if hours < 48 else f"{hours / 24:.0f} days"
