"""Call limits of a site: how many requests it may make in an hour and in a month, counted in rolling windows.

The vendor announces both limits and states neither numbers nor headers. No clock here: the time comes with the request.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

HOUR_S: Final = 3600
MONTH_S: Final = 30 * 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class _Window:
    """The times of the newest requests, at most as many as the limit."""

    limit: int
    length_s: int
    times: deque[float]

    def wait_s(self, now: float) -> float:
        """Seconds until one more request fits; 0 or less when it fits now."""
        if len(self.times) < self.limit:
            return 0.0
        return self.times[0] + self.length_s - now if self.times else float(self.length_s)


class Quota:
    """Counts requests that were let through; refused ones cost nothing."""

    def __init__(self, *, hourly: int | None, monthly: int | None) -> None:
        limits = ((hourly, HOUR_S), (monthly, MONTH_S))
        self._windows = tuple(_Window(n, length, deque(maxlen=n)) for n, length in limits if n is not None)

    def spend(self, at: datetime) -> int:
        """Count one request; 0, or, without counting it, the whole seconds until there is room for it."""
        now = at.timestamp()
        wait_s = max((window.wait_s(now) for window in self._windows), default=0.0)
        if wait_s > 0:
            return math.ceil(wait_s)
        for window in self._windows:
            window.times.append(now)
        return 0
