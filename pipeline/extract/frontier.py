"""The open walks and the workers that take the next page from them.

A fixed number of workers, so that no level of the source waits for another and memory stays flat. Which page comes next
is decided here: pages of one walk come one after the other, so that whoever has most of them left decides when all is
read. What a page means, in `walking`.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from pipeline.errors import PipelineError
from pipeline.model import Purpose, Walk
from pipeline.paginate import WalkProgress
from pipeline.resources import Resource
from pipeline.stretches import SharedList, Stretch

# While more child walks than this wait, no further page of a parent's list is asked for: memory stays flat.
_WAITING_CHILDREN = 4096


@dataclass(slots=True)
class OpenWalk:
    """A walk under way and the cursor of its next page.

    `round_number` tells the walks of several catch-ups apart; `restarts` counts how often this one began anew, `turn`
    how often those above it had, when it was opened. `stretch` is its part of a list that is `shared` with others.
    """

    walk: Walk
    resource: Resource
    path: str
    purpose: Purpose = "main"
    round_number: int = 0
    restarts: int = 0
    turn: int = 0
    cursor: str | None = None
    limit: int = 0
    pages: int = 0
    progress: WalkProgress = field(default_factory=WalkProgress)
    shared: SharedList | None = None
    stretch: Stretch | None = None
    expected: float | None = None

    @property
    def is_further(self) -> bool:
        """Whether another walk had begun the list that it belongs to."""
        return self.stretch is not None and self.stretch.since is not None

    @property
    def is_given_up(self) -> bool:
        """Whether another walker reads what it would have read."""
        return self.stretch is not None and self.stretch.state == "dropped"

    @property
    def has_met(self) -> bool:
        """Whether it ended at what its right neighbour began with, not at the end of its list."""
        return self.stretch is not None and self.cursor is not None and not self.is_given_up

    def pages_left(self, page_size: int) -> float:
        """About how many pages it has left, one at least.

        One that goes on though nothing is known of it, or beyond what was expected, is taken to be half way.
        """
        if self.shared is not None and self.stretch is not None and self.shared.page_size:
            return max(self.shared.left_of(self.stretch) / self.shared.page_size, 1.0)
        expected = (self.expected or 0.0) / page_size
        return max(expected - self.pages if expected > self.pages else self.pages, 1.0)


class Longest:
    """Walks that wait for their next page, those with most pages left first; of equal ones, whoever came first."""

    def __init__(self) -> None:
        self._long: list[tuple[float, int, OpenWalk]] = []  # a heap
        self._short: deque[OpenWalk] = deque()  # one page left: most walks, and they need no order
        self._came = 0

    def __len__(self) -> int:
        return len(self._long) + len(self._short)

    @property
    def most_left(self) -> float:
        """How many pages the first one has left; 0 if none waits."""
        return -self._long[0][0] if self._long else float(bool(self._short))

    def put(self, walk: OpenWalk, pages_left: float) -> None:
        """One more waits."""
        if pages_left <= 1:
            self._short.append(walk)
        else:
            self._came += 1
            heapq.heappush(self._long, (-pages_left, self._came, walk))

    def take(self) -> OpenWalk:
        """The first one, which does not wait any more."""
        return heapq.heappop(self._long)[2] if self._long else self._short.popleft()


class Frontier:
    """Walks that wait for their next page. Lives in one event loop."""

    def __init__(self, depths: Iterable[int]) -> None:
        """`depths` are how many parents a walk can have."""
        # Walks whose rows have children, by how many parents they have, the most first.
        self._lists: dict[int, Longest] = {depth: Longest() for depth in sorted(set(depths), reverse=True)}
        self._levels = tuple(self._lists.values())
        self._leaves = Longest()  # walks whose rows have none
        self._under_way = 0
        self._ahead: OpenWalk | None = None
        self._workers = 0
        self._idle: list[asyncio.Future[None]] = []

    def put(self, walk: OpenWalk, *, has_children: bool, pages_left: float) -> None:
        """A walk waits for its next page."""
        (self._lists[len(walk.walk.context)] if has_children else self._leaves).put(walk, pages_left)
        self._wake(1)

    async def work_off(
        self, read_page: Callable[[OpenWalk], Awaitable[None]], *, workers: int, divide: Callable[[], OpenWalk | None]
    ) -> None:
        """No walk is open any more.

        Args:
            read_page: reads the next page of a walk.
            workers: so many at once.
            divide: makes a walk of the half of another, for a worker that has nothing to do.

        Raises:
            PipelineError: reading a page failed; the other workers were stopped.
        """
        self._workers = workers
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(read_page, divide))
        except BaseExceptionGroup as failures:
            raise worst(failures) from None

    async def _work(
        self, read_page: Callable[[OpenWalk], Awaitable[None]], divide: Callable[[], OpenWalk | None]
    ) -> None:
        while True:
            while (walk := self._take() or self._help(divide)) is None:
                if not self._under_way:
                    self._wake(len(self._idle))
                    return
                waiting = asyncio.get_running_loop().create_future()
                self._idle.append(waiting)
                await waiting
            self._under_way += 1
            try:
                await read_page(walk)
            finally:
                self._under_way -= 1
                if walk is self._ahead:
                    self._ahead = None

    def _take(self) -> OpenWalk | None:
        """The walk whose page comes next: parents first, for they bring work, unless enough children wait.

        Among parents those furthest down, so that no level is opened as a whole before the next is read; but one page
        from above is asked for in time, while what is left below still keeps all workers busy. A walk without children
        goes before parents if it has more pages left: it would go on when all else is read.
        """
        parents = [lists for lists in self._levels if lists]
        are_many = len(self._leaves) >= _WAITING_CHILDREN
        if not parents or are_many or self._leaves.most_left > parents[0].most_left:
            return self._leaves.take() if self._leaves else None
        if self._ahead is None and len(parents) > 1 and len(parents[0]) < self._workers:
            self._ahead = parents[-1].take()
            return self._ahead
        return parents[0].take()

    def _help(self, divide: Callable[[], OpenWalk | None]) -> OpenWalk | None:
        """Half of another walk. Where there is one there may be more: the next idle worker has a look, too."""
        walk = divide()
        if walk is not None:
            self._wake(1)
        return walk

    def _wake(self, count: int) -> None:
        while self._idle and count:
            waiting = self._idle.pop()
            if not waiting.done():
                waiting.set_result(None)
                count -= 1


def worst(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to report when several walks failed at once: a bug of ours first, then the greatest exit code."""
    flat: list[BaseException] = []
    waiting: list[BaseException] = [failures]
    while waiting:
        failure = waiting.pop()
        if isinstance(failure, BaseExceptionGroup):
            waiting.extend(failure.exceptions)
        else:
            flat.append(failure)
    return max(flat, key=lambda error: error.exit_code if isinstance(error, PipelineError) else 1000)
