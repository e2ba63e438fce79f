"""How far reading has come, how fast it goes, and when it is expected to end: from the plan and the pages so far.

Clocks are given: seconds that only go forward.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.cli.text import counted
from pipeline.model import PageRead, ReadingPlanned

_MINUTE_S, _HOUR_S = 60, 3600


@dataclass(slots=True)
class Going:
    """What a run has read so far, by resource."""

    began_s: float
    planned: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    pages: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    _first_s: dict[str, float] = field(default_factory=dict)

    def plan(self, event: ReadingPlanned) -> None:
        """What there is to read, as far as earlier runs tell."""
        self.planned = {name: (calls, records) for name, calls, records in event.resources}

    def take(self, event: PageRead, now_s: float) -> None:
        """A page has come."""
        self._first_s.setdefault(event.resource, now_s)
        self.pages[event.resource] += 1
        self.records[event.resource] += event.record_count
        self.calls[event.resource] = max(event.calls, self.calls[event.resource])

    def told_of(self, name: str, now_s: float) -> str:
        """One resource: records, pages, calls, rate, and the expected end."""
        pages_planned, records_planned = self.planned.get(name, (None, None))
        since_s = now_s - self._first_s.get(name, now_s)
        return _told(self.records[name], records_planned, self.pages[name], self.calls[name], pages_planned, since_s)

    def told(self, now_s: float) -> str:
        """All of them together; no end is expected where the plan does not know every resource."""
        pages_planned = _sum([pages for pages, _ in self.planned.values()])
        records_planned = _sum([records for _, records in self.planned.values()])
        counts = (self.records.total(), records_planned, self.pages.total(), self.calls.total())
        return _told(*counts, pages_planned, now_s - self.began_s)


def _told(
    records: int, records_planned: int | None, pages: int, calls: int, pages_planned: int | None, since_s: float
) -> str:
    of_about = f" of about {records_planned:,}" if records_planned and records_planned > records else ""
    noun = "record" if records == 1 and not of_about else "records"
    told = f"{records:,}{of_about} {noun}, {counted(pages, 'page')}, {counted(calls, 'call')}"
    if since_s <= 0:
        return told
    rate = pages / since_s
    told += f", {rate:,.0f} pages/s" if rate >= 10 else f", {rate:.1f} pages/s"
    left = (pages_planned or 0) - pages
    return f"{told}, about {_duration(left / rate)} left" if left > 0 and rate else told


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _duration(seconds: float) -> str:
    if seconds < 1.5 * _MINUTE_S:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 1.5 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h"
