"""The warehouse stage: sealed Parquet parts to a new DuckDB file, published by one atomic switch.

DuckDB is imported only in this folder. Whether the numbers may be published is judged by `checks`, not here.
"""

from pipeline.warehouse.building import build, discard, finish, sweep
from pipeline.warehouse.publishing import generations, publish
from pipeline.warehouse.read import Answer, connect, query, snapshot_info, table_rows
from pipeline.warehouse.values import Built, Changes, Generation, Parts, RunFacts, RunParts, SnapshotInfo

__all__ = [
    "Answer",
    "Built",
    "Changes",
    "Generation",
    "Parts",
    "RunFacts",
    "RunParts",
    "SnapshotInfo",
    "build",
    "connect",
    "discard",
    "finish",
    "generations",
    "publish",
    "query",
    "snapshot_info",
    "sweep",
    "table_rows",
]
