"""One writer a data folder, by a kernel lock: it cannot go stale, because it dies with its process."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.durable import make_folder, room_at, storing
from pipeline.errors import LocalAccess, RunActive

_WAITS_S = (0.0, 0.02, 0.2, 0.5)  # whoever has just got the lock says so a moment later
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}


@contextmanager
def run_lock(
    data_dir: Path, run_id: str, started_at: datetime, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """This process is the only one that writes to the data folder, until the block ends.

    Raises:
        RunActive: another process is; the message names its pid, run and start.
        LocalAccess: the volume knows no locks: nothing would keep two runs apart.
    """
    folder = data_dir / "state"
    holder = folder / "run.json"
    with storing(f"lock · {folder}"):
        make_folder(folder)
        # A lock that is only a file would outlive a killed run.
        lock = FileLock(folder / "run.lock", timeout=0, mode=0o640, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            raise RunActive("another run is active", where=_described(holder, sleep)) from None
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise _no_locks(data_dir, error) from error
            raise
    try:
        with storing(f"lock · {holder}"):
            facts = {"pid": os.getpid(), "run_id": run_id, "started_at": started_at.isoformat()}
            holder.write_text(json.dumps(facts), "utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def holder_of(data_dir: Path) -> str | None:
    """Which run holds the lock, in words; None if none does."""
    return _described(_holder_file(data_dir), lambda _: None) if _is_held(data_dir) else None


def holder(data_dir: Path) -> dict[str, Any] | None:
    """Run id (or command), pid and start of whoever holds the lock, as far as it has said so; None if nobody does."""
    if not _is_held(data_dir):
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        facts = json.loads(_holder_file(data_dir).read_text("utf-8"))
        return {key: facts[key] for key in ("run_id", "pid", "started_at")}
    return {"run_id": None, "pid": None, "started_at": None}


def _is_held(data_dir: Path) -> bool:
    """Asked of the kernel, without touching the lock."""
    try:
        inode = (data_dir / "state" / "run.lock").stat().st_ino
        held = [line.split() for line in Path("/proc/locks").read_text("ascii").splitlines()]
    except OSError:
        return False
    return any(line[1] == "FLOCK" and line[-3].split(":")[-1] == str(inode) for line in held)


def _holder_file(data_dir: Path) -> Path:
    return data_dir / "state" / "run.json"


def _no_locks(data_dir: Path, error: OSError) -> LocalAccess:
    mount = room_at(data_dir).mount
    kinds = [line.split()[2] for line in _mounts() if line.split()[1] == mount]
    return LocalAccess(
        f"the volume of the data folder gives no lock that would keep two runs apart: {error.strerror}",
        where=f"storage.data_dir = {data_dir}, on the volume {mount} ({kinds[-1] if kinds else 'of unknown type'})",
        do="move the data folder to a local disk, or mount this one with locks, then run again",
    )


def _mounts() -> list[str]:
    try:
        return Path("/proc/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _described(holder: Path, sleep: Callable[[float], None]) -> str:
    for wait_s in _WAITS_S:
        sleep(wait_s)
        with suppress(OSError, ValueError, KeyError, TypeError):
            facts = json.loads(holder.read_text("utf-8"))
            return f"run {facts['run_id']}, pid {facts['pid']}, started {facts['started_at']}"
    return f"holder of {holder.with_name('run.lock')}"
