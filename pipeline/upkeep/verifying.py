"""Every byte that is stored against what was said of it when it was written: snapshots, warehouse, records, pointer.

The stages verify what is theirs; here it is put together, and what to do about a damaged generation is decided.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from pipeline import snapshot, warehouse
from pipeline.durable import (
    document_bytes,
    document_hash,
    make_folder,
    not_ours,
    sha256_of,
    storing,
    sync,
    write_sealed,
)
from pipeline.errors import PipelineError, StoredDataDamaged, VersionMismatch
from pipeline.model import Checked, Finding, run_order
from pipeline.ops import records, runs
from pipeline.resources import Catalogue
from pipeline.upkeep import parquet

_FORMAT = 1


def verify(data_dir: Path, catalogue: Catalogue) -> Checked:
    """Everything below the data folder that a run wrote is what was written, to the last byte. Reads only.

    Raises:
        VersionMismatch: a newer version of this program wrote something of it.
    """
    with storing(f"verify · {data_dir}"):
        stored = snapshot.verify(data_dir, catalogue)
        reports = records.verify(data_dir)
        found, count, size = _generations(data_dir, is_rebuildable=not any(one.is_damage for one in stored.findings))
        beside, beside_count, beside_size = parquet.verify(data_dir)
    return Checked(
        findings=(*stored.findings, *reports.findings, *found, *beside),
        file_count=stored.file_count + reports.file_count + count + beside_count,
        size_bytes=stored.size_bytes + reports.size_bytes + size + beside_size,
    )


def vouch(data_dir: Path, run_id: str, path: Path) -> None:
    """The hash of a finished warehouse file stands beside its run's manifest. Called before the file is published."""
    document = {
        "format": _FORMAT,
        "run_id": run_id,
        "file_sha256": sha256_of(path),
        "size_bytes": path.stat().st_size,
    }
    folder = data_dir / "runs" / run_id
    with storing(f"vouch · {folder}"):
        make_folder(folder)
        content = document_bytes({**document, "sha256": document_hash(document)})
        write_sealed(folder / "generation.json", content)


def vouch_no_more(data_dir: Path, run_id: str) -> None:
    """Nothing is said of a run's warehouse file. Called before another takes its place: a kill then harms nothing."""
    beside = data_dir / "runs" / run_id / "generation.json"
    with storing(f"vouch · {beside.parent}"):
        if beside.exists():
            beside.unlink()
            sync(beside.parent)


def why_not_vouched(data_dir: Path, run_id: str, path: Path) -> str:
    """Why a warehouse file is not the one that was finished, in words; "" if it is, or if nothing was said of it.

    Reads the whole file: call it before anything is built on it.
    """
    beside = data_dir / "runs" / run_id / "generation.json"
    if not beside.exists():
        return ""
    try:
        content = beside.read_bytes()
        document = json.loads(content)
        stated = document["sha256"], document["run_id"], document["size_bytes"], document["file_sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "what was said of it in generation.json cannot be read"
    is_same = document_bytes(document) == content and stated[:2] == (document_hash(document), run_id)
    if not is_same or document.get("format") != _FORMAT:
        return "what was said of it in generation.json is not what was written"
    if path.stat().st_size != stated[2]:
        return f"{path.stat().st_size:,} bytes, finished with {stated[2]:,}"
    return "" if sha256_of(path) == stated[3] else "its hash does not hold"


def _generations(data_dir: Path, *, is_rebuildable: bool) -> tuple[list[Finding], int, int]:
    """What is wrong with warehouse files and the pointer; how many there are, and their bytes."""
    pointer = runs.pointer_of(data_dir)
    problems: dict[str, str] = {}
    size, order = 0, []
    for path in sorted((data_dir / "warehouse").glob("*.duckdb")):
        if not path.name.startswith("."):
            order.append(path.stem)
            size += path.lstat().st_size
            problems[path.stem] = _problem(data_dir, path)
    sound = [run_id for run_id in sorted(order, key=run_order, reverse=True) if not problems[run_id]]
    current = _current(data_dir)
    findings = [
        Finding(f"warehouse/{run_id}.duckdb", problem, _remedy(run_id == current, sound, is_rebuildable=is_rebuildable))
        for run_id, problem in problems.items()
        if problem
    ]
    findings += _beside(data_dir, set(order))
    if (wrong := _pointer_problem(pointer, problems)) is not None:
        findings.append(Finding(pointer.name, wrong, _remedy(True, sound, is_rebuildable=is_rebuildable)))
    return findings, len(order), size


def _problem(data_dir: Path, path: Path) -> str:
    """Why a generation is not what its run finished; "" if it is."""
    try:
        wrong = not_ours(path, data_dir.stat().st_uid) or why_not_vouched(data_dir, path.stem, path)
        if wrong:
            return wrong
        with closing(warehouse.connect(path)) as connection:
            told = warehouse.snapshot_info(connection)
        warehouse.refuse_damage(path)
        return _stands_for(data_dir, told)
    except VersionMismatch:
        raise
    except PipelineError as error:
        return error.what
    except OSError as error:
        return f"it cannot be read: {os.strerror(error.errno or 0)}"


def _stands_for(data_dir: Path, told: warehouse.SnapshotInfo) -> str:
    """Whether a file names the manifest that it was made from."""
    if not (data_dir / "runs" / told.run_id / "manifest.json").exists():
        return "the manifest of the run that it shows is gone"
    try:
        manifest: Mapping[str, object] = snapshot.manifest_of(data_dir, told.run_id)
    except StoredDataDamaged:
        return ""  # found where it stands
    if manifest["sha256"] != told.source_sha256:
        return "it was made from another manifest than its run's"
    return ""


def _pointer_problem(pointer: Path, problems: Mapping[str, str]) -> str | None:
    """What is wrong with the link that readers open; None if nothing, also where nothing was published yet."""
    if not pointer.is_symlink():
        if pointer.exists():
            return "it is not a link"
        return "it is missing, though there are warehouse files" if problems else None
    text = os.readlink(pointer)  # noqa: PTH115 - a Path would hide what is spelled otherwise than we write it
    if text != f"warehouse/{Path(text).name}":
        return "it leads out of the data folder's warehouse"
    if Path(text).stem not in problems or Path(text).suffix != ".duckdb":
        return "it leads to a generation that is gone"
    return None


def _current(data_dir: Path) -> str:
    pointer = runs.pointer_of(data_dir)
    return pointer.readlink().stem if pointer.is_symlink() else ""


def _beside(data_dir: Path, known: set[str]) -> list[Finding]:
    """What else lies among the warehouse files: DuckDB's logs and planted files."""
    found = []
    for path in sorted((data_dir / "warehouse").glob("*")):
        where = str(path.relative_to(data_dir))
        if path.name.startswith(".building-") and not path.is_symlink():
            found.append(Finding(where, "an unfinished build", "nothing: the next run removes it", is_damage=False))
        elif path.name.endswith(".wal"):
            found.append(Finding(where, "a DuckDB log: something opened the file for writing", "remove the log"))
        elif path.stem not in known or path.suffix != ".duckdb":
            found.append(Finding(where, "no run put it there", "find out who did, then remove it"))
    return found


def _remedy(is_current: bool, sound: list[str], *, is_rebuildable: bool) -> str:
    """What to do about a damaged generation or pointer, given the sound generations, newest first."""
    if not is_current:
        return "remove it; readers do not open it"
    rebuild = "run `prospend rebuild`: the snapshots are sound" if is_rebuildable else ""
    back = f"run `prospend rollback {sound[0]}`: readers then have that night" if sound else ""
    return "; or ".join(filter(None, (rebuild, back))) or "run `prospend run --full` for a fresh snapshot and warehouse"
