"""One atomic switch: a finished file becomes a generation, and the pointer that readers open leads to it.

    sync file -> rename into place -> sync folder -> new link aside -> sync -> rename over the pointer -> sync

Readers that hold the earlier file keep it undisturbed; whoever opens the pointer next gets the new one. A crash at any
step leaves the pointer on one complete file.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.durable import SEALED_MODE, make_folder, move, storing, sync
from pipeline.errors import LocalAccess, StoredDataDamaged
from pipeline.model import run_order
from pipeline.warehouse.values import Generation

_SUFFIX = ".duckdb"


def publish(built_path: Path, warehouse_dir: Path, pointer: Path, run_id: str) -> Path:
    """Whoever opens `pointer` from now on reads the file that was built.

    Args:
        built_path: a finished file, on the volume of `warehouse_dir`.
        warehouse_dir: where generations lie.
        pointer: the relative link that readers open.
        run_id: names the generation.

    Returns:
        Where the file lies now.

    Raises:
        StoredDataDamaged: a DuckDB log lies beside the file, its new name or the pointer. Renaming a database next
            to a foreign log is silent corruption on DuckDB 1.x and an outage on 2.0.
        LocalAccess: the generation exists, or the pointer is something else than a link.
    """
    target = warehouse_dir / f"{run_id}{_SUFFIX}"
    where = f"publish · {target.name}"
    with storing(where):
        refuse_logs(built_path, target, pointer)
        if target.exists() or target.is_symlink():
            raise LocalAccess("a generation of this name exists already", where=where, do="run again")
        if pointer.exists() and not pointer.is_symlink():
            raise LocalAccess(f"{pointer.name} is not a link", where=where, do=f"move {pointer} away, run again")
        make_folder(warehouse_dir)
        built_path.chmod(SEALED_MODE)
        sync(built_path)
        announce(pointer, target)
        move(built_path, target)
        finish_switch(pointer)
    return target


def put_in_place(built_path: Path, generation: Path, pointer: Path) -> None:
    """A finished file takes the place of a generation, and readers open it; those who have the other keep it.

    Raises:
        StoredDataDamaged: a DuckDB log lies beside one of the files.
    """
    with storing(f"publish · {generation.name}"):
        refuse_logs(built_path, generation, pointer)
        built_path.chmod(SEALED_MODE)
        sync(built_path)
        built_path.replace(generation)
        sync(generation.parent)
        announce(pointer, generation)  # not before: what the name led to until now may be damaged
        finish_switch(pointer)


def generations(warehouse_dir: Path, pointer: Path) -> tuple[Generation, ...]:
    """Every published file, newest run first."""
    current = pointer.resolve()
    with storing(f"generations · {warehouse_dir}"):
        found = [
            Generation(path.stem, path, path.stat().st_size, path.resolve() == current)
            for path in warehouse_dir.glob(f"*{_SUFFIX}")
            if not path.name.startswith(".")
        ]
    return tuple(sorted(found, key=lambda one: run_order(one.run_id), reverse=True))


def log_of(path: Path) -> Path:
    """Where DuckDB keeps a database's log."""
    return path.with_name(f"{path.name}.wal")


def announce(pointer: Path, target: Path) -> None:
    """A link beside the pointer says what readers are to open once it is there: a switch can be finished by anyone."""
    aside = _aside(pointer)
    aside.unlink(missing_ok=True)  # of one that was never finished
    aside.symlink_to(os.path.relpath(target, pointer.parent))
    sync(pointer.parent)


def announced(pointer: Path) -> Path | None:
    """The file that a switch was to lead to that was cut off; None if there is no such switch, or no such file."""
    aside = _aside(pointer)
    return aside.resolve() if aside.is_symlink() and aside.exists() else None


def finish_switch(pointer: Path) -> None:
    """The pointer leads to what was announced, and stays so over a power loss."""
    with storing(f"publish · {pointer.name}"):
        _aside(pointer).replace(pointer)
        sync(pointer.parent)


def _aside(pointer: Path) -> Path:
    return pointer.with_name(f".{pointer.name}.next")


def refuse_logs(*paths: Path) -> None:
    """Nothing, if no DuckDB log lies beside one of these files: readers could take it for a part of the database.

    Raises:
        StoredDataDamaged: one does.
    """
    for path in paths:
        if log_of(path).exists() or log_of(path).is_symlink():
            raise StoredDataDamaged(
                f"a DuckDB log lies beside {path.name}",
                where=str(log_of(path)),
                do="find out which program opened the file for writing, remove the log, run again",
            )
