"""Judging: what was served, what lies in Parquet and what was loaded, compared before readers may see it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import checks, warehouse
from pipeline.account import Achieved
from pipeline.model import CheckResult
from pipeline.night.values import Night
from pipeline.snapshot import SealedResource, Staging
from pipeline.totals import add_totals


def judge(
    night: Night,
    sealed: Sequence[SealedResource],
    staging: Staging,
    achieved: Achieved,
    built: warehouse.Built,
) -> tuple[CheckResult, ...]:
    """Compare what was served, what lies in Parquet and what was loaded."""
    loaded, superseded = dict(built.read_rows), dict(built.superseded)
    parquet = {one.name: one.rows for one in sealed}
    counts = [
        checks.ResourceCounts(
            resource=one.name,
            records=one.records,
            quarantined=one.quarantined,
            parquet_rows=parquet[one.name],
            superseded=superseded.get(one.name, 0),
            warehouse_rows=loaded[one.name],
        )
        for one in achieved.results
    ]
    judged = checks.judge(
        counts=counts,
        roots=[one.name for one in night.catalogue if one.parent is None],
        element_counts={table: count for one in sealed for table, count in one.elements},
        loaded_rows=loaded,
        page_totals=staging.page_totals(),
        parquet_totals=add_totals(*(one.totals for one in sealed)),
        loaded_totals=add_totals(built.read_totals, built.superseded_totals),
        key_problems=[checks.KeyProblems(*problem) for problem in built.key_problems],
        notes=staging.notes(),
        max_quarantined_percent=night.settings.checks.max_quarantined_percent,
    )
    return (*judged, checks.token_lasts(achieved.token), checks.advice_given(achieved.advice))
