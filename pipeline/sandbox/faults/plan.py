"""Values of a fault plan, and what a scenario is told and may answer. Nothing here breaks anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TypeVar

from pipeline.sandbox.model import Answer, Reply, Request, Script

Value = int | float | str | None
_T = TypeVar("_T", int, float, str)


class UnknownFault(ValueError):
    """A fault was asked for that does not exist, or in a way it does not take."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which requests a fault hits: all conditions that are set must hold. For connections only the last three count.

    Args:
        path: prefix of the path; empty is any.
        resource: name in the catalogue; empty is any.
        page: the page of its walk, from 1; 0 is any.
        attempts: only the first so many times that the very same thing is asked; 0 is always.
        nth: only the nth request or connection that fits so far, from 1; 0 is all.
        share: hit this part of what fits, drawn by the seed.
        times: stop after so many hits; 0 is never.
    """

    path: str = ""
    resource: str = ""
    page: int = 0
    attempts: int = 0
    nth: int = 0
    share: float = 1.0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """The numbers and words of one fault, by name. None means: drawn by the seed."""

    pairs: tuple[tuple[str, Value], ...] = ()

    def whole(self, name: str) -> int:
        """An option that is a whole number."""
        return self._get(name, int)

    def number(self, name: str) -> float:
        """An option that is a number."""
        return self._get(name, float)

    def text(self, name: str) -> str:
        """An option that is a word."""
        return self._get(name, str)

    def is_drawn(self, name: str) -> bool:
        """Whether the seed decides."""
        return dict(self.pairs)[name] is None

    def _get(self, name: str, kind: type[_T]) -> _T:
        found = dict(self.pairs)[name]
        assert isinstance(found, kind), name
        return found


@dataclass(frozen=True, slots=True)
class Fault:
    """One scenario, what it is told, and whom it hits."""

    scenario: str
    options: Options = Options()
    where: Where = Where()


@dataclass(frozen=True, slots=True)
class Plan:
    """Faults in the order they are tried: the first that fits is the one that happens."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One request about to be broken.

    Args:
        request: as it came.
        reply: what would be answered without the fault.
        page: of its walk, from 1; 0 when it is not known, or not a list.
        hit: how often this fault happened, this time included.
        options: of the fault.
        draw: gives the same numbers for the same seed, request and attempt.
        seed: of the plan, for what must stay the same over many requests.
        error_shape: the form of errors.
        ask: the sound answer to another request.
    """

    request: Request
    reply: Reply
    page: int
    hit: int
    options: Options
    draw: Random = field(repr=False)
    seed: int
    error_shape: str
    ask: Callable[[Request], Answer] = field(repr=False)


class Certificate(Enum):
    """A certificate that no client may accept."""

    WRONG_NAME = "wrong-name"
    EXPIRED = "expired"
    SELF_SIGNED = "self-signed"


@dataclass(frozen=True, slots=True)
class Option:
    """What a scenario can be told, within its bounds; None leaves it to the seed, where that is allowed."""

    name: str
    kind: type[int | float | str]
    default: Value
    meaning: str
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 1e15
    may_be_drawn: bool = False


BreakRequest = Callable[[Case], Answer | None]
BreakConnection = Callable[[Options, Random], Script | Certificate]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to fail.

    Args:
        name: as it is asked for.
        description: one line.
        on_request: the broken answer; None when the fault cannot happen to this request.
        on_connection: what happens instead of sound TLS, for faults of connections.
        options: what it can be told.
        where: whom it hits unless told otherwise.
        stays: once it happened, it happens to every later request with the same token.
    """

    name: str
    description: str
    on_request: BreakRequest | None = None
    on_connection: BreakConnection | None = None
    options: tuple[Option, ...] = ()
    where: Where = Where()
    stays: bool = False
