"""What goes into the warehouse stage and comes out of it: frozen values, no handles, no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.model import CheckResult, ControlTotal, Note, Quarantined, ResourceResult
from pipeline.resources import Resource


@dataclass(frozen=True, slots=True)
class Parts:
    """The sealed Parquet parts of one resource in one run; none at all gives empty tables.

    `is_shared` tells that rows of other runs stand in them as well: only those with the run's own `_run_id` count.
    """

    resource: Resource
    files: tuple[Path, ...]
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the warehouse says of one run.

    `control_totals` come from the pages' JSON text; `data_as_at` is the instant up to which the data is complete.
    `manifest_sha256` is None and `checks` is empty for a run that is not sealed yet: `finish` brings both. Rows whose
    period's time lies before `closed_before` belong to a closed period; None if none is closed.
    """

    run_id: str
    started_at: datetime
    site: str
    program_version: str
    resources: tuple[ResourceResult, ...]
    control_totals: tuple[ControlTotal, ...]
    quarantined: tuple[Quarantined, ...]
    notes: tuple[Note, ...]
    manifest_sha256: str | None
    data_as_at: datetime
    checks: tuple[CheckResult, ...] = ()
    closed_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunParts:
    """One accepted run, as it is applied to a warehouse.

    `as_at` is the instant from which the run's versions are valid. `parts` has one entry for each resource of the
    catalogue, in its order; without files where nothing was read. `deleted` is the `_deleted` part with the keys that
    the source proved to have no more, by `_run_id`, or None if there are none. `is_typed_otherwise` tells that another
    catalogue gave the parts their types and decided what did not fit.
    """

    run_id: str
    as_at: datetime
    parts: tuple[Parts, ...]
    deleted: Path | None
    facts: RunFacts
    is_typed_otherwise: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run did to the rows of one resource. The five kinds do not overlap, but for rows read and then deleted."""

    resource: str
    new: int = 0
    changed: int = 0
    deleted: int = 0
    restored: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    """A loaded warehouse file, not yet finished, and what was counted in it after the newest run was applied.

    `rows` and `totals` are of all rows that are not deleted; `read_rows` and `read_totals` only of the rows that the
    newest run's records stand for, found again in the tables by their keys: on an incremental night few, on a full one
    all. Both `rows` have one entry a table. `superseded` counts, one entry a resource, the records that a newer version
    of the same key in the same run replaced; `superseded_totals` are the amounts on them, so that `read_totals` plus
    `superseded_totals` are the amounts in the run's parts. `key_problems` lists tables with (missing keys, keys that
    stand more than once), only where there are any. `changes` has one entry a resource. `fit_now` counts, over all runs
    applied, the records that had not fitted the catalogue of their run and fit today's.
    """

    path: Path
    run_id: str
    rows: tuple[tuple[str, int], ...]
    totals: tuple[ControlTotal, ...]
    read_rows: tuple[tuple[str, int], ...]
    read_totals: tuple[ControlTotal, ...]
    superseded: tuple[tuple[str, int], ...]
    superseded_totals: tuple[ControlTotal, ...]
    key_problems: tuple[tuple[str, int, int], ...]
    changes: tuple[Changes, ...]
    fit_now: int = 0


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
