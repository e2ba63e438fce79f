"""One step of a walk: its path and filters, the proof of its page, the turn it is asked in, and beginning anew."""

from __future__ import annotations

from array import array
from collections import Counter
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

from pipeline.decode import Envelope, ParentKey
from pipeline.errors import PipelineError, SecurityStop, SourceContractBroken
from pipeline.extract.frontier import OpenWalk
from pipeline.model import Context, Page, PageProof, Params, Response
from pipeline.readings import LOWER_BOUND, lower_bound

# How often a walk whose cursor the source no longer takes begins anew. It never goes on from a guess.
NEW_BEGINNINGS = 2
# So many listed records may have ended before what hangs under them was read.
_FEW_GONE = 3


def proven_page(
    walk: OpenWalk,
    envelope: Envelope,
    response: Response,
    *,
    cursor_in: str | None,
    ordinals: Counter[str],
    marks: array[int] | None,
) -> Page:
    """The records of an answer, with what proves their place. `ordinals` counts the pages of each resource."""
    name = walk.resource.name
    ordinal = ordinals[name]
    ordinals[name] += 1
    proof = PageProof(
        resource=name,
        context=tuple(key for _, key in walk.walk.context),
        params=walk.walk.params,
        purpose=walk.purpose,
        turn=turn_of(walk) + 1000 * walk.round_number,
        number=walk.pages,
        ordinal=ordinal,
        cursor_in=_hashed(cursor_in),
        cursor_out=_hashed(envelope.next_cursor),
        record_count=len(envelope.records),
        received_at=response.received_at,
        body_sha256=sha256(response.body).hexdigest(),
    )
    return Page(walk.walk, ordinal, envelope.records, response.received_at, proof, marks)


def label_of(walk: OpenWalk) -> str:
    """Where a walk stands, for people: the page that comes next, counted from its beginning or new beginning."""
    return f"extract · {walk.resource.name} · page {walk.pages + 1}"


def turn_of(walk: OpenWalk) -> int:
    """Tells the same question apart that a run asks again because a walk, or one above it, began anew."""
    return walk.turn * (NEW_BEGINNINGS + 1) + walk.restarts


def has_children(parent: ParentKey, flag: int | None) -> bool:
    """Whether something may hang under a record: a missing flag says yes. `flag` is its place, None without one."""
    return flag is None or parent.flags[flag] is not False


def with_lower_bound(params: Params, moment: datetime) -> Params:
    """The filters of a walk, with another lower bound."""
    return (*((name, value) for name, value in params if name != LOWER_BOUND), (LOWER_BOUND, lower_bound(moment)))


def refuse_many_gone(parent: str, gone: int, walked: int) -> None:
    """A record may end while it is read; many at once were another tenant's, or never there.

    Args:
        parent: the resource of the records.
        gone: so many answered that they are not there when what hangs under them was asked for.
        walked: under so many others it was read.

    Raises:
        SourceContractBroken: more than a few, and more than a tenth.
    """
    if gone > _FEW_GONE and gone * 10 > walked + gone:
        raise SourceContractBroken(
            f"{gone:,} listed records answered 404 (not found) when what hangs under them was asked for",
            where=f"extract · {parent}",
        )


def _hashed(cursor: str | None) -> str | None:
    return None if cursor is None else sha256(cursor.encode()).hexdigest()[:16]


def begin_anew(walk: OpenWalk, refused: PipelineError) -> None:
    """The walk's next page is its first again; what it has read so far stays, and newer versions replace it.

    Raises:
        SourceContractBroken: it has begun anew often enough.
    """
    if walk.restarts == NEW_BEGINNINGS:
        raise SourceContractBroken(
            f"the source gave up the walk's cursor on each of {walk.restarts + 1} tries ({refused.what}); "
            f"{walk.progress.pages:,} pages were read in all",
            where=label_of(walk),
            do="ask ProSpend how long cursors live; a greater api.concurrency or api.page_limit makes walks shorter",
        ) from None
    walk.restarts += 1
    walk.cursor = None
    walk.pages = 0
    walk.progress = walk.progress.begun_anew()


def filled_path(template: str, version: str, context: Context) -> str:
    """A resource's path with the parents' keys in it, percent-encoded.

    Raises:
        SecurityStop: a key would change the path's shape.
    """
    values = {"version": version}
    for name, key in context:
        if key in (".", "..") or len(key) > 512 or not key.isprintable():
            raise SecurityStop(f"a key of {name} that cannot stand in a path was refused")
        values[name] = quote(key, safe="")
    return template.format_map(values)
