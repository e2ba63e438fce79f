"""What came of a night, a line a resource: what was read, and what that did to the warehouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.account import Achieved
from pipeline.model import ResourceResult
from pipeline.night.values import Read
from pipeline.planning import RunPlan
from pipeline.readings import Reading
from pipeline.snapshot import SealedResource, Staging
from pipeline.warehouse import Built


def results_of(
    read: Read, how: Mapping[str, Reading], sealed: Sequence[SealedResource], staging: Staging, achieved: Achieved
) -> tuple[ResourceResult, ...]:
    """One line a resource, in catalogue order: what came of reading it, beside what was planned."""
    plan = achieved.plan or RunPlan((), None, None)
    rows = {one.name: one.rows for one in sealed}
    looked_up = {one.resource: one.looked_up for one in read.vanished}
    quarantined = Counter(one.resource for one in staging.quarantined())
    return tuple(
        ResourceResult(
            name=walks.resource,
            mode=how[walks.resource].mode,
            rows=rows[walks.resource],
            calls=achieved.calls.get(walks.resource, 0),
            pages=walks.page_count,
            records=walks.record_count,
            quarantined=quarantined[walks.resource],
            rechecked=walks.recheck_count,
            recheck_differed=read.recheck_differed.get(walks.resource),
            looked_up=looked_up.get(walks.resource, 0),
            calls_planned=plan.of(walks.resource).calls,
            rows_planned=plan.of(walks.resource).rows,
        )
        for walks in read.extracted.walks
    )


def with_changes(results: Sequence[ResourceResult], built: Built) -> tuple[ResourceResult, ...]:
    """The same, with what the run did to the warehouse's rows."""
    rows, changes = dict(built.rows), {one.resource: one for one in built.changes}
    return tuple(
        replace(
            one,
            rows=rows[one.name],
            new=changes[one.name].new,
            changed=changes[one.name].changed,
            deleted=changes[one.name].deleted,
            restored=changes[one.name].restored,
            unchanged=changes[one.name].unchanged,
        )
        for one in results
    )
