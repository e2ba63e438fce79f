"""The warehouse stage: sealed Parquet parts to a new DuckDB file, published by one atomic switch.

DuckDB is imported only in this folder. Whether the numbers may be published is judged by `checks`, not here.
"""

from pipeline.warehouse.asking import (
    alive_by_company,
    alive_counts,
    alive_under,
    connect_for_run,
    differing,
    distinct,
    keys_with,
    known_fingerprints,
    only_in_quarantine,
    sampled_keys,
    spread,
    vanished,
)
from pipeline.warehouse.blank import blank
from pipeline.warehouse.building import build, discard, finish, sweep
from pipeline.warehouse.content import content_hash, refuse_damage
from pipeline.warehouse.counting import Counted, count
from pipeline.warehouse.figures import earlier_figures
from pipeline.warehouse.freshness import Freshness, freshness
from pipeline.warehouse.layout import fits
from pipeline.warehouse.publishing import (
    announced,
    finish_switch,
    generations,
    publish,
    put_in_place,
    refuse_logs,
)
from pipeline.warehouse.read import Answer, DuckDB, asking, connect, query, snapshot_info, table_rows, timezone
from pipeline.warehouse.reporting import has_marts, make_marts
from pipeline.warehouse.returning import rollback
from pipeline.warehouse.values import Built, Changes, Generation, Parts, RunFacts, RunParts, SnapshotInfo

__all__ = [
    "Answer",
    "Built",
    "Changes",
    "Counted",
    "DuckDB",
    "Freshness",
    "Generation",
    "Parts",
    "RunFacts",
    "RunParts",
    "SnapshotInfo",
    "alive_by_company",
    "alive_counts",
    "alive_under",
    "announced",
    "asking",
    "blank",
    "build",
    "connect",
    "connect_for_run",
    "content_hash",
    "count",
    "differing",
    "discard",
    "distinct",
    "earlier_figures",
    "finish",
    "finish_switch",
    "fits",
    "freshness",
    "generations",
    "has_marts",
    "keys_with",
    "known_fingerprints",
    "make_marts",
    "only_in_quarantine",
    "publish",
    "put_in_place",
    "query",
    "refuse_damage",
    "refuse_logs",
    "rollback",
    "sampled_keys",
    "snapshot_info",
    "spread",
    "sweep",
    "table_rows",
    "timezone",
    "vanished",
]
