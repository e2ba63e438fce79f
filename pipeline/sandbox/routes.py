"""Which resource a path means and what its query asks for: derived from the catalogue, nothing spelled out here.

Pure. Not here: rows, tokens, bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final

from pipeline.resources import Catalogue, Resource

VERSION: Final = "beta"
DEFAULT_LIMIT: Final = 10
LIMIT_MAX: Final = (1 << 31) - 1
# Parameters that are flags, with what holds when they are left out; their names are read without regard to case.
FLAGS: Final[Mapping[str, bool]] = {
    "includeinactive": False,
    "active": True,
    "includepersonal": False,
    "includeomitted": False,
}
INSTANTS: Final = frozenset({"minupdateddate", "finaliseddate"})
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


class Refused(Exception):
    """A request that gets one of the documented errors."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Route:
    """What a path means: a list under some parents, or one record of it. `ancestors` are resources, outermost first."""

    resource: Resource
    ancestors: tuple[str, ...]
    context: tuple[str, ...]
    key: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query asks for: every filter of the resource by its lower-case name, defaults filled in."""

    wanted: tuple[tuple[str, str | bool | int], ...]
    limit: int
    cursor: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A path's segments, None where a key stands; `fixed` picks the others out of a path, which must be `wanted`."""

    parts: tuple[str | None, ...]
    fixed: Callable[[tuple[str, ...]], object]
    wanted: object
    resource: Resource
    ancestors: tuple[str, ...]
    is_single: bool


@dataclass(frozen=True, slots=True)
class Routes:
    """All paths, by number of segments."""

    by_length: Mapping[int, tuple[_Pattern, ...]]

    def find(self, segments: tuple[str, ...]) -> Route:
        """The meaning of a path's segments.

        Raises:
            Refused: 404, there is no such path.
        """
        for pattern in self.by_length.get(len(segments), ()):
            if pattern.fixed(segments) == pattern.wanted:
                keys = tuple(s for part, s in zip(pattern.parts, segments, strict=True) if part is None)
                context, key = (keys[:-1], keys[-1]) if pattern.is_single else (keys, None)
                return Route(pattern.resource, pattern.ancestors, context, key)
        raise Refused(404)


def make_routes(catalogue: Catalogue) -> Routes:
    """The lists of the catalogue, and the single records it says exist."""
    by_length: dict[int, list[_Pattern]] = {}
    ancestors: dict[str, tuple[str, ...]] = {}
    for resource in catalogue:
        above = (*ancestors[resource.parent], resource.parent) if resource.parent else ()
        ancestors[resource.name] = above
        segments = resource.path.strip("/").split("/")
        parts = tuple(VERSION if s == "{version}" else None if s.startswith("{") else s for s in segments)
        fixed = itemgetter(*(place for place, part in enumerate(parts) if part is not None))
        wanted = fixed(parts)
        by_length.setdefault(len(parts), []).append(_Pattern(parts, fixed, wanted, resource, above, is_single=False))
        if resource.has_single:
            single = _Pattern((*parts, None), fixed, wanted, resource, above, is_single=True)
            by_length.setdefault(len(parts) + 1, []).append(single)
    return Routes({length: tuple(found) for length, found in by_length.items()})


def read_query(
    resource: Resource, query: tuple[tuple[str, str], ...], page_cap: int, *, refuses_more: bool = False
) -> Asked:
    """The filters, limit and cursor of a list request; a limit above the cap is the cap, unless that is refused.

    Raises:
        Refused: 400, a parameter the list does not take, one given twice, or a value that does not fit it.
    """
    filters = {name.lower(): name for name in resource.filters}
    wanted: dict[str, str | bool | int] = {name: FLAGS[name] for name in filters if name in FLAGS}
    limit, cursor = min(DEFAULT_LIMIT, page_cap), ""
    given: set[str] = set()
    for name, value in query:
        folded = name.lower()
        if folded in given:
            raise Refused(400, f"{name[:60]} is not allowed.")
        given.add(folded)
        if folded == "cursor":
            cursor = value
        elif folded == "limit":
            limit = _limit(value, page_cap if refuses_more else LIMIT_MAX)
        elif folded in filters:
            wanted[folded] = _value(resource, folded, value)
        else:
            raise Refused(400, f"{name[:60]} is not allowed.")
    return Asked(tuple(sorted(wanted.items())), min(limit, page_cap), cursor)


def _limit(text: str, greatest: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Refused(400, "Invalid number format - limit must be a whole number")
    if int(text) < 1:
        raise Refused(400, "Invalid number format - limit must be at least 1")
    if int(text) > greatest:
        raise Refused(400, f"Invalid number format - limit must be at most {greatest}")
    return int(text)


def _value(resource: Resource, name: str, text: str) -> str | bool | int:
    if name in FLAGS:
        if text.lower() not in ("true", "false"):
            raise Refused(400)
        return text.lower() == "true"
    if name in INSTANTS:
        return _second(text)
    if name == "status" and text not in resource.column("status").values:
        raise Refused(400)
    return text


def _second(text: str) -> int:
    """The first whole UTC second not before an ISO 8601 date or instant."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400) from None
    if _DAY.match(text) or moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    if not 1970 <= whole.year <= 2037:
        # Outside what the books can hold the nearest end asks the same question.
        return 0 if whole.year < 1970 else (1 << 31) - 1
    return int(whole.timestamp()) + (moment.microsecond > 0)
