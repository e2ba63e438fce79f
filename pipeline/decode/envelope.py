"""From the body of an answer to its records, split but not parsed.

Only the frame around the records is judged here: what stands inside a record is `fast` and `fit`'s business.
"""

from __future__ import annotations

import functools
import itertools
import json
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
import pyarrow as pa

from pipeline.errors import SourceContractBroken
from pipeline.resources import Resource

_BOM = b"\xef\xbb\xbf"
# Names that show an error object sent with status 200 instead of records.
_ERROR_NAMES = frozenset({"error", "errors", "message"})
# Names under which a source may say that there is more, in small letters. ProSpend documents `nextCursor` alone: one
# that contradicts it shows that the envelope has changed, and that an end would be no end.
_GOES_ON = frozenset({"hasmore", "hasnext", "hasnextpage", "next", "nextlink", "nextpage", "nexttoken", "morepages"})
# Every escape in JSON text, so that `\\ud800` (a backslash, then letters) is never taken for a surrogate.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)

# Nothing but what is documented, without a character that could be written in two ways: no need to look closer.
_USUAL_FRAME = re.compile(rb'\s*\{\s*"page"\s*:\s*\[\s*\]\s*,\s*"nextCursor"\s*:\s*(?:null|"[ !#-\[\]-~]*")\s*\}\s*')

_SPACE = b" \t\r\n"
_JSON_TYPES = {
    b"": "nothing",
    b'"': "text",
    b"{": "object",
    b"[": "array",
    b"t": "boolean",
    b"f": "boolean",
    b"n": "null",
}
_BOOLEANS = {b"true": True, b"false": False}
_MISSING = msgspec.Raw()
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")
_T = TypeVar("_T")


class _Body(msgspec.Struct):
    page: list[msgspec.Raw]
    nextCursor: str | None = None  # noqa: N815  # the API's name


_BODY = msgspec.json.Decoder(_Body)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Envelope:
    """The records of one body as raw JSON text (bytes-like views of it), and the cursor of the next page, if any."""

    records: tuple[bytes, ...]
    next_cursor: str | None


class ParentKey(NamedTuple):
    """The key of a record as text, and the boolean fields that were asked for (None: missing, null or no boolean)."""

    key: str
    flags: tuple[bool | None, ...]


def split_envelope(body: bytes, *, accepts_any: bool = False) -> Envelope:
    """Take `{"page": [...], "nextCursor": ...}` apart; a null, missing or empty cursor is None.

    Args:
        body: the whole body, decompressed.
        accepts_any: a bare array or a single object is a last page too.

    Raises:
        SourceContractBroken: it is not UTF-8, not JSON, nested too deeply, or not in the promised envelope.

    Source: the "Pagination" page of the API reference. How a last page is marked is not documented there.
    """
    _check_text(body)
    opening = body.lstrip(_SPACE)[:1]
    try:
        if accepts_any and opening == b"[":
            array, source = _decoded(_ARRAY, body)
            return Envelope(_texts(array, body, source), None)
        if accepts_any and opening == b"{" and "page" not in (names := [name for name, _ in json_members(body)]):
            return _single(body, names)
        return _page(body)
    except RecursionError:
        raise SourceContractBroken("the body is nested too deeply") from None
    except msgspec.MsgspecError as exc:
        raise SourceContractBroken(_explained(body, opening, exc)) from None


def parent_keys(
    records: Iterable[bytes], resource: Resource, flags: tuple[str, ...] = ()
) -> tuple[ParentKey | None, ...]:
    """The key, as text, and some boolean fields of each record, for the walks that hang under it.

    Returns:
        One entry a record, in order; None for a record without a usable key, which decoding will quarantine.
    """
    columns = [resource.column(name) for name in (resource.key, *flags)]
    spellings = tuple((column.name, *column.aliases) for column in columns)
    try:
        key, *flag_values = _picked_together(b"[" + b",".join(records) + b"]", spellings)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # numbers for keys, or something worse
        decoder = _picking(spellings)
        return tuple([_parent_key(record, decoder) for record in records])
    flags_of: Iterable[tuple[bool | None, ...]] = zip(*flag_values, strict=True) if flags else itertools.repeat(())
    return tuple([ParentKey(text, of_one) if text else None for text, of_one in zip(key, flags_of, strict=False)])


def change_time(record: bytes, resource: Resource) -> datetime | None:
    """When a record was last changed; None without such a time, or one that can be read."""
    if resource.updated is None:
        return None
    column = resource.column(resource.updated)
    found = _parent_key(record, _picking(((column.name, *column.aliases),)))
    try:
        moment = datetime.fromisoformat(found.key) if found is not None else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _check_text(body: bytes) -> None:
    if not body.strip(_SPACE):
        raise SourceContractBroken("the body is empty")
    if body.startswith(_BOM):
        raise SourceContractBroken("the body begins with a byte order mark")
    try:
        body.decode()
    except UnicodeDecodeError as exc:
        raise SourceContractBroken(f"the body is not valid UTF-8 at byte {exc.start}") from None


def _page(body: bytes) -> Envelope:
    found, source = _decoded(_BODY, body)
    frame = _around(found.page, body, source)
    if _USUAL_FRAME.fullmatch(frame):
        return Envelope(_texts(found.page, body, source), found.nextCursor or None)
    members = json_members(frame)
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        raise SourceContractBroken("the envelope has a name twice")
    if any(name in ("error", "errors") and value for name, value in members):
        raise SourceContractBroken(f"an error beside the page, with status 200 (found {_listed(names)})")
    if any(match["lone"] for match in _ESCAPE.finditer(frame)):
        raise SourceContractBroken("nextCursor holds half a surrogate pair")
    for name, value in members:
        if name.lower() in _GOES_ON and (value is False if found.nextCursor else value):
            raise SourceContractBroken(
                f"'nextCursor' and {name!r} contradict each other: whether the list ends is unclear"
            )
    return Envelope(_texts(found.page, body, source), found.nextCursor or None)


def _single(body: bytes, names: list[str]) -> Envelope:
    if _ERROR_NAMES.intersection(names):
        raise SourceContractBroken(f"an error object with status 200 (found {_listed(names)})")
    _decoded(_OBJECT, body)
    return Envelope((body.strip(_SPACE),), None)


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> tuple[_T, bytes]:
    """The value, and the bytes its raw parts are views of: `body`, or a copy of it of the same length."""
    try:
        return decoder.decode(body), body
    except msgspec.DecodeError:
        # A text cut in the middle of a surrogate pair must cost its record, not the page: split a copy in which such
        # halves are replaced. The records are then taken from the body as it was sent.
        patched = _ESCAPE.sub(lambda match: rb"\ufffd" if match["lone"] else match[0], body)
        if patched == body:
            raise
        return decoder.decode(patched), patched


def _texts(raws: list[msgspec.Raw], body: bytes, source: bytes) -> tuple[bytes, ...]:
    if source is body:
        return cast("tuple[bytes, ...]", tuple(raws))
    spans = (_span(raw, source) for raw in raws)
    return tuple(body[start:end] for start, end in spans)


def _around(raws: list[msgspec.Raw], body: bytes, source: bytes) -> bytes:
    """The body without its records: a small JSON text of its own, whatever the size of the page."""
    if not raws:
        return body
    return body[: _span(raws[0], source)[0]] + body[_span(raws[-1], source)[1] :]


def _span(raw: msgspec.Raw, source: bytes) -> tuple[int, int]:
    view = pa.py_buffer(memoryview(raw))
    start = view.address - pa.py_buffer(source).address
    return start, start + view.size


class JsonMembers(list[tuple[str, object]]):
    """The members of a JSON object, duplicates and all; told apart from an array by its type."""


def json_members(text: bytes) -> JsonMembers:
    """The members of the outermost object, each as often as it stands there; none if it is no object."""
    try:
        found = json.loads(text, object_pairs_hook=JsonMembers, parse_int=str, parse_float=str)
    except ValueError:
        return JsonMembers()
    return found if isinstance(found, JsonMembers) else JsonMembers()


def _explained(body: bytes, opening: bytes, exc: msgspec.MsgspecError) -> str:
    if opening == b"<":
        return "the body is HTML or XML, not JSON"
    if not isinstance(exc, msgspec.ValidationError):
        return f"the body is not JSON ({exc})"
    if opening != b"{":
        return f"an object with 'page' wanted, {json_type(opening)} found"
    try:
        found = _OBJECT.decode(body)
    except RecursionError:
        return "the body is nested too deeply"
    except msgspec.DecodeError as worse:
        # The first look stopped at a wrong type and saw nothing of what follows.
        return f"the body is not JSON ({worse})"
    if "page" not in found:
        return f"'page' is missing (found {_listed(found)})"
    if (kind := json_type(bytes(found["page"]))) != "array":
        return f"'page' must be an array, {kind} found"
    return f"'nextCursor' must be text or null, {json_type(bytes(found['nextCursor']))} found"


def json_type(text: bytes) -> str:
    """The JSON type that a text begins as: what messages say instead of a value."""
    return _JSON_TYPES.get(text[:1], "number")


def shown(name: str) -> str:
    """A name from the source, fit for a message: an unusual one could carry anything, so it is not repeated."""
    return name if _PLAIN_NAME.match(name) else "(unusual name)"


def _listed(names: Iterable[str]) -> str:
    listed = [shown(name) for name in names]
    return ", ".join(listed[:8]) + (", ..." if len(listed) > 8 else "") if listed else "nothing"


@functools.cache
def _picking(spellings: tuple[tuple[str, ...], ...]) -> msgspec.json.Decoder[Any]:
    """A decoder of records into structs of raw values; each has `ways`, the attributes of one wanted field."""
    names = [name for spelling in spellings for name in spelling]
    fields = [(f"f{i}", msgspec.Raw, msgspec.field(default=_MISSING, name=name)) for i, name in enumerate(names)]
    counter = itertools.count()
    ways = tuple(tuple(f"f{next(counter)}" for _ in spelling) for spelling in spellings)
    return msgspec.json.Decoder(msgspec.defstruct("Picked", fields, namespace={"ways": ways}))


def _picked_together(array: bytes, spellings: tuple[tuple[str, ...], ...]) -> list[list[Any]]:
    """By wanted field, its values in all records of an array: texts for the first, booleans for the others.

    Raises:
        msgspec.MsgspecError: a record has something else there.
    """
    decoder, ways = _picking_together(spellings)
    found = decoder.decode(array)
    return [
        list(map(operator.attrgetter(way[0]), found))
        if len(way) == 1
        else [next((value for name in way if (value := getattr(one, name)) is not None), None) for one in found]
        for way in ways
    ]


@functools.cache
def _picking_together(
    spellings: tuple[tuple[str, ...], ...],
) -> tuple[msgspec.json.Decoder[Any], tuple[tuple[str, ...], ...]]:
    """A decoder of many records at once, and the attributes of each wanted field."""
    counter = itertools.count()
    ways = tuple(tuple(f"f{next(counter)}" for _ in spelling) for spelling in spellings)
    fields = [
        (attribute, str | None if place == 0 else bool | None, msgspec.field(default=None, name=name))
        for place, (spelling, way) in enumerate(zip(spellings, ways, strict=True))
        for name, attribute in zip(spelling, way, strict=True)
    ]
    return msgspec.json.Decoder(list[msgspec.defstruct("Together", fields)]), ways  # type: ignore[misc]


def _parent_key(record: bytes, decoder: msgspec.json.Decoder[Any]) -> ParentKey | None:
    try:
        picked = decoder.decode(record)
        key, *flags = (_first_present(picked, way) for way in picked.ways)
        text = _key_text(key)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return ParentKey(text, tuple(_BOOLEANS.get(flag) for flag in flags)) if text else None


def _key_text(raw: bytes) -> str:
    if raw.startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return "" if raw.startswith((b"{", b"[")) else raw.decode()


def _first_present(picked: msgspec.Struct, way: tuple[str, ...]) -> bytes:
    for attribute in way:
        value = bytes(getattr(picked, attribute))
        if value not in (b"", b"null"):
            return value
    return b""
