"""Reads every list to its proven end: all walks at once, children streaming behind their parents.

Pages are gathered by resource and handed on in blocks; what becomes of them is the caller's business, as is the net.
After the walks themselves come, if the caller asks for them, a catch-up with what changed meanwhile, a sample of what
should not have changed, and look-ups of single records.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pipeline.decode import Envelope, fingerprint, fingerprints, parent_keys, split_envelope
from pipeline.errors import (
    ConfigError,
    NotThere,
    PipelineError,
    RequestRefused,
    SecurityStop,
)
from pipeline.extract.frontier import Frontier, OpenWalk
from pipeline.extract.gathered import Gathered
from pipeline.extract.known import Known
from pipeline.extract.scope import Deliver, Entered, Extracted, Scope
from pipeline.extract.sharing import Sharing
from pipeline.extract.singles import Singles
from pipeline.extract.steps import (
    begin_anew,
    filled_path,
    has_children,
    label_of,
    proven_page,
    refuse_many_gone,
    turn_of,
    with_lower_bound,
)
from pipeline.extract.tally import Tally
from pipeline.model import Context, Observe, PageRead, Params, Purpose, Request, Response, Send, Walk
from pipeline.paginate import next_limit
from pipeline.readings import ANY_COMPANY, LOWER_BOUND, is_incremental, lower_bound
from pipeline.resources import Resource
from pipeline.stretches import Step

# More records on a page than this, and than ten times those asked for, are no page: each may open further walks.
_MOST_RECORDS = 10_000
# How often a catch-up is repeated while it still brings something new.
_CATCH_UPS = 3


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
    extraction = Extraction(scope, send, deliver, observe)
    await extraction.read_lists()
    await extraction.read_alone(())
    return extraction.done()


class Extraction:
    """The state of one extraction; lives in one event loop and is used once."""

    def __init__(
        self, scope: Scope, send: Send, deliver: Deliver, observe: Observe, entered: Entered | None = None
    ) -> None:
        self.scope = scope
        self.send = send
        self.observe = observe
        self.limit = scope.page_limit or scope.first_limit
        self.page_length = 0
        self.frontier = Frontier(scope.catalogue.depth(name) for name in scope.catalogue.names)
        self.known = Known(scope)
        self.sharing = Sharing(scope, entered)
        self.gathered = Gathered(scope.catalogue, deliver)
        self.ordinals: Counter[str] = Counter()
        self.companies: set[str] = set()
        self.tally = Tally(scope.catalogue.names)
        self.singles = Singles(scope, send, self.gathered, self.ordinals, self.tally)
        self.gone = self.singles.gone
        self.incremental_lists = {
            one.name for one in scope.catalogue if scope.catalogue.depth(one.name) == 1 and is_incremental(one)
        }
        self.long_walks: dict[tuple[str, Context, Params], OpenWalk] = {}
        self.fresh_count = 0
        # By resource: keys (parents' first) and fingerprints of the records under rechecked parents.
        self.rechecked: dict[str, list[tuple[tuple[str, ...], int]]] = {}

    async def read_lists(self) -> None:
        """Every list that the scope names has been read, and what hangs under it as far as it is wanted."""
        for resource in self.scope.catalogue:
            if resource.parent is None:
                self.open_walks(resource, ())
        await self.work_off()
        for parent, keys in self.gone.items():
            children = self.scope.catalogue.children_of(parent)
            refuse_many_gone(parent, len(keys), self.tally.walks_of(child.name for child in children))

    async def read_alone(self, doubtful: Collection[str]) -> bool:
        """Lists that go back in time, and shared ones of these names, have been read by one walker; whether any was."""
        walks = self.sharing.unproven(doubtful)
        for walk in walks:
            self.queue(OpenWalk(walk.walk, walk.resource, walk.path, walk.purpose, walk.round_number + 1))
        await self.work_off()
        return bool(walks)

    async def catch_up(self, since: Mapping[tuple[str, str], datetime]) -> None:
        """What changed while the lists were read has been read, too.

        A list that came as one page was read at one moment and needs none.

        Args:
            since: by resource and company, from which change time on.
        """
        for number in range(1, _CATCH_UPS + 1):
            self.fresh_count = 0
            for walk in tuple(self.long_walks.values()):
                moment = since.get((walk.resource.name, walk.walk.context[0][1]))
                if moment is not None:
                    params = with_lower_bound(walk.walk.params, moment)
                    self.queue(
                        OpenWalk(replace(walk.walk, params=params), walk.resource, walk.path, "catch_up", number)
                    )
            await self.work_off()
            if not self.fresh_count:
                return

    async def recheck(self, parents: Iterable[tuple[Resource, Context]]) -> None:
        """What hangs under some parents has been read again, though they have not changed.

        Args:
            parents: their resource, and their keys with their own as the last. Those read already are left out.
        """
        for resource, keys in parents:
            if (resource.name, keys[:-1], keys[-1][1]) not in self.known.opened:
                for child in self.scope.catalogue.children_of(resource.name):
                    self.open_walks(child, keys, purpose="recheck")
        await self.work_off()

    async def look_up(self, records: Sequence[tuple[Resource, Context, str]]) -> list[int | None]:
        """The fingerprint of each record as it is now, None where the source does not know it any more.

        What is found is handed on like any other record.

        Args:
            records: resource, parents' keys, own key.
        """
        return await self.singles.find_all(records)

    def done(self) -> Extracted:
        """The proof; everything has been handed on."""
        return Extracted(self.tally.done(), self.limit, self.page_length)

    # ---- walks ----------------------------------------------------------------------------------------------------

    async def work_off(self) -> None:
        await self.frontier.work_off(self.read_page, workers=self.scope.concurrency, divide=self.sharing.divided)
        await self.gathered.hand_on_all()

    def open_walks(
        self,
        resource: Resource,
        context: Context,
        *,
        purpose: Purpose = "main",
        round_number: int = 0,
        turn: int = 0,
    ) -> None:
        """Queue one walk for each of the resource's parameter sets under one parent.

        Under a walk that began anew it asks in another `turn`: the first answer may be older than the parent.
        """
        path = filled_path(resource.path, self.scope.version, context)
        switched = tuple((name, "true") for name, wanted in resource.switches if wanted in self.scope.switches)
        for params in resource.requests:
            walk = Walk(resource.name, context, (*params, *switched, *self.lower_bound_of(resource, context)))
            opened = OpenWalk(walk, resource, path, purpose, round_number, turn=turn)
            if purpose == "main" and len(context) == 1:
                opened.expected = self.scope.expected(resource, context)
            if purpose == "main" and self.is_incremental_list(resource):
                self.sharing.share(opened)
            self.queue(opened)

    def lower_bound_of(self, resource: Resource, context: Context) -> Params:
        """The filter of an incremental list, nothing for one that is read in full."""
        since = self.scope.reading(resource.name).since
        company = context[0][1] if context else ""
        moment = since.get(company, since.get(ANY_COMPANY))
        return () if moment is None else ((LOWER_BOUND, lower_bound(moment)),)

    def queue(self, walk: OpenWalk) -> None:
        has_children = bool(self.scope.catalogue.children_of(walk.resource.name))
        pages_left = walk.pages_left(self.page_length or self.limit)
        self.frontier.put(walk, has_children=has_children, pages_left=pages_left)

    # ---- one page -------------------------------------------------------------------------------------------------

    async def read_page(self, walk: OpenWalk) -> None:
        resource = walk.resource
        cursor_in = walk.cursor
        try:
            response = await self.ask(walk)
        except (RequestRefused, NotThere) as refused:
            # A list that answers 404 is never an empty one, but its parent may have ended since it was listed.
            if walk.cursor is None and isinstance(refused, NotThere) and await self.singles.is_parent_gone(walk):
                self.sharing.forget(walk)
            elif walk.cursor is None and walk.is_further:
                self.go_on(self.sharing.refused_bound(walk))
            else:
                raise
            return
        try:
            envelope = split_envelope(response.body, accepts_any=resource.accepts_any_envelope)
            if len(envelope.records) > max(_MOST_RECORDS, 10 * walk.limit):
                raise SecurityStop(
                    f"a page holds {len(envelope.records):,} records, though {walk.limit:,} were asked for"
                )
            marks = fingerprints(envelope.records) if self.is_incremental_list(resource) else None
            keys = self.begin_children(walk, envelope, marks)
            goes_on = walk.progress.advance(envelope.next_cursor, keys)
        except PipelineError as error:
            raise error.filled_in(where=label_of(walk)) from None
        walk.pages += 1
        if goes_on:
            self.page_length = max(self.page_length, len(envelope.records))
        cursor_in = cursor_in if walk.pages > 1 else None
        page = proven_page(walk, envelope, response, cursor_in=cursor_in, ordinals=self.ordinals, marks=marks)
        walk.cursor = envelope.next_cursor
        self.go_on(self.sharing.after(walk, envelope.records, keys, goes_on=goes_on))
        self.observe(PageRead(resource.name, len(envelope.records)))
        await self.gathered.add(resource, page, len(response.body))

    def go_on(self, steps: Iterable[tuple[OpenWalk, Step]]) -> None:
        """Each walk waits for its next page, or has ended."""
        for walk, step in steps:
            if step == "goes_on":
                self.queue(walk)
            else:
                self.end(walk)

    async def ask(self, walk: OpenWalk) -> Response:
        """The next page's answer; a refused page size is lowered for all walks to come, at the cost of a call.

        A walk keeps the page size of its first page: its cursors may be bound to it.
        """
        while True:
            walk.limit = walk.limit if walk.cursor is not None else self.limit
            cursor = (("cursor", walk.cursor),) if walk.cursor is not None else ()
            # Filters are sent again with every cursor: whether a cursor remembers them is not documented.
            params = (*walk.walk.params, ("limit", str(walk.limit)), *cursor)
            name, asked = walk.resource.name, (walk.purpose, walk.round_number, turn_of(walk))
            try:
                return await self.send(Request(walk.path, params, name, label_of(walk), *asked))
            except (RequestRefused, NotThere) as refused:
                if walk.cursor is not None:
                    begin_anew(walk, refused)
                    self.sharing.begun_anew(walk)
                    continue
                # A refused cursor, or bound of ours, is no sign of a refused page size: such a walk keeps its own.
                is_first = not walk.restarts and not walk.is_further
                may_lower = self.scope.page_limit is None and is_first and isinstance(refused, RequestRefused)
                smaller = next_limit(walk.limit) if may_lower else None
                if smaller is None:
                    raise
                self.limit = min(self.limit, smaller)

    async def read_below(self, records: Iterable[tuple[Resource, Context, str]]) -> None:
        """What hangs under some records has been read: they were found by look-ups, not in a list."""
        for resource, context, key in records:
            for child in self.scope.catalogue.children_of(resource.name):
                self.open_walks(child, (*context, (child.context_names[-1], key)), purpose="lookup")
        await self.work_off()

    def end(self, walk: OpenWalk) -> None:
        """Note that a walk has come to its end."""
        self.tally.ended(walk)
        walk.progress.forget_seen()
        is_list = walk.purpose == "main" and not walk.is_further and self.is_incremental_list(walk.resource)
        if is_list and walk.progress.pages > 1:
            self.long_walks[walk.resource.name, walk.walk.context, walk.walk.params] = walk
        if walk.resource.parent is None and (missing := set(self.scope.companies or ()) - self.companies):
            raise ConfigError(
                f"the token sees no company {', '.join(sorted(missing))}; it sees {', '.join(sorted(self.companies))}",
                where="site.companies",
            )

    # ---- children -------------------------------------------------------------------------------------------------

    def begin_children(self, walk: OpenWalk, envelope: Envelope, marks: array[int] | None) -> tuple[str | None, ...]:
        """Open the walks under each record of a page that asks for it; the page's keys.

        `marks` are the records' fingerprints if the resource is an incremental list.
        """
        resource, context = walk.resource, walk.walk.context
        children = [
            child
            for child in self.scope.catalogue.children_of(resource.name)
            if self.scope.reading(child.name).mode != "kept"
        ]
        flags = tuple(dict.fromkeys(child.only_when for child in children if child.only_when))
        parents = parent_keys(envelope.records, resource, flags)
        keys = tuple(parent.key if parent else None for parent in parents)
        # Walkers of a shared list come to its end early, and to what their neighbours began with late.
        is_pinned = walk.shared is not None and (envelope.next_cursor is None or (walk.is_further and not walk.pages))
        if resource.parent is None:
            self.companies.update(key for key in keys if key is not None)
            parents = tuple(parent for parent in parents if parent and self.is_wanted(parent.key))
        elif marks is not None and not children and walk.purpose == "main":
            self.known.note(resource, context, keys, marks, is_pinned=is_pinned)  # nothing hangs on what is fresh yet
        elif marks is not None:
            fresh = self.known.are_fresh(resource, context, keys, marks, is_pinned=is_pinned)
            self.fresh_count += sum(fresh)
            parents = tuple(parent for parent, is_fresh in zip(parents, fresh, strict=True) if is_fresh)
        elif walk.purpose == "recheck":
            above = tuple(key for _, key in context)
            found = zip(keys, envelope.records, strict=True)
            read = [((*above, key), fingerprint(record)) for key, record in found if key is not None]
            self.rechecked.setdefault(resource.name, []).extend(read)
        turn = walk.turn + walk.restarts
        for child in children:
            position = flags.index(child.only_when) if child.only_when else None
            for parent in parents:
                if parent is not None and has_children(parent, position):
                    below = (*context, (child.context_names[-1], parent.key))
                    self.open_walks(child, below, purpose=walk.purpose, round_number=walk.round_number, turn=turn)
        return keys

    def is_incremental_list(self, resource: Resource) -> bool:
        """Whether a resource is a company's list that can be asked for what changed: what hangs under it follows it."""
        return resource.name in self.incremental_lists

    def is_wanted(self, company: str) -> bool:
        return self.scope.companies is None or company in self.scope.companies
