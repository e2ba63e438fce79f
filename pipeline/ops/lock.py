"""One writer a data folder, by a kernel lock: it cannot go stale, because it dies with its process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.durable import make_folder, storing
from pipeline.errors import RunActive


@contextmanager
def run_lock(data_dir: Path, run_id: str, started_at: datetime) -> Iterator[None]:
    """This process is the only one that writes to the data folder, until the block ends.

    Raises:
        RunActive: another process is; the message names its pid, run and start.
    """
    folder = data_dir / "state"
    holder = folder / "run.json"
    with storing(f"lock · {folder}"):
        make_folder(folder)
        lock = FileLock(folder / "run.lock", timeout=0, mode=0o640)
        try:
            lock.acquire()
        except Timeout:
            raise RunActive("another run is active", where=_described(holder)) from None
    try:
        with storing(f"lock · {holder}"):
            facts = {"pid": os.getpid(), "run_id": run_id, "started_at": started_at.isoformat()}
            holder.write_text(json.dumps(facts), "utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _described(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text("utf-8"))
        return f"run {facts['run_id']}, pid {facts['pid']}, started {facts['started_at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"holder of {holder.with_name('run.lock')}"
