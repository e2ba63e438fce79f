"""Chooses which requests and connections of a running sandbox are broken, and remembers what that needs.

What is chosen depends on the seed, the request and how often it was asked, not on the order in which different requests
arrive; only `nth` and `times` count arrivals. Memory is bounded: the longest unseen are forgotten.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from random import Random
from typing import Final, TypeVar

from pipeline.sandbox.faults.paging import next_cursor, without_cursor
from pipeline.sandbox.faults.plan import Case, Certificate, Fault, Plan, Where
from pipeline.sandbox.faults.scenarios import SCENARIOS
from pipeline.sandbox.model import Answer, Reply, Request, Script

REMEMBERED: Final = 100_000
_K = TypeVar("_K")
Ask = Callable[[Request], Answer]


class Injector:
    """One plan at work. An empty plan breaks nothing.

    Args:
        plan: what to break.
        error_shape: in which form errors are told, a variant of the sandbox.
        remembered: how many requests, cursors and tokens it remembers, each.
    """

    def __init__(self, plan: Plan, *, error_shape: str = "object", remembered: int = REMEMBERED) -> None:
        self.plan = plan
        self._error_shape = error_shape
        self._remembered = remembered
        self._of_requests = [(i, f) for i, f in enumerate(plan.faults) if SCENARIOS[f.scenario].on_request]
        self._of_connections = [(i, f) for i, f in enumerate(plan.faults) if SCENARIOS[f.scenario].on_connection]
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._pages: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._stays: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._fits: Counter[int] = Counter()
        self._hits: Counter[int] = Counter()
        self._connections = 0

    def respond(self, request: Request, sound: Answer, resource: str, ask: Ask) -> tuple[Answer, str]:
        """The answer, broken or not, and the name of the scenario that broke it.

        Args:
            request: as it came.
            sound: what would be answered.
            resource: of the catalogue that the path means, or empty.
            ask: gives the sound answer to any other request.
        """
        if not self._of_requests or not isinstance(sound, Reply):
            return sound, ""
        asked = f"{request.method} {request.target}"
        attempt = self._attempts.get(asked, 0) + 1
        self._remember(self._attempts, asked, attempt)
        page = self._page_of(request, sound)
        for index, fault in self._of_requests:
            given = self._broken(index, fault, request, sound, (resource, page, attempt), ask)
            if given is not None:
                self._note_cursor(request, given, page)
                return given, fault.scenario
        self._note_cursor(request, sound, page)
        return sound, ""

    def connect(self) -> tuple[Script | Certificate | None, str]:
        """What happens to the next connection instead of sound TLS, and the scenario's name; usually neither."""
        self._connections += 1
        for index, fault in self._of_connections:
            on_connection = SCENARIOS[fault.scenario].on_connection
            draw = self._draw(index, "connection", self._connections)
            if on_connection is not None and self._falls(index, fault.where, draw):
                self._hits[index] += 1
                return on_connection(fault.options, draw), fault.scenario
        return None, ""

    def _broken(
        self, index: int, fault: Fault, request: Request, sound: Reply, facts: tuple[str, int, int], ask: Ask
    ) -> Answer | None:
        resource, page, attempt = facts
        scenario, where = SCENARIOS[fault.scenario], fault.where
        draw = self._draw(index, f"{request.method} {request.target}", attempt)
        token = (index, hashlib.sha256(request.headers.get("authorization", "").encode()).hexdigest())
        fits = (
            request.path.startswith(where.path)
            and where.resource in ("", resource)
            and where.page in (0, page)
            and (not where.attempts or attempt <= where.attempts)
        )
        if token not in self._stays and not (fits and self._falls(index, where, draw)):
            return None
        assert scenario.on_request is not None
        hit = self._hits[index] + 1
        given = scenario.on_request(
            Case(request, sound, page, hit, fault.options, draw, self.plan.seed, self._error_shape, ask)
        )
        if given is not None:
            self._hits[index] = hit
            if scenario.stays:
                self._remember(self._stays, token, hit)
        return given

    def _falls(self, index: int, where: Where, draw: Random) -> bool:
        """Whether one that fits is among those to hit."""
        is_drawn = draw.random() < where.share
        if where.times and self._hits[index] >= where.times:
            return False
        self._fits[index] += 1
        return is_drawn and where.nth in (0, self._fits[index])

    def _draw(self, index: int, what: str, attempt: int) -> Random:
        text = f"{self.plan.seed}|{index}|{what}|{attempt}"
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        return Random(int.from_bytes(digest))  # noqa: S311 - must repeat by its seed, guards nothing

    def _page_of(self, request: Request, sound: Reply) -> int:
        """Which page of its walk this is: 1 without a cursor, else one more than the page that gave the cursor."""
        cursor = _cursor_of(request)
        if not cursor:
            return 1 if b'"page":' in sound.body[:16] else 0
        return self._pages.get((without_cursor(request).target, cursor), 0)

    def _note_cursor(self, request: Request, given: Answer, page: int) -> None:
        """Remember on which page a cursor was first given out; late answers count too."""
        if not page:
            return
        for reply in (given, *given.steps) if isinstance(given, Script) else (given,):
            cursor = next_cursor(reply)
            if cursor is not None:
                key = (without_cursor(request).target, cursor)
                self._remember(self._pages, key, self._pages.get(key, page + 1))

    def _remember(self, known: OrderedDict[_K, int], key: _K, value: int) -> None:
        known[key] = value
        known.move_to_end(key)
        if len(known) > self._remembered:
            known.popitem(last=False)


def _cursor_of(request: Request) -> str:
    return next((value for name, value in request.query if name.lower() == "cursor"), "")
