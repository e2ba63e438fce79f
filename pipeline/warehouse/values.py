"""What goes into the warehouse stage and comes out of it: frozen values, no handles, no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.model import ControlTotal, Note, Quarantined, ResourceResult
from pipeline.resources import Resource


@dataclass(frozen=True, slots=True)
class Parts:
    """The sealed Parquet parts of one resource; none at all gives empty tables."""

    resource: Resource
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the warehouse says of the run it was built from.

    `control_totals` come from the pages' JSON text; `data_as_at` is the instant up to which the data is complete.
    """

    run_id: str
    started_at: datetime
    site: str
    program_version: str
    resources: tuple[ResourceResult, ...]
    control_totals: tuple[ControlTotal, ...]
    quarantined: tuple[Quarantined, ...]
    notes: tuple[Note, ...]
    manifest_sha256: str
    data_as_at: datetime


@dataclass(frozen=True, slots=True)
class Built:
    """A loaded warehouse file, not yet finished, and what was counted in it after loading.

    `rows` has one entry a table. `superseded` counts, one entry a resource, the records that a newer version of the
    same key replaced; `superseded_totals` are the amounts on them, so that `totals` plus `superseded_totals` are the
    amounts in the parts. `key_problems` lists tables with (missing keys, keys that stand more than once), only where
    there are any.
    """

    path: Path
    run_id: str
    rows: tuple[tuple[str, int], ...]
    totals: tuple[ControlTotal, ...]
    superseded: tuple[tuple[str, int], ...]
    superseded_totals: tuple[ControlTotal, ...]
    key_problems: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """One published warehouse file. Readers open the current one."""

    run_id: str
    path: Path
    size_bytes: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What a warehouse file says of itself."""

    run_id: str
    data_as_at: datetime
    site: str
    program_version: str
    duckdb_version: str
    source_sha256: str
