"""Removing what is no longer needed, by count and age. Nothing goes that readers or a rebuild need.

    generations     beyond `keep_generations`, older than 48 hours; never what readers open nor the one before
    refused runs    their parts, after a fortnight; the manifests stay, as evidence
    kept pages      that no run may go on from any more
    records         of runs that sealed nothing, after 400 days
    parquet         folders of tables beyond the two newest
    snapshots       older than `keep_days`, if a later full run stands for all that they hold but their history

Of what stays, small parts are put together (`compacting`). What goes of the snapshots, or moves, is first written down
as a rewrite, so that a kill leaves nothing half gone.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import snapshot, warehouse
from pipeline.durable import storing, sync
from pipeline.model import run_order
from pipeline.ops import runs
from pipeline.settings import Storage
from pipeline.upkeep import parquet
from pipeline.upkeep.compacting import PutTogether, is_full, plan_compaction

_YOUNGEST = timedelta(hours=48)
_REFUSED_KEPT = timedelta(days=14)
_RECORDS_KEPT = timedelta(days=400)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Doomed:
    """Something that goes: where below the data folder, of what kind, why, and how many bytes that frees."""

    where: str
    kind: str
    why: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """What goes, and which small parts become one file.

    `begins_at` is the full run with which the history begins afterwards, None if that stays as it is.
    """

    doomed: tuple[Doomed, ...]
    parts: tuple[tuple[str, snapshot.HeldPart], ...]
    begins_at: str | None
    together: tuple[PutTogether, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes that are freed."""
        return sum(one.size_bytes for one in self.doomed)


def plan_pruning(data_dir: Path, storage: Storage, now: datetime, *, resume_within_s: int) -> Pruning:
    """What would go now. Reads only.

    Raises:
        StoredDataDamaged: a manifest is damaged or the chain does not hold; then nothing may go.
        VersionMismatch: a newer version of this program wrote something of it.
    """
    with storing(f"prune · {data_dir}"):
        begins_at = _new_beginning(data_dir, storage.keep_days, now)
        parts = tuple(_parts_to_go(data_dir, begins_at, now))
        if begins_at is not None and not any(begins_at in why for why, _ in parts):
            begins_at = None  # nothing stands before it
        doomed = [
            *_generations(data_dir, storage.keep_generations, now),
            *_of_parts(data_dir, parts),
            *_kept_pages(data_dir, now, resume_within_s),
            *_records(data_dir, now),
            *_parquet(data_dir),
        ]
        together = _to_be_put_together(data_dir, begins_at)
    return Pruning(tuple(doomed), parts, begins_at, together)


def prune(data_dir: Path, pruning: Pruning) -> None:
    """All of it is gone. Called under the run lock; a kill at any instant leaves what can be pruned again."""
    with storing(f"prune · {data_dir}"):
        if pruning.parts:
            replaced = [{"path": part.path, "sha256": part.sha256, "into": None} for _, part in pruning.parts]
            facts = {"begins_at": pruning.begins_at} if pruning.begins_at else {}
            snapshot.record_rewrite(data_dir, {"reason": "retention", **facts, "replaced": replaced, "files": []})
        snapshot.remove_left_over(data_dir, snapshot.rewrites(data_dir))
        for one in pruning.doomed:
            if one.kind != "snapshot":
                _remove(data_dir / one.where)
    if pruning.together:
        snapshot.rewrite(data_dir, [one.file for one in pruning.together], {"reason": "small parts put together"})


def prune_generations(data_dir: Path, keep: int, now: datetime) -> tuple[Doomed, ...]:
    """Generations beyond those to keep are gone; what went. Called under the run lock, after a run has published."""
    with storing(f"prune · {data_dir / 'warehouse'}"):
        found = tuple(_generations(data_dir, keep, now))
        for one in found:
            _remove(data_dir / one.where)
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    sync(path.parent)


# ---- what may go ----------------------------------------------------------------------------------------------------


def _generations(data_dir: Path, keep: int, now: datetime) -> list[Doomed]:
    """Beyond the newest `keep`; a generation is as old as the later of its run's start and its file."""
    pointer = runs.pointer_of(data_dir)
    found = warehouse.generations(data_dir / "warehouse", pointer)
    current = pointer.readlink().stem if pointer.is_symlink() else ""
    before = next((one.run_id for one in found if run_order(one.run_id) < run_order(current)), "")
    doomed = []
    for place, one in enumerate(found):
        is_young = min(now - _began(one.run_id), now - _changed(one.path, now)) < _YOUNGEST
        if place >= keep and not is_young and one.run_id not in (current, before):
            why = f"{keep} newer generations are kept"
            doomed.append(Doomed(f"warehouse/{one.path.name}", "generation", why, one.size_bytes))
    return doomed if current else []


def _new_beginning(data_dir: Path, keep_days: int | None, now: datetime) -> str | None:
    """The newest full accepted run that is older than `keep_days`; None if there is none."""
    if keep_days is None:
        return None
    chain = snapshot.accepted_runs(data_dir)
    old = [one for one in chain if now - datetime.fromisoformat(one["started_at"]) >= timedelta(days=keep_days)]
    full = [one["run_id"] for one in old if is_full(one)]
    return full[-1] if full else None


def _to_be_put_together(data_dir: Path, begins_at: str | None) -> tuple[PutTogether, ...]:
    """Small parts of the accepted runs that stay."""
    chain = snapshot.accepted_runs(data_dir)
    start = next((place for place, one in enumerate(chain) if one["run_id"] == begins_at), 0)
    return plan_compaction(data_dir, chain[start:], snapshot.rewrites(data_dir))


def _parts_to_go(data_dir: Path, begins_at: str | None, now: datetime) -> list[tuple[str, snapshot.HeldPart]]:
    """With the reason, files of refused runs and of those before the new beginning; what another run needs stays."""
    documents = snapshot.rewrites(data_dir)
    found: dict[str, tuple[str, snapshot.HeldPart]] = {}
    needed: set[str] = set()
    for run_id in snapshot.sealed_runs(data_dir):
        manifest = snapshot.manifest_of(data_dir, run_id)
        why = _why_parts_go(manifest, begins_at, now)
        for part in (
            one for held in snapshot.parts_of(data_dir, manifest, documents=documents).values() for one in held
        ):
            if why:
                found[part.path] = (why, part)
            else:
                needed.add(part.path)
    return [one for path, one in found.items() if path not in needed]


def _why_parts_go(manifest: Mapping[str, Any], begins_at: str | None, now: datetime) -> str:
    run_id = manifest["run_id"]
    if begins_at is not None and run_order(run_id) < run_order(begins_at):
        return f"older than storage.keep_days; full run {begins_at} stands for it, without its history"
    if not snapshot.is_older(manifest) and not manifest["accepted"] and now - _began(run_id) >= _REFUSED_KEPT:
        return "its run was refused a fortnight ago or more"
    return ""


def _of_parts(data_dir: Path, parts: Sequence[tuple[str, snapshot.HeldPart]]) -> list[Doomed]:
    return [Doomed(part.path, "snapshot", why, _size(data_dir / part.path)) for why, part in parts]


def _kept_pages(data_dir: Path, now: datetime, resume_within_s: int) -> list[Doomed]:
    """Raw pages hold names and amounts: they go once no run may go on from them, or nobody can read them."""
    usable = {
        left.run_id
        for left in snapshot.left_by_earlier(data_dir, "")
        if not snapshot.is_too_old(left, now, resume_within_s)
    }
    return [
        Doomed(str(path.relative_to(data_dir)), "kept pages", "no run may go on from them", path.lstat().st_size)
        for path in sorted((data_dir / "staging").glob("*/pages.kept"))
        if path.parent.name not in usable
    ]


def _records(data_dir: Path, now: datetime) -> list[Doomed]:
    """Folders of runs that sealed nothing: they failed. The others hold manifests, which stay for ever."""
    sealed = set(snapshot.sealed_runs(data_dir))
    known = {one.run_id for one in warehouse.generations(data_dir / "warehouse", runs.pointer_of(data_dir))}
    return [
        Doomed(f"runs/{path.name}", "record", "of a failed run, older than 400 days", _size(path))
        for path in sorted((data_dir / "runs").glob("*"))
        if path.name not in sealed | known and not path.is_symlink() and now - _began(path.name) >= _RECORDS_KEPT
    ]


def _parquet(data_dir: Path) -> list[Doomed]:
    """Folders of Parquet beyond what readers have and had before."""
    why = "neither what readers have nor what they had before"
    return [Doomed(str(one.relative_to(data_dir)), "parquet", why, _size(one)) for one in parquet.left_over(data_dir)]


def _began(run_id: str) -> datetime:
    """When a run began, by its id; what has no such name is never old."""
    try:
        return runs.started_at_of(run_id)
    except ValueError:
        return _NEVER


def _changed(path: Path, now: datetime) -> datetime:
    return datetime.fromtimestamp(path.lstat().st_mtime, now.tzinfo)


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(one.lstat().st_size for one in path.rglob("*") if one.is_file())
    return path.lstat().st_size if path.exists() else 0
