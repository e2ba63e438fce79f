"""What the sandbox answers: a function of a request and a state, pure but for the count of calls that a quota keeps.

No clock, no socket, no file. Errors carry the vendor's documented texts; where a text is not documented, one in the
same manner.

Source: "Pagination", "Errors" and "Authentication" pages of the API reference; see the notes on each resource there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pipeline.sandbox.clock.merge import Listed, next_records
from pipeline.sandbox.clock.overlay import Overlay
from pipeline.sandbox.cursors import INVALID_CURSOR, Lifetime, Position, read_cursor, write_cursor
from pipeline.sandbox.data.books import Books
from pipeline.sandbox.data.draw import Ints
from pipeline.sandbox.data.table import Table
from pipeline.sandbox.data.text import json_text
from pipeline.sandbox.model import Answer, Reply, Request, Served
from pipeline.sandbox.quota import Quota
from pipeline.sandbox.routes import Asked, Refused, Route, Routes, read_query
from pipeline.sandbox.tokens import Gate
from pipeline.sandbox.variants import Variants

# status: (name, text when nothing more particular is said); 403 and on are not documented beyond their names, and of
# 429 only that there will be limits
ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BAD_REQUEST", "Invalid request body. Please check the schema and try again."),
    401: ("UNAUTHORIZED", "Authentication failed. Please check your credentials and try again."),
    403: ("ACCESS_FORBIDDEN", "You do not have permission to access this resource."),
    404: ("RESOURCE_NOT_FOUND", "The requested resource was not found."),
    405: ("METHOD_NOT_ALLOWED", "The method is not allowed for this resource."),
    409: ("RESOURCE_CONFLICT", "The request conflicts with the current state of the resource."),
    429: ("TOO_MANY_REQUESTS", "The limit of requests is reached. Please try again later."),
    500: ("INTERNAL_SERVER_ERROR", "An unexpected error occurred. Please try again later."),
    503: ("SERVICE_UNAVAILABLE", "The service is temporarily unavailable. Please try again later."),
}
_ENDS: Final[Mapping[str, bytes]] = {
    "null": b'],"nextCursor":null}',
    "missing": b"]}",
    "empty": b'],"nextCursor":""}',
}
_PAST_ALL_ROWS: Final = (1 << 63) - 1
InjectedAt = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Forced:
    """An answer given to every request whose path starts with `prefix`, token or not."""

    prefix: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class State:
    """All that answers depend on besides the request.

    `injected` holds extra records, as raw JSON, that stand at the end of a list under every filter, by resource and
    parents' keys. `parents` are keys among them: their children's lists exist. `documents` are served by their target
    to anyone, without a token. `overlay` holds what has changed in the books since they were made.
    """

    books: Books
    routes: Routes
    gate: Gate
    cursor_key: bytes = field(repr=False)
    page_cap: int
    forced: tuple[Forced, ...] = ()
    injected: Mapping[InjectedAt, tuple[bytes, ...]] = field(default_factory=dict)
    parents: Mapping[InjectedAt, Mapping[str, bytes]] = field(default_factory=dict)
    variants: Variants = field(default_factory=Variants)
    lifetime: Lifetime = field(default_factory=Lifetime)
    quota: Quota | None = None
    documents: Mapping[str, Reply] = field(default_factory=dict)
    overlay: Overlay = field(default_factory=Overlay)


def answer(request: Request, state: State) -> Answer:
    """The answer to any request: forced ones first, then whoever has a good token is served."""
    for forced in state.forced:
        if request.path.startswith(forced.prefix):
            return forced.answer
    shape = state.variants.error_body
    document = state.documents.get(request.target)
    if document is not None:
        return document if request.method == "GET" else error(405, shape=shape)
    if not state.gate.admits(request.headers.get("authorization"), request.received_at):
        return error(401, shape=shape)
    wait_s = state.quota.spend(request.received_at) if state.quota is not None else 0
    if wait_s:
        return error(429, shape=shape, retry_after_s=wait_s)
    try:
        route = state.routes.find(request.segments)
        if request.method != "GET":
            return error(405, shape=shape)
        if route.key is not None:
            return _single(route, route.key, request, state)
        refuses_more = state.variants.over_cap == "refuse"
        asked = read_query(route.resource, request.query, state.page_cap, refuses_more=refuses_more)
        if route.resource.accepts_any_envelope and state.variants.company != "page":
            return _whole(route, asked, state)
        return _page(route, asked, state, int(request.received_at.timestamp()))
    except Refused as refused:
        return error(refused.status, refused.message, shape=shape)


def error(status: int, message: str | None = None, *, shape: str = "object", retry_after_s: int | None = None) -> Reply:
    """One of the eight documented errors, or another status in their form; `shape` is the variant `error_body`."""
    code, text = ERRORS.get(status, (f"STATUS_{status}", f"Status {status}."))
    body: object = {"code": code, "message": message or text}
    kind = "application/json"
    if shape == "array":
        body = {"errors": [body]}
    elif shape == "problem":
        kind, body = "application/problem+json", {"title": code, "status": status, "detail": message or text}
    elif shape == "text":
        kind = "text/plain; charset=utf-8"
    headers = [("Content-Type", kind)]
    if status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    if status == 405:
        headers.append(("Allow", "GET"))
    if retry_after_s is not None:
        headers.append(("Retry-After", str(retry_after_s)))
    return Reply(status, ((message or text) if shape == "text" else json_text(body)).encode(), tuple(headers))


def _parent_row(state: State, route: Route) -> int | None:
    """The group of a list's rows in its table; None when its parent has no row there.

    Raises:
        Refused: 404, a parent does not exist.
    """
    group: int | None = 0
    for depth, (resource, key) in enumerate(zip(route.ancestors, route.context, strict=True)):
        found = state.books.tables[resource].find(group, key) if group is not None else None
        held = state.overlay.holds(resource, route.context[:depth], key)
        is_there = found is not None if held is None else held
        if not is_there and key not in state.parents.get((resource, route.context[:depth]), {}):
            raise Refused(404)
        group = found
    return group


def _single(route: Route, key: str, request: Request, state: State) -> Reply:
    if request.query:
        raise Refused(400, f"{request.query[0][0][:60]} is not allowed.")
    group = _parent_row(state, route)
    name, table = route.resource.name, state.books.tables[route.resource.name]
    layer = state.overlay.layer(name, route.context)
    version = layer.by_key.get(key) if layer is not None else None
    if version is not None:
        return Reply(200, version.raw, served=Served(name, route.context, range(version.row, version.row + 1)))
    was_deleted = layer is not None and key in layer.by_key
    row = table.find(group, key) if group is not None and not was_deleted else None
    if row is not None:
        return Reply(200, table.one(row, state.books.shelf), served=Served(name, route.context, range(row, row + 1)))
    extra = state.parents.get((name, route.context), {}).get(key)
    if extra is None:
        raise Refused(404)
    return Reply(200, extra)


def _page(route: Route, asked: Asked, state: State, now_s: int) -> Reply:
    group = _parent_row(state, route)
    name, table = route.resource.name, state.books.tables[route.resource.name]
    binding = repr((name, route.context, asked.wanted)).encode()
    begin = _begin(asked.cursor, binding, state, now_s) if asked.cursor else Position()
    listed = _listed(route, table, group, asked, begin.after, state)
    extra = state.injected.get((name, route.context), ())
    first = begin.skipped
    stop = min(len(extra), first + asked.limit - len(listed.rows)) if not listed.more else first
    parts: list[bytes | memoryview] = [b'{"page":[', *listed.pieces]
    for record in extra[first:stop]:
        parts += (b",", record) if len(parts) > 1 else (record,)
    if listed.more or stop < len(extra):
        place = (listed.last_key, 0) if listed.more else (_PAST_ALL_ROWS, stop)
        position = Position(*place, *state.lifetime.stamp(begin.page + 1, now_s))
        parts += (b'],"nextCursor":"', write_cursor(position, binding, state.cursor_key), b'"}')
    else:
        parts.append(_ENDS[state.variants.end_marker])
    return Reply(200, b"".join(parts), served=Served(name, route.context, listed.rows, range(first, stop)))


def _listed(route: Route, table: Table, group: int | None, asked: Asked, after: int, state: State) -> Listed:
    """The next records of a list: out of its table, or merged with what has changed."""
    layer = state.overlay.layer(table.name, route.context)
    if layer is not None:
        return next_records(state.books, table, layer, asked.wanted, after=after, limit=asked.limit)
    if group is None:
        return Listed([], -1, more=False, rows=())
    rows, more = _next_rows(table, group, asked, after, state)
    held = range(rows.start, rows.stop) if isinstance(rows, slice) else tuple(rows.tolist())
    last_key = int(table.keys[held[-1]]) if held else -1
    return Listed([*table.pieces(rows, state.books.shelf)], last_key, more, held)


def _begin(cursor: str, binding: bytes, state: State, now_s: int) -> Position:
    position = read_cursor(cursor, binding, state.cursor_key)
    state.lifetime.check(position, now_s)
    return position


def _whole(route: Route, asked: Asked, state: State) -> Reply:
    """A list that is not paged: all its records in an array, or the first one alone.

    Raises:
        Refused: 400, a cursor, as none was given out; 404, the first one of none.
    """
    if asked.cursor:
        raise Refused(400, INVALID_CURSOR)
    name, table = route.resource.name, state.books.tables[route.resource.name]
    rows = table.group(0)
    extra = state.injected.get((name, route.context), ())
    if state.variants.company == "array":
        records = [b"".join(table.pieces(rows, state.books.shelf)), *extra]
        body = b"[" + b",".join(record for record in records if record) + b"]"
        served = Served(name, route.context, range(rows.start, rows.stop), range(len(extra)))
        return Reply(200, body, served=served)
    if rows.stop == rows.start:
        raise Refused(404)
    first = range(rows.start, rows.start + 1)
    return Reply(200, table.one(rows.start, state.books.shelf), served=Served(name, route.context, first))


def _next_rows(table: Table, group: int, asked: Asked, after: int, state: State) -> tuple[slice | Ints, bool]:
    """Up to `limit` rows with a key beyond `after`, and whether more follow."""
    rows, keys = state.books.selection(table, group, asked.wanted)
    start = 0 if after < 0 else int(np.searchsorted(keys, after, side="right"))
    stop = min(start + asked.limit, len(keys))
    more = stop < len(keys)
    if isinstance(rows, slice):
        return slice(rows.start + start, rows.start + stop), more
    return rows[start:stop], more
