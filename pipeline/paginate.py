"""When a walk goes on, when it ends, and when it is refused.

Pure. A walk that does not move is an error, never an endless loop and never a silent end.
Source: prospend-api.md 1.1; design.md section 3, "Pagination".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.errors import SecurityStop, SourceContractBroken

PAGES_WITHOUT_NEW_KEYS = 3
EMPTY_PAGES_IN_A_ROW = 10
LONGEST_CURSOR = 4096
# Keys of about this many recent records are remembered, so that memory stays flat over any walk; a feed that repeats
# itself over a longer period is caught by its cursors or by the page cap.
_RECENT_KEYS = 50_000
MOST_PAGES = 5_000_000


@dataclass(slots=True)
class WalkProgress:
    """What a walk has seen so far. It changes with each page and belongs to one walk alone.

    `pages` and `records` are counts; `cursors` holds the hash of every cursor received and the page it came with.
    `remembered` keys, and up to as many again, are compared with those of further pages.
    """

    pages: int = 0
    records: int = 0
    cursors: dict[int, int] = field(default_factory=dict)
    stale_pages: int = 0
    empty_pages: int = 0
    remembered: int = _RECENT_KEYS
    recent: set[str] = field(default_factory=set)
    older: set[str] = field(default_factory=set)

    def advance(self, next_cursor: str | None, keys: Sequence[str | None]) -> bool:
        """Take one page into account; whether the walk goes on with `next_cursor`.

        Args:
            next_cursor: of this page; None at the end.
            keys: of the page's records, under their parents; None for a record without one.

        Raises:
            SourceContractBroken: the cursor was seen before, or the walk no longer brings anything new.
            SecurityStop: the cursor has no form that a cursor can have.
        """
        self.pages += 1
        self.records += len(keys)
        if next_cursor is None:
            return False
        self._check_cursor(next_cursor)
        self._check_keys(keys)
        if self.pages >= MOST_PAGES:
            raise SourceContractBroken(f"the walk did not end within {MOST_PAGES:,} pages")
        return True

    def begun_anew(self) -> WalkProgress:
        """The progress of the same walk from its first page again: what was read counts, what was seen is forgotten."""
        return WalkProgress(self.pages, self.records, remembered=self.remembered)

    def forget_seen(self) -> None:
        """The walk has ended: what it would compare further pages with is not needed any more."""
        self.cursors, self.recent, self.older = {}, set(), set()

    def _check_cursor(self, cursor: str) -> None:
        if len(cursor) > LONGEST_CURSOR or not cursor.isprintable():
            raise SecurityStop(f"a cursor of {len(cursor):,} characters or with control characters was refused")
        seen_on = self.cursors.setdefault(hash(cursor), self.pages)
        if seen_on != self.pages:
            length = self.pages - seen_on
            raise SourceContractBroken(
                f"the cursor repeats after {length:,} page{'s' if length > 1 else ''}: the list would never end"
            )

    def _check_keys(self, keys: Sequence[str | None]) -> None:
        if not keys:
            self.empty_pages += 1
            if self.empty_pages > EMPTY_PAGES_IN_A_ROW:
                raise SourceContractBroken(f"more than {EMPTY_PAGES_IN_A_ROW} empty pages in a row with a next cursor")
            return
        self.empty_pages = 0
        fresh = [key for key in keys if key is not None and key not in self.recent and key not in self.older]
        self.stale_pages = 0 if fresh else self.stale_pages + 1
        if self.stale_pages >= PAGES_WITHOUT_NEW_KEYS:
            raise SourceContractBroken(f"no new keys on {PAGES_WITHOUT_NEW_KEYS} pages in a row")
        self.recent.update(fresh)
        if len(self.recent) > self.remembered:
            self.older, self.recent = self.recent, set()


def next_limit(refused: int) -> int | None:
    """The page size to try after one was refused; None when there is none smaller than the documented default."""
    return next((limit for limit in LIMITS if limit < refused), None)


# Greatest first; 10 is the documented default, so it must be accepted.
LIMITS = (1000, 500, 200, 100, 50, 10)
