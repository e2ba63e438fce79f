"""Pages that have come, until there are enough of one resource to be worth handing on."""

from __future__ import annotations

from collections import Counter

from pipeline.extract.scope import Deliver
from pipeline.model import Page
from pipeline.resources import Catalogue, Resource

# Pages are handed on when this much raw JSON, or this many pages, have gathered.
_BLOCK_BYTES = 8 * 1024 * 1024
_BLOCK_PAGES = 4096


class Gathered:
    """The pages of one extraction that nobody has taken yet. Lives in one event loop."""

    def __init__(self, catalogue: Catalogue, deliver: Deliver) -> None:
        self.catalogue = catalogue
        self.deliver = deliver
        self._pages: dict[str, list[Page]] = {name: [] for name in catalogue.names}
        self._bytes: Counter[str] = Counter()

    async def add(self, resource: Resource, page: Page, body_bytes: int) -> None:
        """A page has come; whoever brought it waits while what has gathered is handed on."""
        self._pages[resource.name].append(page)
        self._bytes[resource.name] += body_bytes
        if self._bytes[resource.name] >= _BLOCK_BYTES or len(self._pages[resource.name]) >= _BLOCK_PAGES:
            await self._hand_on(resource)

    async def hand_on_all(self) -> None:
        """Nothing waits any more."""
        for resource in self.catalogue:
            await self._hand_on(resource)

    async def _hand_on(self, resource: Resource) -> None:
        pages, self._pages[resource.name] = self._pages[resource.name], []
        self._bytes[resource.name] = 0
        if pages:
            await self.deliver(resource, pages)
