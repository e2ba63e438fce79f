"""Single records, looked up by their keys: what lists do not show any more, and parents that may have ended."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence

from pipeline.decode import fingerprint, parent_keys, split_envelope
from pipeline.errors import NotThere, PipelineError, SourceContractBroken
from pipeline.extract.frontier import OpenWalk, worst
from pipeline.extract.gathered import Gathered
from pipeline.extract.scope import Scope
from pipeline.extract.steps import filled_path, proven_page
from pipeline.extract.tally import Tally
from pipeline.model import Context, Request, Send, Walk
from pipeline.resources import Resource


class Singles:
    """The look-ups of one extraction; what is found is handed on like any other record. Lives in one event loop.

    `gone` gives, by resource, the keys (parents' first) of records that had ended when what hangs under them was to be
    read.
    """

    def __init__(self, scope: Scope, send: Send, gathered: Gathered, ordinals: Counter[str], tally: Tally) -> None:
        self.scope = scope
        self.send = send
        self.gathered = gathered
        self.ordinals = ordinals
        self.tally = tally
        self.gone: dict[str, set[tuple[str, ...]]] = {}

    async def find_all(self, records: Sequence[tuple[Resource, Context, str]]) -> list[int | None]:
        """The fingerprint of each record as it is now, None where the source does not know it any more.

        Args:
            records: resource, parents' keys, own key.
        """
        found: list[int | None] = [None] * len(records)
        waiting = deque(enumerate(records))

        async def work() -> None:
            while waiting:
                place, (resource, context, key) = waiting.popleft()
                found[place] = await self.find(resource, context, key)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.scope.concurrency, len(records))):
                    group.create_task(work())
        except BaseExceptionGroup as failures:
            raise worst(failures) from None
        await self.gathered.hand_on_all()
        return found

    async def find(self, resource: Resource, context: Context, key: str) -> int | None:
        """The fingerprint of one record as it is now, which is handed on; None if the source does not know it."""
        label = f"look up · {resource.name}"
        path = filled_path(resource.path + "/{own}", self.scope.version, (*context, ("own", key)))
        try:
            response = await self.send(Request(path, (), resource.name, label, "lookup"))
            envelope = split_envelope(response.body, accepts_any=True)
        except NotThere:
            return None
        except PipelineError as error:
            raise error.filled_in(where=label) from None
        (found,) = parent_keys(envelope.records, resource) if len(envelope.records) == 1 else (None,)
        if found is None or found.key != key:
            raise SourceContractBroken("a look-up of one record answered with another one, or several", where=label)
        walk = OpenWalk(Walk(resource.name, context), resource, path, "lookup", pages=1)
        page = proven_page(walk, envelope, response, cursor_in=None, ordinals=self.ordinals, marks=None)
        await self.gathered.add(resource, page, len(response.body))
        self.tally.looked_up(resource.name)
        return fingerprint(envelope.records[0])

    async def is_parent_gone(self, walk: OpenWalk) -> bool:
        """Whether the record that a walk hangs under has ended; then it is noted, and the walk proves nothing."""
        parent = walk.resource.parent
        if parent is None or not self.scope.catalogue[parent].has_single:
            return False
        *above, (_, key) = walk.walk.context
        if await self.find(self.scope.catalogue[parent], tuple(above), key) is not None:
            return False
        self.gone.setdefault(parent, set()).add(tuple(value for _, value in walk.walk.context))
        return True
