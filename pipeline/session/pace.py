"""How many requests may be under way: one more each round while all is well, half as many when the source strains.

Pure values and functions; `session.gate` applies them. A run begins at the site's setting, or where the last one ended.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# Latency rises when the average of the newest answers is this much above that of many more.
_NEW_WEIGHT = 0.2
_LONG_WEIGHT = 0.01
_RISEN_FACTOR = 2.0
_RISEN_LEAST_S = 1.0  # pages differ in size: below a second more, nothing is learnt


class Pace(NamedTuple):
    """The allowance. `window` lies between 1 and `most`; its whole part counts.

    `cut_at_s` is when it was last lowered: what was sent before says nothing about the lower one. `new_s` and `long_s`
    are moving averages of the time to a whole answer.
    """

    most: int
    window: float
    cut_at_s: float = -math.inf
    new_s: float | None = None
    long_s: float = 0.0

    @property
    def allowed(self) -> int:
        """Requests that may be under way at once."""
        return int(self.window)


def begun(most: int, window: int | None = None) -> Pace:
    """The pace to begin with: all that the site's setting allows, or no more than a window remembered."""
    return Pace(most, float(most if window is None else max(1, min(window, most))))


def answered(pace: Pace, *, began_s: float, now_s: float) -> Pace:
    """After a whole answer to a request that was sent at `began_s`."""
    took_s = now_s - began_s
    if pace.new_s is None:
        new_s = long_s = took_s
    else:
        new_s = pace.new_s + _NEW_WEIGHT * (took_s - pace.new_s)
        long_s = pace.long_s + _LONG_WEIGHT * (took_s - pace.long_s)
    if new_s > _RISEN_FACTOR * long_s + _RISEN_LEAST_S:
        return strained(pace, began_s=began_s, now_s=now_s)._replace(new_s=new_s, long_s=long_s)
    window = min(float(pace.most), pace.window + 1 / pace.window)
    return Pace(pace.most, window, pace.cut_at_s, new_s, long_s)


def strained(pace: Pace, *, began_s: float, now_s: float) -> Pace:
    """After a 429, 503, 504 or time-out of a request that was sent at `began_s`."""
    if began_s < pace.cut_at_s:
        return pace
    return pace._replace(window=max(1.0, pace.window / 2), cut_at_s=now_s)
