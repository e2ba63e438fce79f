"""Records that did not fit once, tried again with today's catalogue: from the bytes as sent, with no call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from pipeline.decode.envelope import parent_keys
from pipeline.decode.fit import parents_named
from pipeline.decode.pages import Decoded, decode_pages
from pipeline.decode.schema import RECORD, Plan, plan_of
from pipeline.model import Page, Quarantined, Walk
from pipeline.resources import Resource
from pipeline.tables import PAGE


@dataclass(frozen=True, slots=True)
class DecodedAgain:
    """The quarantined records of one resource in one run: what fits now, as it would have been stored then."""

    resource: Resource
    decoded: Decoded


def decode_again(
    quarantined: Sequence[Quarantined], catalogue: Iterable[Resource], *, run_id: str, read_at: datetime
) -> tuple[tuple[DecodedAgain, ...], tuple[Quarantined, ...]]:
    """What of a run's quarantine fits today, and what still does not.

    Rows say the run, the page and the place where the record first stood, so that a newer version of the same record
    replaces them as it would have then.

    Args:
        quarantined: of one run.
        catalogue: every resource as it is today.
        run_id: the run that read them.
        read_at: when that run was read, for records whose page did not keep its own time.

    Returns:
        One entry a resource that has any that fit, in catalogue order; and the others, with today's reason.
    """
    fit: list[DecodedAgain] = []
    rest: list[Quarantined] = []
    taken: set[int] = set()
    for resource in catalogue:
        own = [one for one in quarantined if one.resource == resource.name and _belongs(one, plan_of(resource))]
        if not own:
            continue
        taken.update(map(id, own))
        # One page a record, numbered from 0: a record's place here finds its true place again.
        pages = [
            Page(Walk(resource.name, one.context), place, (one.raw,), one.fetched_at or read_at)
            for place, one in enumerate(own)
        ]
        decoded = decode_pages(pages, resource, run_id=run_id)
        still = [replace(one, page=own[one.page].page, record=own[one.page].record) for one in decoded.quarantined]
        rest += still
        if decoded.table.num_rows:
            table = _at_its_place(decoded.table, own)
            fit.append(DecodedAgain(resource, replace(decoded, table=table, quarantined=tuple(still))))
    rest += [one for one in quarantined if id(one) not in taken]
    return tuple(fit), tuple(sorted(rest, key=lambda one: (one.resource, one.page, one.record)))


def quarantined_key(one: Quarantined, resource: Resource) -> tuple[str, ...] | None:
    """The key of a record that did not fit, outermost parent first; None if it has none that can be read."""
    (found,) = parent_keys((one.raw,), resource)
    return None if found is None else (*(key for _, key in one.context), found.key)


def _belongs(one: Quarantined, plan: Plan) -> bool:
    """Whether the resource still hangs under the same parents, and the record does not name others."""
    named = parents_named(one.raw, plan)
    is_same = tuple(name for name, _ in one.context) == plan.resource.context_names
    return is_same and all(named.get(name, key) == key for name, key in one.context)


def _at_its_place(table: pa.Table, own: Sequence[Quarantined]) -> pa.Table:
    places = [own[place] for place in table.column(PAGE).to_pylist() if place is not None]
    for name, values in ((PAGE, [one.page for one in places]), (RECORD, [one.record for one in places])):
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))
    return table
