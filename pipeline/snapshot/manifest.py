"""The seal: a manifest names every part of a run with its hash. No manifest, no snapshot.

It carries its own hash and that of the manifest before it, so that the chain of runs can be verified. What is in a
part is `snapshot.parts`' business.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline.durable import make_folder, storing, sync, write_sealed
from pipeline.errors import StoredDataDamaged, VersionMismatch
from pipeline.model import run_order
from pipeline.snapshot.parts import SealedResource

MANIFEST_FORMAT = 1
_DAMAGED_DO = "restore the file from a backup, or move its run's folder aside; then check the disk and run again"


def seal(data_dir: Path, run_id: str, facts: Mapping[str, Any], sealed: Sequence[SealedResource]) -> str:
    """The manifest of a run stands; its parts are a snapshot from now on. Returns the manifest's hash.

    Args:
        data_dir: the data folder.
        run_id: the run.
        facts: what else the manifest says: versions, settings hash, walks, control totals, notes.
        sealed: parts already in place.
    """
    document: dict[str, Any] = {
        "format": MANIFEST_FORMAT,
        "run_id": run_id,
        "previous": previous_manifest(data_dir, run_id),
        **facts,
        "parts": {
            one.name: {
                "rows": one.rows,
                "watermark": one.watermark.isoformat() if one.watermark else None,
                "files": [
                    {"path": part.path, "size_bytes": part.size_bytes, "sha256": part.sha256, "rows": part.rows}
                    for part in one.parts
                ],
            }
            for one in sealed
        },
    }
    document["sha256"] = _own_hash(document)
    folder = data_dir / "runs" / run_id
    with storing(f"seal · {folder}"):
        make_folder(folder)
        sync(folder.parent)
        write_sealed(folder / "manifest.json", json.dumps(document, indent=1, ensure_ascii=False).encode())
    return str(document["sha256"])


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest whose own hash holds.

    Raises:
        StoredDataDamaged: it cannot be read, or is not what was written.
        VersionMismatch: it was written by another version's format.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        stated, own = document["sha256"], _own_hash(document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoredDataDamaged(
            f"a manifest cannot be read ({type(error).__name__})", where=str(path), do=_DAMAGED_DO
        ) from error
    if stated != own:
        raise StoredDataDamaged(
            "a manifest is not what was written: its own hash does not hold", where=str(path), do=_DAMAGED_DO
        )
    if document.get("format") != MANIFEST_FORMAT:
        raise VersionMismatch(f"manifest format {document.get('format')}, this program writes {MANIFEST_FORMAT}")
    return document


def sealed_runs(data_dir: Path) -> tuple[str, ...]:
    """Ids of all runs with a manifest, oldest first."""
    return tuple(sorted((path.parent.name for path in (data_dir / "runs").glob("*/manifest.json")), key=run_order))


def previous_manifest(data_dir: Path, run_id: str) -> dict[str, str] | None:
    """Run id and hash of the newest manifest before this run, or None."""
    earlier = [one for one in sealed_runs(data_dir) if one != run_id]
    if not earlier:
        return None
    document = read_manifest(data_dir / "runs" / earlier[-1] / "manifest.json")
    return {"run_id": earlier[-1], "sha256": document["sha256"]}


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
    return tuple(sorted(unsealed))


def _own_hash(document: Mapping[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "sha256"}
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
