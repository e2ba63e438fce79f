"""Where the rows of a sealed run lie today: its own parts, or files that took their place.

A manifest never changes. When parts are rewritten, a numbered document in `rewrites/` says which file took whose place;
it carries its own hash and that of the document before it. Until it stands, the old parts count; from then on the new
file does, whether or not the old parts are still there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.snapshot.numbered import Kind, add, read_all

REWRITE_FORMAT: Final = 1
_DAMAGED_DO = "restore the file from a backup; without it the rewritten parts cannot be found"


@dataclass(frozen=True, slots=True)
class HeldPart:
    """A file with rows of a run: its path below the data folder, and how many of its rows are the run's.

    `is_shared` tells that rows of other runs stand in it as well: read it with `_run_id = <run>`.
    """

    path: str
    size_bytes: int
    sha256: str
    rows: int
    is_shared: bool = False


def rewrites(data_dir: Path) -> tuple[dict[str, Any], ...]:
    """Every document of rewritten parts, oldest first.

    Raises:
        StoredDataDamaged: one is missing or damaged, or does not follow on the one before.
        VersionMismatch: a newer version of this program wrote one.
    """
    return read_all(_kind(data_dir))


def record_rewrite(data_dir: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """One more document stands, whole or not at all. Called under the run lock.

    Args:
        data_dir: the data folder.
        content: `reason`; `replaced`: path and sha256 of each file, and `into`, the path of the file with its rows now
            or None if they are gone on purpose; `files`: path, size_bytes, sha256, rows and `runs`, the rows of each.
    """
    return add(_kind(data_dir), {"type": "rewrite", **content})


def _kind(data_dir: Path) -> Kind:
    return Kind(data_dir / "rewrites", "rewritten parts", REWRITE_FORMAT, _DAMAGED_DO)


def parts_of(
    data_dir: Path, manifest: Mapping[str, Any], *, documents: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, tuple[HeldPart, ...]]:
    """By name, the files in which the rows of a sealed run lie today; none where they are gone on purpose.

    Args:
        data_dir: the data folder.
        manifest: of the run.
        documents: of `rewrites`, where they have been read already.
    """
    documents = rewrites(data_dir) if documents is None else documents
    held = {
        name: [HeldPart(one["path"], one["size_bytes"], one["sha256"], one["rows"]) for one in part["files"]]
        for name, part in manifest["parts"].items()
    }
    for document in documents:
        into = {(one["path"], one["sha256"]): one["into"] for one in document["replaced"]}
        files = {one["path"]: one for one in document["files"]}
        for name, parts in held.items():
            if any((part.path, part.sha256) in into for part in parts):
                held[name] = _moved(parts, into, files, manifest["run_id"])
    return {name: tuple(parts) for name, parts in held.items()}


def begins_at(documents: Sequence[Mapping[str, Any]]) -> str | None:
    """The run at which the chain of accepted runs begins, if earlier ones are gone on purpose."""
    return next((str(one["begins_at"]) for one in reversed(documents) if one.get("begins_at")), None)


def remove_left_over(data_dir: Path, documents: Sequence[Mapping[str, Any]]) -> tuple[Path, ...]:
    """Removes files whose rows stand elsewhere by now, or are gone on purpose, and what an unfinished rewrite wrote.

    Called under the run lock.
    """
    doomed = [data_dir / one["path"] for document in documents for one in document["replaced"]]
    doomed += (data_dir / "rewrites").glob(".*.part")
    for folder in (data_dir / "snapshots").glob("*/rewrite=*"):
        number = folder.name.removeprefix("rewrite=")
        if not number.isdecimal() or int(number) > len(documents):
            doomed += folder.glob("*")
    removed = []
    for path in doomed:
        if path.exists() and not path.is_symlink():
            path.unlink()
            removed.append(path)
    for folder in {path.parent for path in doomed}:
        with suppress(OSError):  # something else stands in it
            folder.rmdir()
    return tuple(removed)


def _moved(
    parts: Sequence[HeldPart],
    into: Mapping[tuple[str, str], str | None],
    files: Mapping[str, Mapping[str, Any]],
    run_id: str,
) -> list[HeldPart]:
    """The parts of one name after one rewrite; several parts may have gone into one file."""
    moved: dict[str, HeldPart] = {}
    for part in parts:
        key = (part.path, part.sha256)
        if key not in into:
            moved[part.path] = part
        elif (path := into[key]) is not None:
            file = files[path]
            rows = file["runs"][run_id]
            moved[path] = HeldPart(path, file["size_bytes"], file["sha256"], rows, is_shared=len(file["runs"]) > 1)
    return list(moved.values())
