"""One list read by several walkers at once, each on a stretch of it, and the proof that no gap is left between them.

A list that ascends by change time, and can be asked for what changed from a moment on, can be entered anywhere. Each
walker reads on until its page holds a record that its right neighbour began with: there the two overlap, and nothing
stands between them. A record that changes moves to the end of such a list, never back, so what a walker has passed is
not behind it again. (A record out of order may be hidden by every bound: the caller sees to that.) Pure: times are
those of the records, and what is estimated decides only where to enter.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

# A further walker costs a call or two: so many of a list's pages may be spent on them, and so many before there are
# pages; of those that found nothing of use, one beyond that. Where no earlier night tells how the list lies in time, no
# more walkers begin at once than have begun already: what they find tells where the next are of use.
_EXTRA_CALLS: Final = 0.03
_EXTRA_AT_FIRST: Final = 16
# A stretch is divided only if it is taken to have more pages than this.
_PAGES_WORTH_IT: Final = 4
_SECOND: Final = timedelta(seconds=1)
# Earlier change times are placeholders, which a source may not take for a bound.
_EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)

Step = Literal["goes_on", "waits", "ends"]
"""What a walker does after a page: ask for the next one, wait until its neighbour has begun, or stop."""

Spread = tuple[tuple[datetime, float], ...]
"""Ascending moments, and how many records of a list changed up to each: what an earlier night knows of it."""


@dataclass(slots=True, eq=False)
class Stretch:
    """One walker's part of a list: from `since` on (None: where the list itself begins) to its right neighbour.

    `entry` holds keys and change times of the first page with records, None until it has come. `position` is the
    change time of the last record read, `rows` counts them, from `began` on; `seen` is the last page if it can meet the
    neighbour. `guess` is the pace of the stretch that this one was divided from.
    """

    since: datetime | None = None
    right: Stretch | None = None
    entry: dict[str, datetime] | None = None
    seen: dict[str, datetime] = field(default_factory=dict)
    position: datetime | None = None
    began: datetime | None = None
    rows: int = 0
    guess: float = 0.0
    state: Literal["open", "waits", "ended", "dropped"] = "open"

    @property
    def at(self) -> datetime | None:
        """From where it still has to read."""
        return self.position or self.since

    @property
    def passed_s(self) -> float:
        """How much change time it has passed, in seconds, gaps included."""
        begin = self.since or self.began
        return max((self.position - begin).total_seconds(), 1.0) if self.position and begin else 0.0

    @property
    def pace(self) -> float:
        """Records a second of change time."""
        return self.rows / self.passed_s if self.rows and self.passed_s else self.guess


@dataclass(slots=True, eq=False)
class SharedList:
    """The stretches of one list, from left to right. It changes with each page and belongs to one reading of the list.

    Args:
        until: no record is expected to have changed later than this.
        spread: how many records an earlier night knew, by change time; without it the pace of the pages read decides.
        again: where a run that ended early had entered the list.
    """

    until: datetime
    spread: Spread = ()
    again: tuple[datetime, ...] = ()
    first: Stretch = field(default_factory=Stretch)
    page_size: int = 0
    pages: int = 0
    refused: str = ""
    is_broken: bool = False
    _divided: int = 0
    _in_vain: int = 0
    _waiting: list[Stretch] = field(default_factory=list)

    def __iter__(self) -> Iterator[Stretch]:
        one: Stretch | None = self.first
        while one is not None:
            yield one
            one = one.right

    @property
    def is_shared(self) -> bool:
        """Whether more than one walker has read it."""
        return self._divided > 0

    @property
    def is_proven(self) -> bool:
        """Whether everything was read: each stretch reaches into its neighbour, the last to the end of the list."""
        return not self.is_broken and all(one.state == "ended" for one in self)

    def read(
        self, one: Stretch, keys: Sequence[str | None], moment_of: Callable[[int], datetime | None], *, is_last: bool
    ) -> Step:
        """Take a page of one stretch into account; what its walker does next.

        Args:
            one: whose next page it is.
            keys: of the page's records, None for one without.
            moment_of: the change time of the page's n-th record, None if it has none.
            is_last: the source's end marker came with the page.
        """
        self.pages += 1
        if one.state == "dropped":
            return "ends"
        if keys and not self.refused and (self.is_shared or not is_last):
            self._measure(one, keys, moment_of)
        if is_last:
            self._ended(one)
            return "ends"
        if self.refused and one is not self.first:  # this page has told that the list cannot be shared
            return "ends"
        one.seen = {}
        if one.right is not None and one.position is not None and one.position >= (one.right.since or one.position):
            moments = ((key, moment_of(n)) for n, key in enumerate(keys))
            one.seen = {key: moment for key, moment in moments if key is not None and moment is not None}
        step = self._next(one)
        if step == "waits":
            self._waiting.append(one)
        return step

    def woken(self) -> tuple[tuple[Stretch, Step], ...]:
        """The walkers that need not wait any more, and what they do next."""
        steps: list[tuple[Stretch, Step]] = [
            (one, "ends" if one.state == "dropped" else self._next(one)) for one in self._waiting
        ]
        self._waiting = [one for one, step in steps if step == "waits"]
        return tuple((one, step) for one, step in steps if step != "waits")

    def begun_anew(self, one: Stretch) -> None:
        """A walker begins its stretch once more: it passes the same records again."""
        one.position, one.rows = None, 0

    def give_up(self) -> None:
        """The list itself is gone: nothing of it is asked for any more."""
        for one in self:
            one.state = "dropped"

    def refuse(self, why: str) -> None:
        """The list is read by its first walker alone from now on; what that has not read itself is not proven."""
        if not self.refused:
            self.refused = why
            self.is_broken = self.first.state == "ended" and self.is_shared
            for one in self:
                if one is not self.first and one.state != "ended":
                    one.state = "dropped"
            self.first.right = None

    # ---- where to enter -------------------------------------------------------------------------------------------

    def entered_again(self) -> tuple[Stretch, ...]:
        """The stretches that an earlier run had begun, if the list goes on beyond its first page."""
        at = self.first.position
        places = [moment for moment in sorted(set(self.again)) if at is not None and moment > at]
        if self.refused or self.first.state != "open":
            return ()
        return tuple([self._begin(self.first, moment) for moment in reversed(places)][::-1])

    def divided(self) -> Stretch | None:
        """A new stretch: the right half of the one with the most left to read; None if none is worth a call."""
        for one in sorted(self._divisible(), key=self.left_of, reverse=True):
            if self.left_of(one) < _PAGES_WORTH_IT * self.page_size:
                return None
            if (middle := self._middle_of(one)) is not None:
                return self._begin(one, middle)
        return None

    def outlook(self) -> float:
        """About how many records the longest stretch has left that may be divided."""
        return max(map(self.left_of, self._divisible()), default=0.0)

    def _divisible(self) -> list[Stretch]:
        if self.refused or not self.page_size:
            return []
        candidates = [one for one in self if one.state == "open" and one.at is not None]
        expected = self.pages + self._left_in_all(candidates) / self.page_size
        most = min(_EXTRA_CALLS * expected, _EXTRA_AT_FIRST + _EXTRA_CALLS * self.pages)
        blind = 0 if self.spread else sum(one.entry is None for one in self)
        is_useful = self._in_vain <= 1 + _EXTRA_CALLS * self.pages
        return candidates if self._divided + 1 <= most and blind <= self._divided - blind and is_useful else []

    def _begin(self, left: Stretch, since: datetime) -> Stretch:
        self._divided += 1
        left.right = Stretch(since, left.right, guess=left.pace)
        return left.right

    def _edge_of(self, one: Stretch) -> datetime:
        return one.right.since or self.until if one.right is not None else self.until

    def left_of(self, one: Stretch) -> float:
        """About how many records stand between a walker and its neighbour, or the end of the list."""
        at, edge = one.at, self._edge_of(one)
        if at is None or at >= edge:
            return 0.0
        if self._is_known(at):
            return self._known_up_to(edge) - self._known_up_to(at)
        pace = (one.pace + one.right.pace) / 2 if one.right is not None else one.pace
        return pace * (edge - at).total_seconds()

    def _left_in_all(self, stretches: Sequence[Stretch]) -> float:
        """About how many records are left in some stretches together: one page says little, all pages say more."""
        if self.spread:
            return sum(map(self.left_of, stretches))
        pace = sum(one.rows for one in self) / max(sum(one.passed_s for one in self), 1.0)
        spans = [(self._edge_of(one) - one.at).total_seconds() for one in stretches if one.at is not None]
        return pace * sum(max(span, 0.0) for span in spans)

    def _middle_of(self, one: Stretch) -> datetime | None:
        """Where about half of what is left has changed; whole seconds, as the source takes them."""
        at, edge = one.at, self._edge_of(one)
        assert at is not None
        at = max(at, _EARLIEST)
        if at >= edge:
            return None
        middle = self._known_middle(at, edge) if self._is_known(at) else at + (edge - at) / 2
        middle = middle.replace(microsecond=0)
        return middle if at + _SECOND < middle < edge - _SECOND else None

    def _is_known(self, at: datetime) -> bool:
        return len(self.spread) > 1 and at < self.spread[-1][0]

    def _known_up_to(self, moment: datetime) -> float:
        place = bisect_right(self.spread, moment, key=lambda pair: pair[0])
        if place in (0, len(self.spread)):
            return self.spread[min(place, len(self.spread) - 1)][1] if place else 0.0
        (before, count), (after, more) = self.spread[place - 1 : place + 1]
        return count + (more - count) * ((moment - before) / (after - before))

    def _known_middle(self, at: datetime, edge: datetime) -> datetime:
        wanted = (self._known_up_to(at) + self._known_up_to(edge)) / 2
        for (before, count), (after, more) in pairwise(self.spread):
            if count <= wanted <= more and after > before and more > count:
                return before + (after - before) * ((wanted - count) / (more - count))
        return at + (edge - at) / 2

    # ---- one page -------------------------------------------------------------------------------------------------

    def _measure(self, one: Stretch, keys: Sequence[str | None], moment_of: Callable[[int], datetime | None]) -> None:
        """How far the walker has come, and whether the list is as it must be to be shared."""
        first, last = moment_of(0), moment_of(len(keys) - 1)
        if first is None or last is None:
            return self.refuse("a record has no change time")
        if one.since is not None and first < one.since:
            return self.refuse("it begins before the change time that was asked for")
        if last < first or (one.position is not None and first < one.position):
            return self.refuse("change times go back")
        if one.entry is None:
            moments = [moment_of(n) for n in range(len(keys))]
            known = [moment for moment in moments if moment is not None]
            if len(known) < len(moments) or any(after < before for before, after in pairwise(known)):
                return self.refuse("a record has no change time, or change times go back")
            one.entry = {key: moment for key, moment in zip(keys, known, strict=True) if key is not None}
            one.began = first
            self.page_size = max(self.page_size, len(keys))
        one.rows += len(keys)
        one.position = last
        return None

    def _ended(self, one: Stretch) -> None:
        """Everything from the stretch's beginning to the end of the list has been read."""
        one.state = "ended"
        if one.entry is None:
            one.entry = {}
            if one.since is not None:
                self._in_vain += 1
                self.until = min(self.until, one.since)

    def _next(self, one: Stretch) -> Step:
        one.state = "open"
        while (right := one.right) is not None:
            if right.entry is None and right.state != "dropped":
                is_there = one.position is not None and right.since is not None and one.position >= right.since
                one.state = "waits" if is_there else "open"
                return "waits" if is_there else "goes_on"
            if right.entry and right.state != "dropped":
                if any(right.entry.get(key) == moment for key, moment in one.seen.items()):
                    one.state = "ended"
                    return "ends"
                if one.position is None or one.position <= max(right.entry.values()):
                    return "goes_on"
            # Nothing begins there any more: it was empty, or all that it began with has moved. This walker reads on.
            if right.state != "ended":
                self._in_vain += right.state != "dropped"
                right.state = "dropped"
            one.right = right.right
        return "goes_on"
