"""The tables of the published file as Parquet, for programs that do not read DuckDB: `data/parquet/<table>/`.

`data/parquet` is a link to a folder below `parquet-runs/` that was written from one warehouse file and is named by its
run and its hash; it follows the warehouse's pointer. A folder is written aside, synced and renamed, and the link is
renamed: a reader sees one whole night. The two links are renamed one after the other, so for a moment (or, after a kill
between them, until the next run begins) Parquet shows the night before the warehouse's.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from pipeline import warehouse
from pipeline.durable import (
    SEALED_MODE,
    document_bytes,
    make_folder,
    move,
    own_folder,
    point,
    sha256_of,
    storing,
    sync,
)
from pipeline.errors import LocalAccess
from pipeline.model import Finding
from pipeline.ops import runs
from pipeline.report.exports import write_parquet
from pipeline.report.reading import CURRENT, MARTS, tables

FOLDER: Final = "parquet-runs"
NOTE: Final = "_tables.json"  # programs that read folders of Parquet pass over names that begin so
_PART: Final = "part-0.parquet"
_ASIDE: Final = ".building-"
_NAME = re.compile(r"(?P<run>\d{8}T\d{6}Z(?:-\d+)?)-(?P<sha>[0-9a-f]{12})\Z")


def link_of(data_dir: Path) -> Path:
    """The link that readers of Parquet open."""
    return data_dir / "parquet"


def is_kept(data_dir: Path) -> bool:
    """Whether there is Parquet that is to follow what readers open."""
    return link_of(data_dir).is_symlink()


def write(data_dir: Path, run_id: str, path: Path) -> Path:
    """The current state and the marts of a finished warehouse file stand as Parquet, one folder a table.

    Readers do not know it yet. What was written of the same file before is left as it is.

    Args:
        data_dir: the data folder.
        run_id: the run that the file shows.
        path: the file.

    Raises:
        LocalResource: disk or quota ran out.
        StoredDataDamaged: the file cannot be read.
    """
    target = data_dir / FOLDER / f"{run_id}-{_sha256(data_dir, run_id, path)[:12]}"
    with storing(f"parquet · {run_id}"):
        if target.is_dir():
            return target
        make_folder(target.parent)
        aside = target.with_name(f"{_ASIDE}{target.name}")
        shutil.rmtree(aside, ignore_errors=True)
        own_folder(aside)
        try:
            with closing(warehouse.connect(path)) as connection, warehouse.asking(f"parquet · {run_id}"):
                wanted = tables(connection, (MARTS, CURRENT))
                files = [
                    _write_table(aside / one.full_name, partial(write_parquet, connection, one, run_id=run_id))
                    for one in wanted
                ]
            (aside / NOTE).write_bytes(document_bytes({"run_id": run_id, "tables": files}))
            (aside / NOTE).chmod(SEALED_MODE)
            sync(aside / NOTE)
            sync(aside)
            move(aside, target)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    return target


def follow(data_dir: Path, *, is_alone: bool = False) -> None:
    """Readers of Parquet have what readers of the warehouse have. Called under the run lock, after each switch.

    The folder is written now unless it was before. The one that readers had stays, for those that are in the midst of
    it; with `is_alone` it goes as well, because it tells of people who are to be forgotten.

    Raises:
        LocalAccess: what stands at the link's place is none.
    """
    pointer, link = runs.pointer_of(data_dir), link_of(data_dir)
    if not pointer.is_symlink():
        return
    if link.exists() and not link.is_symlink():
        raise LocalAccess("parquet is not a link", where=str(link), do="move it away, run again")
    generation = pointer.resolve()
    target = write(data_dir, generation.stem, generation)
    before = link.resolve() if link.is_symlink() else None
    if before != target.resolve():
        with storing(f"parquet · {target.name}"):
            point(link, target)
    _remove_others(data_dir, {target.name} if is_alone else {target.name, before.name if before else ""})


def remove(data_dir: Path) -> None:
    """There is no Parquet of tables any more: the site does not want it."""
    with storing(f"parquet · {data_dir}"):
        if link_of(data_dir).is_symlink():
            link_of(data_dir).unlink()
            sync(data_dir)
    _remove_others(data_dir, set())


def left_over(data_dir: Path) -> Iterator[Path]:
    """Folders that neither today's readers nor those in the midst of the one before need."""
    link = link_of(data_dir)
    current = link.resolve().name if link.is_symlink() else ""
    found = sorted((data_dir / FOLDER).glob("[!.]*"), key=lambda one: one.stat().st_mtime, reverse=True)
    before = next((one.name for one in found if one.name != current), "") if current else ""
    yield from (one for one in found if one.name not in (current, before))
    yield from sorted((data_dir / FOLDER).glob(f"{_ASIDE}*"))


def verify(data_dir: Path) -> tuple[list[Finding], int, int]:
    """What of the Parquet is not what was written from the warehouse; files and bytes read."""
    link = link_of(data_dir)
    findings, count, size = [], 0, 0
    again = "run `prospend rollback RUN` for the run that readers have, or `prospend run`: it is written again"
    if link.is_symlink() and not (link.resolve().is_dir() and link.resolve().parent == (data_dir / FOLDER).resolve()):
        findings.append(Finding("parquet", "it leads to no folder of this program's", f"remove the link; {again}"))
    for folder in sorted((data_dir / FOLDER).glob("*")):
        where = str(folder.relative_to(data_dir))
        if folder.name.startswith(_ASIDE):
            findings.append(Finding(where, "unfinished", "nothing: the next run removes it", is_damage=False))
            continue
        problem, files, length = _problem(folder)
        count, size = count + files, size + length
        if problem:
            findings.append(Finding(where, problem, f"remove this folder; then {again}"))
    is_sound = link.is_symlink() and not findings
    if is_sound and not _is_of(link.resolve().name, runs.pointer_of(data_dir)):
        told = "it shows another night than the warehouse"
        findings.append(Finding("parquet", told, "nothing: the next run mends it", is_damage=False))
    return findings, count, size


def _is_of(name: str, pointer: Path) -> bool:
    match = _NAME.match(name)
    return match is not None and pointer.is_symlink() and match["run"] == pointer.readlink().stem


def _problem(folder: Path) -> tuple[str, int, int]:
    """Why a folder is not what was written; "" if it is. Files and bytes read."""
    try:
        if folder.is_symlink() or not _NAME.match(folder.name):
            return "no run put it there", 0, 0
        content = (folder / NOTE).read_bytes()
        note: Mapping[str, Any] = json.loads(content)
        stated = {one["file"]: (one["size_bytes"], one["sha256"]) for one in note["tables"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return f"{NOTE} cannot be read", 0, 0
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}
    if there != {NOTE, *stated}:
        return "files are missing, or others were put there", 0, 0
    size = 0
    for name, (length, sha256) in stated.items():
        path = folder / name
        size += path.stat().st_size
        if path.is_symlink() or path.stat().st_size != length or sha256_of(path) != sha256:
            return f"{name} is not what was written", len(stated), size
    return "", len(stated), size


def _write_table(folder: Path, to_file: Callable[[Path], int]) -> dict[str, Any]:
    own_folder(folder)
    path = folder / _PART
    count = to_file(path)
    path.chmod(SEALED_MODE)
    sync(path)
    sync(folder)
    file = f"{folder.name}/{_PART}"
    return {
        "name": folder.name,
        "file": file,
        "rows": count,
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
    }


def _sha256(data_dir: Path, run_id: str, path: Path) -> str:
    """The hash of a warehouse file; as it was vouched for, which spares reading it."""
    try:
        return str(json.loads((data_dir / "runs" / run_id / "generation.json").read_bytes())["file_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return sha256_of(path)


def _remove_others(data_dir: Path, kept: set[str]) -> None:
    with storing(f"parquet · {data_dir / FOLDER}"):
        if (data_dir / FOLDER).is_dir():
            for one in (data_dir / FOLDER).iterdir():
                if one.name not in kept:
                    shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
            sync(data_dir / FOLDER)
