"""What was asked and what was served: every request, and exact counts of the records of each resource.

The newest requests are remembered, the counts cover all. Nothing secret is kept: of a token only whether
one was sent.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from pipeline.sandbox.data.draw import Mask
from pipeline.sandbox.model import Served


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One request and how it was answered; `bytes_sent` counts what was written, headers included.

    `fault` names the scenario that was injected. A connection that was broken before any request has no method.
    """

    at: datetime
    method: str
    path: str
    query: str
    status: int
    bytes_sent: int
    had_token: bool
    resource: str = ""
    records: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals so far, by status, resource and fault; `keys` counts records served at least once."""

    requests: int
    statuses: dict[int, int]
    requests_by_resource: dict[str, int]
    records: dict[str, int]
    keys: dict[str, int]
    faults: dict[str, int]


class Journal:
    """Written by the server, read by anyone."""

    def __init__(self, row_counts: dict[str, int], entry_limit: int) -> None:
        self._row_counts = row_counts
        self._entries: deque[JournalEntry] = deque(maxlen=entry_limit)
        self.clear()

    def clear(self) -> None:
        """Forget everything, counts included."""
        self._entries.clear()
        self._statuses: Counter[int] = Counter()
        self._faults: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._seen: dict[str, Mask] = {}
        self._seen_injected: dict[str, set[tuple[tuple[str, ...], int]]] = {}

    def note(self, entry: JournalEntry, served: Served | None) -> None:
        """Remember one answered request."""
        self._entries.append(entry)
        self._statuses[entry.status] += 1
        if entry.fault:
            self._faults[entry.fault] += 1
        if served is None:
            return
        name = served.resource
        self._requests[name] += 1
        self._records[name] += served.count
        if name not in self._seen:
            self._seen[name] = np.zeros(self._row_counts[name], dtype=np.bool_)
        rows = served.rows
        self._make_room(name, rows.stop if isinstance(rows, range) else max(rows, default=-1) + 1)
        self._seen[name][slice(rows.start, rows.stop) if isinstance(rows, range) else list(rows)] = True
        if served.injected:
            self._seen_injected.setdefault(name, set()).update((served.context, place) for place in served.injected)

    def note_connection(self, entry: JournalEntry) -> None:
        """Remember a connection that was broken before any request; it counts as a fault, not as a request."""
        self._entries.append(entry)
        self._faults[entry.fault] += 1

    def _make_room(self, name: str, row_count: int) -> None:
        """Records that came after the tables were made have numbers beyond their rows."""
        seen = self._seen[name]
        if row_count > len(seen):
            self._seen[name] = np.concatenate((seen, np.zeros(row_count, dtype=np.bool_)))

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """The requests remembered, oldest first."""
        return tuple(self._entries)

    @property
    def counts(self) -> Counts:
        """The counts of all requests so far; may be asked from another thread than the server's."""
        return Counts(
            requests=self._statuses.total(),
            statuses=dict(self._statuses),
            requests_by_resource=dict(self._requests),
            records=dict(self._records),
            keys={n: int(seen.sum()) + len(self._seen_injected.get(n, ())) for n, seen in tuple(self._seen.items())},
            faults=dict(self._faults),
        )
