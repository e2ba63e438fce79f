"""Faults of paging: walks that never end, go in circles, lead elsewhere, or quietly hold other or fewer records.

Pure. Records are moved about as raw JSON: their values stay what the books say, to the byte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from itertools import compress
from typing import Final
from urllib.parse import urlencode

import msgspec

from pipeline.sandbox.faults.plan import Case
from pipeline.sandbox.faults.refusals import elsewhere
from pipeline.sandbox.model import Reply, Request, Served

_Record = dict[str, msgspec.Raw]
_Query = tuple[tuple[str, str], ...]
_ENDLESS: Final = "endless-"


def endless(case: Case) -> Reply | None:
    """Always one more page: of new records, of the same ones, or of none, under a new cursor each time."""
    number = 0
    asked = dict(case.request.query).get("cursor", "")
    first: object = case.reply
    if asked.startswith(_ENDLESS) and asked.removeprefix(_ENDLESS).isdigit():
        number = int(asked.removeprefix(_ENDLESS))
        first = case.ask(without_cursor(case.request))
    envelope = _opened(first)
    if envelope is None or not isinstance(first, Reply):
        return None
    records = msgspec.json.decode(envelope["page"], type=list[_Record])
    if case.options.text("records") == "none":
        records = []
    elif case.options.text("records") == "new" and number:
        records = _renumbered(records, number)
    envelope["page"] = msgspec.Raw(msgspec.json.encode(records))
    served = first.served if case.options.text("records") == "same" or not number else None
    return _closed(first, envelope, f"{_ENDLESS}{number + 1}", served)


def cyclic(case: Case) -> Reply | None:
    """After so many pages beyond the first, the cursors begin again: a walk that follows them goes in a circle."""
    length = case.options.whole("length")
    envelope = _opened(case.reply)
    if envelope is None or case.page != length + 1:
        return None
    again = next_cursor(case.ask(without_cursor(case.request)))
    return _closed(case.reply, envelope, again, case.reply.served) if again else None


def repeated(case: Case) -> Reply | None:
    """The next cursor is the one that was just used."""
    own = dict(case.request.query).get("cursor", "")
    envelope = _opened(case.reply)
    return _closed(case.reply, envelope, own, case.reply.served) if envelope is not None and own else None


def next_elsewhere(case: Case) -> Reply | None:
    """The next cursor is a whole address at another origin."""
    envelope = _opened(case.reply)
    if envelope is None:
        return None
    query = urlencode({"cursor": next_cursor(case.reply) or "2"})
    return _closed(case.reply, envelope, f"{elsewhere(case)}{case.request.path}?{query}", case.reply.served)


def other_tenant(case: Case) -> Reply | None:
    """The records of the same list at another company, as from a cache mix-up; the next cursor stays our own."""
    envelope, parts = _opened(case.reply), case.request.segments
    if envelope is None or len(parts) < 4:
        return None
    others = [key for key in _companies(case.ask(_asking(case.request, parts[:2], ()))) if key != parts[2]]
    if not others:
        return None
    asked = _asking(case.request, (*parts[:2], others[0], *parts[3:]), without_cursor(case.request).query)
    theirs = case.ask(asked)
    found = _opened(theirs)
    if found is None or not isinstance(theirs, Reply):
        return None
    return _closed(theirs, {**envelope, "page": found["page"]}, None, theirs.served)


def shrunken(case: Case) -> Reply | None:
    """A share of the records is not there, the same ones on every page and in every walk."""
    envelope = _opened(case.reply)
    if envelope is None:
        return None
    records = msgspec.json.decode(envelope["page"], type=list[msgspec.Raw])
    kept = [not _is_hidden(bytes(record), case) for record in records]
    envelope["page"] = msgspec.Raw(
        msgspec.json.encode([r for r, is_kept in zip(records, kept, strict=True) if is_kept])
    )
    return _closed(case.reply, envelope, None, _served_part(case.reply.served, kept))


def misplaced(case: Case) -> Reply | None:
    """The records that changed first stand last in their list: only whoever reads all of it, to its end, sees them.

    A lower bound later than their change times leaves them out as it should, though not by their place.
    """
    envelope = _opened(case.reply)
    if envelope is None or not isinstance(case.reply, Reply):
        return None
    asked = _without(case.request.query, "cursor")
    first, bounded = (_first_records(case, query) for query in (_without(asked, "minupdateddate"), asked))
    if first is None or bounded is None:
        return None
    moved = frozenset(map(_key, first[0]))
    records = msgspec.json.decode(envelope["page"], type=list[msgspec.Raw])
    stay = [_key(record) not in moved for record in records]
    shown, served = list(compress(records, stay)), _served_part(case.reply.served, stay)
    if next_cursor(case.reply) is None:
        come = [_key(record) in moved for record in bounded[0]]
        shown += compress(bounded[0], come)
        served = _served_together(served, _served_part(bounded[1], come))
    envelope["page"] = msgspec.Raw(msgspec.json.encode(shown))
    return _closed(case.reply, envelope, None, served)


def without_cursor(request: Request) -> Request:
    """The same question for the first page."""
    return _asking(request, request.segments, _without(request.query, "cursor"))


def _without(query: _Query, *names: str) -> _Query:
    return tuple((name, value) for name, value in query if name.lower() not in names)


def _first_records(case: Case, query: _Query) -> tuple[list[msgspec.Raw], Served | None] | None:
    """So many of a list's first records as are misplaced, and what is served with them."""
    asked = (*_without(query, "limit"), ("limit", str(case.options.whole("count"))))
    reply = case.ask(_asking(case.request, case.request.segments, asked))
    envelope = _opened(reply)
    if envelope is None or not isinstance(reply, Reply):
        return None
    return msgspec.json.decode(envelope["page"], type=list[msgspec.Raw]), reply.served


def _key(record: bytes) -> bytes:
    """A record's first field, its key, as it is written."""
    return bytes(record).partition(b",")[0]


def next_cursor(reply: object) -> str | None:
    """What a page says comes next; None at the end, or when it is no page."""
    envelope = _opened(reply)
    found = msgspec.json.decode(envelope["nextCursor"]) if envelope and "nextCursor" in envelope else None
    return found if isinstance(found, str) and found else None


def _asking(request: Request, segments: tuple[str, ...], query: tuple[tuple[str, str], ...]) -> Request:
    target = "/" + "/".join(segments) + (f"?{urlencode(query)}" if query else "")
    return dataclasses.replace(request, target=target, segments=segments, query=query)


def _opened(reply: object) -> _Record | None:
    """The envelope of a page; None for whatever is not one."""
    if not isinstance(reply, Reply) or reply.status != 200 or not reply.body.startswith(b"{"):
        return None
    try:
        envelope = msgspec.json.decode(reply.body, type=_Record)
    except (msgspec.DecodeError, RecursionError):  # an injected record that is no JSON, or no one's
        return None
    return envelope if "page" in envelope else None


def _closed(reply: Reply, envelope: _Record, cursor: str | None, served: Served | None) -> Reply:
    """The page with this next cursor; without one it keeps what it says, end marker or not."""
    if cursor is not None:
        envelope = {**envelope, "nextCursor": msgspec.Raw(msgspec.json.encode(cursor))}
    return dataclasses.replace(reply, body=msgspec.json.encode(envelope), served=served)


def _companies(reply: object) -> list[str]:
    """The keys of the companies, each the first field of its record, whether they come as a page or as an array."""
    if not isinstance(reply, Reply) or reply.status != 200:
        return []
    found = json.loads(reply.body)
    records = found if isinstance(found, list) else found.get("page", [])
    return [str(next(iter(record.values()))) for record in records]


def _renumbered(records: list[_Record], number: int) -> list[_Record]:
    """Records like these with keys of their own, all last updated when the last one was: the order stays sound."""
    made = []
    for record in records:
        key = next(iter(record))
        text = json.loads(bytes(record[key]))
        changed: _Record = {**record, key: msgspec.Raw(msgspec.json.encode(f"{text}{number:08d}"))}
        if "updatedDate" in record:
            changed["updatedDate"] = records[-1]["updatedDate"]
        made.append(changed)
    return made


def _is_hidden(record: bytes, case: Case) -> bool:
    """By the record's key, so that an edited record stays hidden."""
    digest = hashlib.blake2b(b"%d|" % case.seed + _key(record), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < case.options.number("hidden")


def _served_part(served: Served | None, kept: Sequence[bool]) -> Served | None:
    """What is left of what was served: rows first, then what was injected, as they stand in the page."""
    if served is None:
        return None
    rows = tuple(compress(served.rows, kept))
    return dataclasses.replace(served, rows=rows, injected=tuple(compress(served.injected, kept[len(served.rows) :])))


def _served_together(one: Served | None, more: Served | None) -> Served | None:
    if one is None or more is None:
        return one or more
    return dataclasses.replace(one, rows=(*one.rows, *more.rows), injected=(*one.injected, *more.injected))
