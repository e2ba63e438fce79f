"""The open walks and the workers that take the next page from them.

A fixed number of workers, so that no level of the source waits for another and memory stays flat. Which page comes next
is decided here; what a page means, in `walking`.
"""

from __future__ import annotations

import asyncio
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


class Frontier:
    """Walks that wait for their next page. Lives in one event loop."""

    def __init__(self, depths: Iterable[int]) -> None:
        """`depths` are how many parents a walk can have."""
        # Walks whose rows have children, by how many parents they have, the most first.
        self._lists: dict[int, deque[OpenWalk]] = {depth: deque() for depth in sorted(set(depths), reverse=True)}
        self._leaves: deque[OpenWalk] = deque()  # walks whose rows have none
        self._under_way = 0
        self._idle: list[asyncio.Future[None]] = []

    def put(self, walk: OpenWalk, *, has_children: bool) -> None:
        """A walk waits for its next page."""
        (self._lists[len(walk.walk.context)] if has_children else self._leaves).append(walk)
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

    def _take(self) -> OpenWalk | None:
        """The walk whose page comes next: parents first, for they bring work, unless enough children wait.

        Among parents those furthest down, so that no level is opened as a whole before the next is read.
        """
        lists = next(filter(None, self._lists.values()), None)
        if lists and len(self._leaves) < _WAITING_CHILDREN:
            return lists.popleft()
        if self._leaves:
            return self._leaves.popleft()
        return None

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
