"""How old each resource of a published file is, from `meta` alone: a file without marts tells it, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.warehouse.figures import instant_at
from pipeline.warehouse.read import asking

_ASKED = """
SELECT
    read.resource,
    arg_max(read.row_count, run.as_at) AS row_count,
    epoch_us(max(run.data_as_at) FILTER (WHERE read.mode <> 'kept')) AS read_at,
    epoch_us(any_value(figure.newest_at)) AS changed_at,
    coalesce(any_value(held.record_count), 0) AS quarantined
FROM meta.run_resource AS read
INNER JOIN meta.run AS run ON run.run_id = read.run_id
LEFT JOIN meta.figure AS figure ON figure.table_name = read.resource AND figure.kind = 'updated'
LEFT JOIN (
    SELECT resource, count(*) AS record_count FROM meta.quarantine WHERE deleted_at IS NULL GROUP BY resource
) AS held ON held.resource = read.resource
GROUP BY read.resource
ORDER BY read.resource
"""


@dataclass(frozen=True, slots=True)
class Freshness:
    """One resource: `read_at` is when its newest reading began, `changed_at` its newest change; None if not known.

    `quarantined` are records that stand in no row and are not gone at the source.
    """

    resource: str
    row_count: int
    read_at: datetime | None
    changed_at: datetime | None
    quarantined: int


def freshness(connection: duckdb.DuckDBPyConnection) -> tuple[Freshness, ...]:
    """Every resource of a published file; none of a file from before this was kept."""
    kept = ("read_count", "newest_at", "deleted_at")
    with asking("freshness"):
        ((has_all,),) = connection.execute(
            "SELECT count(DISTINCT column_name) = ? FROM duckdb_columns() "
            "WHERE schema_name = 'meta' AND list_contains(?, column_name)",
            [len(kept), kept],
        ).fetchall()
        rows = connection.execute(_ASKED).fetchall() if has_all else []
    return tuple(
        Freshness(name, count, instant_at(read), instant_at(changed), held) for name, count, read, changed, held in rows
    )
