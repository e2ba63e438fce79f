"""A warehouse from the snapshots alone: what a night publishes is derived, and can be made again at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline import upkeep, warehouse
from pipeline.errors import ConfigError, PipelineError
from pipeline.lean import lean
from pipeline.night.standing import finished, spill
from pipeline.ops import runs
from pipeline.ops.lock import run_lock
from pipeline.resources import Catalogue
from pipeline.snapshot import accepted_runs, sweep

_NAME = "rebuild"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to.

    `differs` names the tables that held something else before; None if there was nothing sound to compare with.
    `fit_now` counts the records that did not fit the catalogue of their run and fit today's.
    """

    run_id: str
    path: Path
    run_count: int
    row_count: int
    differs: tuple[str, ...] | None
    fit_now: int


def rebuild(data_dir: Path, catalogue: Catalogue, now: datetime) -> Rebuilt:
    """Readers open a warehouse that was made from the snapshots alone, with no network.

    It takes the place of the generation of the newest accepted run; whoever has that one open keeps it.

    Raises:
        ConfigError: there is nothing to build from, or a column's type does not hold what stands in it; readers keep
            what they have.
        StoredDataDamaged: a snapshot is not what was written; readers keep what they have.
    """
    with lean(), run_lock(data_dir, _NAME, now):
        sweep(data_dir)
        warehouse.sweep(data_dir / "warehouse")
        manifests = accepted_runs(data_dir)
        if not manifests:
            raise ConfigError("there is no snapshot to build from", where=str(data_dir), do="run `prospend run`")
        return rebuilt_in_place(data_dir, catalogue, manifests)


def rebuilt_in_place(data_dir: Path, catalogue: Catalogue, manifests: Sequence[Mapping[str, Any]]) -> Rebuilt:
    """The generation of the newest of the accepted runs is made from nothing, and readers open it.

    Called under the run lock.
    """
    run_id = manifests[-1]["run_id"]
    target = data_dir / "warehouse" / f".building-{_NAME}.duckdb"
    generation = runs.generation_of(data_dir, run_id)
    try:
        built = finished(data_dir, catalogue, manifests, target, spill(data_dir, _NAME), from_nothing=True)
        differs = _differing(generation, target)
        upkeep.vouch_no_more(data_dir, run_id)
        warehouse.put_in_place(target, generation, runs.pointer_of(data_dir))
        upkeep.vouch(data_dir, run_id, generation)
        if upkeep.parquet.is_kept(data_dir):
            upkeep.parquet.follow(data_dir)
    finally:
        warehouse.discard(target)
        sweep(data_dir)
    rows = sum(count for _, count in built.rows)
    return Rebuilt(run_id, generation, len(manifests), rows, differs, built.fit_now)


def _differing(before: Path, after: Path) -> tuple[str, ...] | None:
    """The tables whose rows are not the same in two files; None if the first cannot be read."""
    try:
        hashes = [_hashes(path) for path in (before, after)]
    except PipelineError:
        return None
    return tuple(
        sorted(name for name in hashes[0].keys() | hashes[1].keys() if hashes[0].get(name) != hashes[1].get(name))
    )


def _hashes(path: Path) -> dict[str, str]:
    with closing(warehouse.connect(path)) as connection:
        return warehouse.content_hash(connection)
