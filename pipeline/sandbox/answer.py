"""What the sandbox answers: a pure function of a request and a state. No clock, no socket, no file.

Errors carry the vendor's documented texts; where a text is not documented, one in the same manner.

Source: "Pagination", "Errors" and "Authentication" pages of the API reference; see the notes on each resource there.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pipeline.sandbox.data.books import Books
from pipeline.sandbox.data.draw import Ints
from pipeline.sandbox.data.table import Table
from pipeline.sandbox.data.text import json_text
from pipeline.sandbox.model import Answer, Reply, Request, Served
from pipeline.sandbox.routes import Asked, Refused, Route, Routes, read_query
from pipeline.sandbox.tokens import Gate

# status: (name, text when nothing more particular is said); 403 and on are not documented beyond their names
ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BAD_REQUEST", "Invalid request body. Please check the schema and try again."),
    401: ("UNAUTHORIZED", "Authentication failed. Please check your credentials and try again."),
    403: ("ACCESS_FORBIDDEN", "You do not have permission to access this resource."),
    404: ("RESOURCE_NOT_FOUND", "The requested resource was not found."),
    405: ("METHOD_NOT_ALLOWED", "The method is not allowed for this resource."),
    409: ("RESOURCE_CONFLICT", "The request conflicts with the current state of the resource."),
    500: ("INTERNAL_SERVER_ERROR", "An unexpected error occurred. Please try again later."),
    503: ("SERVICE_UNAVAILABLE", "The service is temporarily unavailable. Please try again later."),
}
_POSITION: Final = struct.Struct(">qI")
_MAC_BYTES: Final = 12
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
    parents' keys. `parents` are keys among them: their children's lists exist.
    """

    books: Books
    routes: Routes
    gate: Gate
    cursor_key: bytes = field(repr=False)
    page_cap: int
    forced: tuple[Forced, ...] = ()
    injected: Mapping[InjectedAt, tuple[bytes, ...]] = field(default_factory=dict)
    parents: Mapping[InjectedAt, Mapping[str, bytes]] = field(default_factory=dict)


def answer(request: Request, state: State) -> Answer:
    """The answer to any request: forced ones first, then whoever has a good token is served."""
    for forced in state.forced:
        if request.path.startswith(forced.prefix):
            return forced.answer
    if not state.gate.admits(request.headers.get("authorization"), request.received_at):
        return error(401)
    try:
        route = state.routes.find(request.segments)
        if request.method != "GET":
            return error(405)
        if route.key is not None:
            return _single(route, route.key, request, state)
        return _page(route, read_query(route.resource, request.query, state.page_cap), state)
    except Refused as refused:
        return error(refused.status, refused.message)


def error(status: int, message: str | None = None) -> Reply:
    """One of the eight documented errors, or another status in their form."""
    code, text = ERRORS.get(status, (f"STATUS_{status}", f"Status {status}."))
    headers = [("Content-Type", "application/json")]
    if status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    if status == 405:
        headers.append(("Allow", "GET"))
    return Reply(status, json_text({"code": code, "message": message or text}).encode(), tuple(headers))


def _parent_row(state: State, route: Route) -> int | None:
    """The group of a list's rows in its table; None when its parent was injected and has no rows.

    Raises:
        Refused: 404, a parent does not exist.
    """
    group: int | None = 0
    for depth, (resource, key) in enumerate(zip(route.ancestors, route.context, strict=True)):
        found = state.books.tables[resource].find(group, key) if group is not None else None
        if found is None and key not in state.parents.get((resource, route.context[:depth]), {}):
            raise Refused(404)
        group = found
    return group


def _single(route: Route, key: str, request: Request, state: State) -> Reply:
    if request.query:
        raise Refused(400, f"{request.query[0][0][:60]} is not allowed.")
    group = _parent_row(state, route)
    name, table = route.resource.name, state.books.tables[route.resource.name]
    row = table.find(group, key) if group is not None else None
    if row is not None:
        return Reply(200, table.one(row, state.books.shelf), served=Served(name, route.context, range(row, row + 1)))
    extra = state.parents.get((name, route.context), {}).get(key)
    if extra is None:
        raise Refused(404)
    return Reply(200, extra)


def _page(route: Route, asked: Asked, state: State) -> Reply:
    group = _parent_row(state, route)
    name, table = route.resource.name, state.books.tables[route.resource.name]
    binding = repr((name, route.context, asked.wanted)).encode()
    after, skipped = _read_cursor(asked.cursor, binding, state.cursor_key) if asked.cursor else (-1, 0)
    rows, more = _next_rows(table, group, asked, after, state) if group is not None else (slice(0, 0), False)
    count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
    extra = state.injected.get((name, route.context), ())
    first = skipped
    stop = min(len(extra), first + asked.limit - count) if not more else first
    parts: list[bytes | memoryview] = [b'{"page":[', *table.pieces(rows, state.books.shelf)]
    for record in extra[first:stop]:
        parts += (b",", record) if len(parts) > 1 else (record,)
    position = None
    if more:
        position = (int(table.keys[rows.stop - 1 if isinstance(rows, slice) else rows[-1]]), 0)
    elif stop < len(extra):
        position = (_PAST_ALL_ROWS, stop)
    cursor = b"null" if position is None else _write_cursor(position, binding, state.cursor_key)
    held = range(rows.start, rows.stop) if isinstance(rows, slice) else tuple(rows.tolist())
    return Reply(
        200,
        b"".join((*parts, b'],"nextCursor":', cursor, b"}")),
        served=Served(name, route.context, held, range(first, stop)),
    )


def _next_rows(table: Table, group: int, asked: Asked, after: int, state: State) -> tuple[slice | Ints, bool]:
    """Up to `limit` rows with a key beyond `after`, and whether more follow."""
    rows, keys = state.books.selection(table, group, asked.wanted)
    start = 0 if after < 0 else int(np.searchsorted(keys, after, side="right"))
    stop = min(start + asked.limit, len(keys))
    more = stop < len(keys)
    if isinstance(rows, slice):
        return slice(rows.start + start, rows.start + stop), more
    return rows[start:stop], more


def _write_cursor(position: tuple[int, int], binding: bytes, key: bytes) -> bytes:
    packed = _POSITION.pack(*position)
    mac = hmac.digest(key, packed + binding, "sha256")[:_MAC_BYTES]
    return b'"' + base64.urlsafe_b64encode(packed + mac) + b'"'


def _read_cursor(text: str, binding: bytes, key: bytes) -> tuple[int, int]:
    """The position a cursor of ours holds.

    Raises:
        Refused: 400, it was not given out, or for another list or other filters.
    """
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    packed, mac = raw[: _POSITION.size], raw[_POSITION.size :]
    if not hmac.compare_digest(mac, hmac.digest(key, packed + binding, "sha256")[:_MAC_BYTES]):
        raise Refused(400, "Invalid cursor. Please use the value of nextCursor with the same filters.")
    after, skipped = _POSITION.unpack(packed)
    return after, skipped
