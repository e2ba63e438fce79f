"""The seal: a manifest names every part of a run with its hash. No manifest, no snapshot.

It carries its own hash and that of the manifest before it, so that the chain of runs can be verified; `base` names the
accepted run that it builds on, so that the chain of what was published can be followed. What is in a part is
`snapshot.parts`' business.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.durable import document_bytes, document_hash, make_folder, storing, sync, write_sealed
from pipeline.errors import StoredDataDamaged, VersionMismatch
from pipeline.model import run_order
from pipeline.snapshot.parts import SealedResource
from pipeline.snapshot.rewrites import begins_at, remove_left_over, rewrites

MANIFEST_FORMAT = 2
OLDER_FORMATS = (1,)  # of version 0.1.0: they can be read, but no run builds on them
_DAMAGED_DO = "restore the file from a backup, or move its run's folder aside; then check the disk and run again"


def seal(
    data_dir: Path,
    run_id: str,
    facts: Mapping[str, Any],
    sealed: Sequence[SealedResource],
    *,
    accepted: bool,
    base: str | None = None,
) -> str:
    """The manifest of a run stands; its parts are a snapshot from now on. Returns the manifest's hash.

    Args:
        data_dir: the data folder.
        run_id: the run.
        facts: what else the manifest says: versions, settings hash, walks, control totals, checks, notes.
        sealed: parts already in place.
        accepted: every required check passed. A run that is not accepted is evidence only: nothing is built on it.
        base: the accepted run that this one builds on; None if it stands for itself.
    """
    document: dict[str, Any] = {
        "format": MANIFEST_FORMAT,
        "run_id": run_id,
        "previous": previous_manifest(data_dir, run_id),
        "base": base,
        "accepted": accepted,
        **facts,
        "schema": {one.name: dict(one.columns) for one in sealed},
        "parts": {
            one.name: {
                "rows": one.rows,
                "watermark": one.watermark.isoformat() if one.watermark else None,
                "elements": dict(one.elements),
                "files": [
                    {"path": part.path, "size_bytes": part.size_bytes, "sha256": part.sha256, "rows": part.rows}
                    for part in one.parts
                ],
            }
            for one in sealed
        },
    }
    document["sha256"] = document_hash(document)
    folder = data_dir / "runs" / run_id
    with storing(f"seal · {folder}"):
        make_folder(folder)
        sync(folder.parent)
        write_sealed(folder / "manifest.json", document_bytes(document))
    return str(document["sha256"])


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest whose own hash holds; one of an older format as it is, which `is_older` tells.

    Raises:
        StoredDataDamaged: it cannot be read, or is not what was written.
        VersionMismatch: a newer version of this program wrote it. It is left as it is.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        stated, written_as = document["sha256"], document["format"]
        own = document_hash(document)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoredDataDamaged(
            f"a manifest cannot be read ({type(error).__name__})", where=str(path), do=_DAMAGED_DO
        ) from error
    if type(written_as) is int and written_as > MANIFEST_FORMAT:
        raise VersionMismatch(
            f"manifest format {written_as}, this program reads up to {MANIFEST_FORMAT}", where=str(path)
        )
    if stated != own or type(written_as) is not int or written_as not in (MANIFEST_FORMAT, *OLDER_FORMATS):
        raise StoredDataDamaged(
            "a manifest is not what was written: its own hash does not hold", where=str(path), do=_DAMAGED_DO
        )
    return document


def manifest_of(data_dir: Path, run_id: str) -> dict[str, Any]:
    """The manifest of a sealed run.

    Raises:
        StoredDataDamaged: it cannot be read, is not what was written, or stands under another run's name.
        VersionMismatch: a newer version of this program wrote it.
    """
    path = data_dir / "runs" / run_id / "manifest.json"
    document = read_manifest(path)
    if document.get("run_id") != run_id:
        raise StoredDataDamaged("a manifest stands under another run's name", where=str(path), do=_DAMAGED_DO)
    return document


def is_older(manifest: Mapping[str, Any]) -> bool:
    """Whether an older version of this program wrote it: its parts lack columns, so no run builds on it."""
    return manifest["format"] in OLDER_FORMATS


def sealed_runs(data_dir: Path) -> tuple[str, ...]:
    """Ids of all runs with a manifest, accepted or not, oldest first."""
    return tuple(sorted((path.parent.name for path in (data_dir / "runs").glob("*/manifest.json")), key=run_order))


def newest_accepted(data_dir: Path) -> dict[str, Any] | None:
    """The manifest that the next run builds on; None if there is none, or an older version's is newer."""
    for run_id in reversed(sealed_runs(data_dir)):
        manifest = manifest_of(data_dir, run_id)
        if is_older(manifest):
            return None
        if manifest["accepted"]:
            return manifest
    return None


def accepted_runs(data_dir: Path) -> tuple[dict[str, Any], ...]:
    """The manifests that the published tables are made of, oldest first: each builds on the one before it.

    From the newest accepted manifest back through `base`. Every manifest on the way, accepted or not, is verified: its
    own hash, and that the next newer one names it with that hash. Where older snapshots are gone on purpose, the chain
    begins with the full run that stands for them.

    Raises:
        StoredDataDamaged: a manifest is damaged or missing, or the chain does not hold.
        VersionMismatch: a newer version of this program wrote one.
    """
    newest = newest_accepted(data_dir)
    if newest is None:
        return ()
    first = begins_at(rewrites(data_dir))
    found, wanted = [newest], newest["base"] if newest["run_id"] != first else None
    sealed = sealed_runs(data_dir)
    earlier = reversed(sealed[: sealed.index(newest["run_id"])])
    newer = newest
    while wanted is not None:
        manifest = _linked(data_dir, next(earlier, None), newer)
        if manifest["run_id"] == wanted:
            if is_older(manifest) or not manifest["accepted"]:
                raise _broken(data_dir, newer, "builds on a run that was not accepted")
            found.append(manifest)
            wanted = manifest["base"] if manifest["run_id"] != first else None
        newer = manifest
    return tuple(reversed(found))


def previous_manifest(data_dir: Path, run_id: str) -> dict[str, str] | None:
    """Run id and hash of the newest manifest before this run, or None."""
    earlier = [one for one in sealed_runs(data_dir) if one != run_id]
    if not earlier:
        return None
    return {"run_id": earlier[-1], "sha256": manifest_of(data_dir, earlier[-1])["sha256"]}


def _linked(data_dir: Path, run_id: str | None, newer: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run, if it is the one that the next newer manifest names."""
    named = newer["previous"] or {}
    if run_id is None or named.get("run_id") != run_id:
        raise _broken(data_dir, newer, "names a manifest before it that is not there")
    manifest = manifest_of(data_dir, run_id)
    if manifest["sha256"] != named["sha256"]:
        raise _broken(data_dir, newer, "names the manifest before it with another hash")
    return manifest


def _broken(data_dir: Path, manifest: Mapping[str, Any], what: str) -> StoredDataDamaged:
    path = data_dir / "runs" / str(manifest["run_id"]) / "manifest.json"
    return StoredDataDamaged(
        f"the chain of manifests does not hold: one {what}", where=str(path), do="run `prospend verify`"
    )


def sweep(data_dir: Path, *, under_way: str = "") -> tuple[str, ...]:
    """Remove what runs that never sealed left behind; their ids. Called under the run lock only.

    What the run `under_way` has staged stays.
    """
    unsealed: set[str] = set()
    sealed = set(sealed_runs(data_dir))
    with storing(f"sweep · {data_dir}"):
        for folder in (data_dir / "staging").glob("*"):
            if folder.name == under_way:
                continue
            if folder.is_dir() and not folder.is_symlink():
                unsealed.add(folder.name)
                shutil.rmtree(folder)
            else:
                folder.unlink()
        for folder in (data_dir / "snapshots").glob("*/run=*"):
            run_id = folder.name.removeprefix("run=")
            if run_id not in sealed:
                unsealed.add(run_id)
                shutil.rmtree(folder)
        # Of documents whose writing was cut off:
        for aside in (*(data_dir / "runs").glob("*/.*.part"), *(data_dir / "erasures").glob(".*.part")):
            aside.unlink()
        remove_left_over(data_dir, rewrites(data_dir))
    return tuple(sorted(unsealed))
