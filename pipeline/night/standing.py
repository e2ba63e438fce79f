"""What a night builds on: the accepted runs before it, and one warehouse file that shows their sum.

The file is the generation that readers have, unless a run was cut off between its seal and its publication, or the
catalogue has changed since: then it is made from the snapshots first, without a call, and what did not fit before and
fits now stands in it as if it had always fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline import upkeep, warehouse
from pipeline.durable import make_folder
from pipeline.errors import StoredDataDamaged
from pipeline.model import QuarantineLeft
from pipeline.night.manifest import SealedRun, checks_of, facts_of_run, sound_runs
from pipeline.night.reporting import reporting_of
from pipeline.night.values import Base, Night
from pipeline.ops import runs
from pipeline.resources import Catalogue
from pipeline.snapshot import DELETED
from pipeline.tables import all_tables


def finish_publication(night: Night) -> None:
    """Readers open the file that they were to open when a kill came between the last two steps, if it is whole."""
    path = warehouse.announced(night.pointer)
    if path is not None and not upkeep.why_not_vouched(night.data_dir, path.stem, path):
        warehouse.finish_switch(night.pointer)


def parquet_follows(night: Night) -> None:
    """Readers of Parquet have the night that readers of the warehouse have; none if the site wants no Parquet."""
    if night.settings.report.parquet:
        upkeep.parquet.follow(night.data_dir)
    else:
        upkeep.parquet.remove(night.data_dir)


def standing(night: Night) -> Base:
    """The accepted runs, with a file that fits today's catalogue.

    A run that was sealed but not published is published now.

    Raises:
        ConfigError: the catalogue has changed, and a column's type does not hold what stands in it.
        StoredDataDamaged: the file that readers have is not the one that was finished, or a log lies beside it.
    """
    manifests, data_dir = night.base.manifests, night.data_dir
    warehouse.refuse_logs(night.pointer, night.pointer.resolve())
    if not manifests:
        return night.base
    run_id = manifests[-1]["run_id"]
    generation = runs.generation_of(data_dir, run_id)
    is_there = generation.exists()
    if is_there and (damage := upkeep.why_not_vouched(data_dir, run_id, generation)):
        raise StoredDataDamaged(damage, where=str(generation), do="run `prospend rebuild`, then check the disk")
    if is_there and warehouse.fits(generation, night.catalogue):
        return Base(manifests, generation)
    make = rebuilt if is_there else finished
    built = make(data_dir, night.catalogue, manifests, night.borrowed, spill(data_dir, night.run_id))
    if built.fit_now:
        night.observe(QuarantineLeft(built.fit_now))
    if is_there:
        return Base(manifests, built.path, is_borrowed=True)
    upkeep.vouch(data_dir, built.run_id, built.path)
    return Base(manifests, warehouse.publish(built.path, generation.parent, night.pointer, built.run_id))


def finished(
    data_dir: Path,
    catalogue: Catalogue,
    manifests: Sequence[Mapping[str, Any]],
    target: Path,
    temp_dir: Path,
    *,
    from_nothing: bool = False,
) -> warehouse.Built:
    """As `rebuilt`, and the file is ready to be published."""
    built = rebuilt(data_dir, catalogue, manifests, target, temp_dir, from_nothing=from_nothing, is_last_open=True)
    last = manifests[-1]
    now = datetime.fromisoformat(last["started_at"])
    zone = last.get("timezone", "UTC")
    counted = warehouse.count(built, catalogue, now=now, switches=frozenset(), temp_dir=temp_dir, zone=zone)
    warehouse.make_marts(built, all_tables(catalogue), reporting_of(last), temp_dir=temp_dir)
    warehouse.finish(built, checks_of(last), manifest_sha256=last["sha256"], figures=counted.figures)
    return built


def rebuilt(
    data_dir: Path,
    catalogue: Catalogue,
    manifests: Sequence[Mapping[str, Any]],
    target: Path,
    temp_dir: Path,
    *,
    from_nothing: bool = False,
    is_last_open: bool = False,
) -> warehouse.Built:
    """A warehouse file with some accepted runs applied, to the newest generation that can be built on or to nothing."""
    start, base = (0, None) if from_nothing else _newest_generation(data_dir, catalogue, manifests[:-1])
    applied = [_run_parts(data_dir, catalogue, run) for run in sound_runs(data_dir, manifests[start:])]
    if is_last_open:  # what only `finish` brings
        facts = replace(applied[-1].facts, checks=(), manifest_sha256=None)
        applied[-1] = replace(applied[-1], facts=facts)
    make_folder(target.parent)
    return warehouse.build(target, applied, base=base, temp_dir=temp_dir)


def spill(data_dir: Path, run_id: str) -> Path:
    """A private folder for what does not fit into memory; it is swept with the run's staging."""
    folder = data_dir / "staging" / run_id / "spill"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _run_parts(data_dir: Path, catalogue: Catalogue, run: SealedRun) -> warehouse.RunParts:
    """One accepted run as it is applied to a warehouse."""
    facts = facts_of_run(data_dir, run)
    parts = tuple(
        warehouse.Parts(one, run.files(data_dir, one.name), is_shared=run.is_shared(one.name)) for one in catalogue
    )
    deleted = run.files(data_dir, DELETED)
    is_typed_otherwise = run.manifest["catalogue_sha256"] != catalogue.text_sha256
    return warehouse.RunParts(
        facts.run_id, facts.data_as_at, parts, deleted[0] if deleted else None, facts, is_typed_otherwise
    )


def _newest_generation(
    data_dir: Path, catalogue: Catalogue, manifests: Sequence[Mapping[str, Any]]
) -> tuple[int, Path | None]:
    """How many of some runs stand in the newest file that can be built on, and the file."""
    for count in range(len(manifests), 0, -1):
        path = runs.generation_of(data_dir, manifests[count - 1]["run_id"])
        if path.exists() and warehouse.fits(path, catalogue):
            return count, path
    return 0, None
