"""Reads every list to its proven end: all walks at once, children streaming behind their parents.

A fixed number of workers take the next page from a frontier of open walks, so no level waits for another. Pages are
gathered by resource and handed on in blocks; what becomes of them is the caller's business, as is the network.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from pipeline.decode import Envelope, parent_keys, split_envelope
from pipeline.errors import ConfigError, NotThere, PipelineError, RequestRefused, SecurityStop, SourceContractBroken
from pipeline.model import Context, Observe, Page, PageRead, Request, Response, Send, Walk
from pipeline.paginate import LIMITS, WalkProgress, next_limit
from pipeline.resources import Catalogue, Resource

# Pages are handed on when this much raw JSON, or this many pages, have gathered.
_BLOCK_BYTES = 8 * 1024 * 1024
_BLOCK_PAGES = 4096
# While more child walks than this wait, no further page of a parent's list is asked for: memory stays flat.
_WAITING_CHILDREN = 4096
# How often a walk whose cursor the source no longer takes begins anew. It never goes on from a guess.
_NEW_BEGINNINGS = 2

Deliver = Callable[[Resource, Sequence[Page]], Awaitable[None]]
"""Takes pages of one resource, in order of arrival, and returns when it has room for more."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one extraction reads.

    `companies` are keys, or None for all the token sees; `switches` are the settings that resources' switches may ask
    for; `page_limit` is None to find the greatest accepted one.
    """

    catalogue: Catalogue
    version: str
    companies: tuple[str, ...] | None = None
    switches: frozenset[str] = frozenset()
    page_limit: int | None = None
    concurrency: int = 16


@dataclass(frozen=True, slots=True)
class WalksDone:
    """How a resource's walks went: every one of them ended at the source's end marker, or there is no such value."""

    resource: str
    walk_count: int
    page_count: int
    record_count: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """The proof of a complete extraction: one entry a resource, in catalogue order."""

    walks: tuple[WalksDone, ...]
    page_limit: int


@dataclass(slots=True)
class _OpenWalk:
    """A walk under way and the cursor of its next page; `turn` counts how often it began anew."""

    walk: Walk
    resource: Resource
    path: str
    cursor: str | None = None
    limit: int = 0
    turn: int = 0
    progress: WalkProgress = field(default_factory=WalkProgress)


async def extract(scope: Scope, send: Send, deliver: Deliver, observe: Observe) -> Extracted:
    """Every page of every resource has been handed to `deliver`, and every walk has reached its end.

    Args:
        scope: what to read.
        send: the network.
        deliver: takes the pages.
        observe: is told of each page.

    Raises:
        PipelineError: one walk failed; the others were stopped and nothing is complete.
    """
    extraction = _Extraction(scope, send, deliver, observe)
    return await extraction.run()


class _Extraction:
    """The state of one extraction; lives in one event loop and is used once."""

    def __init__(self, scope: Scope, send: Send, deliver: Deliver, observe: Observe) -> None:
        self.scope = scope
        self.send = send
        self.deliver = deliver
        self.observe = observe
        self.limit = scope.page_limit or LIMITS[0]
        # Walks whose rows have children, by how many parents they have, the most first.
        self.lists: dict[int, deque[_OpenWalk]] = {
            depth: deque() for depth in sorted({scope.catalogue.depth(name) for name in scope.catalogue.names})[::-1]
        }
        self.leaves: deque[_OpenWalk] = deque()  # walks whose rows have none
        self.under_way = 0
        self.idle: list[asyncio.Future[None]] = []
        self.gathered: dict[str, list[Page]] = {name: [] for name in scope.catalogue.names}
        self.gathered_bytes: Counter[str] = Counter()
        self.ordinals: Counter[str] = Counter()
        self.companies: set[str] = set()
        self.done: dict[str, list[int]] = {name: [0, 0, 0] for name in scope.catalogue.names}

    async def run(self) -> Extracted:
        for resource in self.scope.catalogue:
            if resource.parent is None:
                self.open_walks(resource, ())
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self.scope.concurrency):
                    workers.create_task(self.work())
        except BaseExceptionGroup as failures:
            raise _worst(failures) from None
        for resource in self.scope.catalogue:
            await self.hand_on(resource)
        walks = (WalksDone(name, *counts) for name, counts in self.done.items())
        return Extracted(tuple(walks), self.limit)

    # ---- the frontier ---------------------------------------------------------------------------------------------

    def open_walks(self, resource: Resource, context: Context) -> None:
        """Queue one walk for each of the resource's parameter sets under one parent."""
        path = filled_path(resource.path, self.scope.version, context)
        switched = tuple((name, "true") for name, wanted in resource.switches if wanted in self.scope.switches)
        for params in resource.requests:
            self.queue(_OpenWalk(Walk(resource.name, context, (*params, *switched)), resource, path))

    def queue(self, walk: _OpenWalk) -> None:
        has_children = bool(self.scope.catalogue.children_of(walk.resource.name))
        (self.lists[len(walk.walk.context)] if has_children else self.leaves).append(walk)
        self.wake(1)

    def wake(self, count: int) -> None:
        while self.idle and count:
            waiting = self.idle.pop()
            if not waiting.done():
                waiting.set_result(None)
                count -= 1

    def take(self) -> _OpenWalk | None:
        """The walk whose page comes next: parents first, for they bring work, unless enough children wait.

        Among parents those furthest down, so that no level is opened as a whole before the next is read.
        """
        lists = next(filter(None, self.lists.values()), None)
        if lists and len(self.leaves) < _WAITING_CHILDREN:
            return lists.popleft()
        if self.leaves:
            return self.leaves.popleft()
        return None

    async def work(self) -> None:
        """Read pages until no walk is open anywhere."""
        while True:
            while (walk := self.take()) is None:
                if not self.under_way:
                    self.wake(len(self.idle))
                    return
                waiting = asyncio.get_running_loop().create_future()
                self.idle.append(waiting)
                await waiting
            self.under_way += 1
            try:
                await self.read_page(walk)
            finally:
                self.under_way -= 1

    # ---- one page -------------------------------------------------------------------------------------------------

    async def read_page(self, walk: _OpenWalk) -> None:
        resource = walk.resource
        label = f"extract · {resource.name} · page {walk.progress.pages + 1}"
        response = await self.ask(walk, label)
        try:
            envelope = split_envelope(response.body, accepts_any=resource.accepts_any_envelope)
            keys = self.begin_children(walk, envelope)
            goes_on = walk.progress.advance(envelope.next_cursor, keys)
        except PipelineError as error:
            raise error.filled_in(where=label) from None
        page = Page(walk.walk, self.ordinals[resource.name], envelope.records, response.received_at)
        self.ordinals[resource.name] += 1
        if goes_on:
            walk.cursor = envelope.next_cursor
            self.queue(walk)
        else:
            self.end(walk)
        self.observe(PageRead(resource.name, len(envelope.records)))
        await self.gather(resource, page, response.body)

    async def ask(self, walk: _OpenWalk, label: str) -> Response:
        """The next page's answer; a refused page size is lowered for all walks to come, at the cost of a call.

        A walk keeps the page size of its first page: its cursors may be bound to it.
        """
        while True:
            walk.limit = walk.limit if walk.cursor is not None else self.limit
            cursor = (("cursor", walk.cursor),) if walk.cursor is not None else ()
            # Filters are sent again with every cursor: whether a cursor remembers them is not documented.
            params = (*walk.walk.params, ("limit", str(walk.limit)), *cursor)
            try:
                return await self.send(Request(walk.path, params, walk.resource.name, label, walk.turn))
            except (RequestRefused, NotThere) as refused:
                if walk.cursor is not None:
                    _begin_anew(walk, refused)
                    continue
                # A refused cursor is no sign of a refused page size: a walk that began anew keeps its own.
                may_lower = self.scope.page_limit is None and not walk.turn and isinstance(refused, RequestRefused)
                smaller = next_limit(walk.limit) if may_lower else None
                if smaller is None:
                    raise
                self.limit = min(self.limit, smaller)

    def end(self, walk: _OpenWalk) -> None:
        """Note that a walk has reached the source's end marker."""
        counts = self.done[walk.resource.name]
        counts[0] += 1
        counts[1] += walk.progress.pages
        counts[2] += walk.progress.records
        missing = set(self.scope.companies or ()) - self.companies
        if walk.resource.parent is None and missing:
            raise ConfigError(
                f"the token sees no company {', '.join(sorted(missing))}; it sees {', '.join(sorted(self.companies))}",
                where="site.companies",
            )

    def begin_children(self, walk: _OpenWalk, envelope: Envelope) -> tuple[str | None, ...]:
        """Open the walks under each record of a page; the page's keys."""
        resource = walk.resource
        children = self.scope.catalogue.children_of(resource.name)
        flags = tuple(dict.fromkeys(child.only_when for child in children if child.only_when))
        parents = parent_keys(envelope.records, resource, flags)
        keys = tuple(parent.key if parent else None for parent in parents)
        if resource.parent is None:
            self.companies.update(key for key in keys if key is not None)
            parents = tuple(parent for parent in parents if parent and self.is_wanted(parent.key))
        for child in children:
            position = flags.index(child.only_when) if child.only_when else None
            for parent in parents:
                if parent is None or (position is not None and parent.flags[position] is False):
                    continue
                self.open_walks(child, (*walk.walk.context, (child.context_names[-1], parent.key)))
        return keys

    def is_wanted(self, company: str) -> bool:
        return self.scope.companies is None or company in self.scope.companies

    # ---- handing on -----------------------------------------------------------------------------------------------

    async def gather(self, resource: Resource, page: Page, body: bytes) -> None:
        self.gathered[resource.name].append(page)
        self.gathered_bytes[resource.name] += len(body)
        if self.gathered_bytes[resource.name] >= _BLOCK_BYTES or len(self.gathered[resource.name]) >= _BLOCK_PAGES:
            await self.hand_on(resource)

    async def hand_on(self, resource: Resource) -> None:
        pages, self.gathered[resource.name] = self.gathered[resource.name], []
        self.gathered_bytes[resource.name] = 0
        await self.deliver(resource, pages)


def _begin_anew(walk: _OpenWalk, refused: PipelineError) -> None:
    """The walk's next page is its first again; what it has read so far stays, and newer versions replace it.

    Raises:
        SourceContractBroken: it has begun anew often enough.
    """
    if walk.turn == _NEW_BEGINNINGS:
        raise SourceContractBroken(
            f"the source gave up the walk's cursor on each of {walk.turn + 1} tries ({refused.what}); "
            f"{walk.progress.pages:,} pages were read in all",
            do="ask ProSpend how long cursors live; a greater api.concurrency or api.page_limit makes walks shorter",
        ) from None
    walk.turn += 1
    walk.cursor = None
    walk.progress = walk.progress.begun_anew()


def filled_path(template: str, version: str, context: Context) -> str:
    """A resource's path with the parents' keys in it, percent-encoded.

    Raises:
        SecurityStop: a key would change the path's shape.
    """
    values = {"version": version}
    for name, key in context:
        if key in (".", "..") or len(key) > 512 or not key.isprintable():
            raise SecurityStop(f"a key of {name} that cannot stand in a path was refused")
        values[name] = quote(key, safe="")
    return template.format_map(values)


def _worst(failures: BaseExceptionGroup[BaseException]) -> BaseException:
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
