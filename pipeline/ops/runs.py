"""Run ids, the pointer that readers open, and what can be said of a run that could not speak for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline.errors import EXIT_PUBLISHED, LocalResource, PipelineError
from pipeline.model import Clock, ErrorLines, RunReport

_STAMP = "%Y%m%dT%H%M%SZ"
_STAMP_LENGTH = len("20261123T020000Z")
_KILLED = 128 + 9
MISSED_AFTER: Final = timedelta(hours=36)  # data of a nightly run that is older missed a night


def pointer_of(data_dir: Path) -> Path:
    """The link that readers open."""
    return data_dir / "warehouse.duckdb"


def generation_of(data_dir: Path, run_id: str) -> Path:
    """The warehouse file that a run publishes."""
    return data_dir / "warehouse" / f"{run_id}.duckdb"


def free_run_id(data_dir: Path, started_at: datetime) -> str:
    """The UTC start as a name, with -2 and on when that is taken.

    Never one that sorts before a sealed run's: a clock that was set back must not reorder the chain of runs. A run that
    sealed nothing binds nobody: it may have been refused because the clock was years ahead.
    """
    sealed = (path.parent.name[:_STAMP_LENGTH] for path in (data_dir / "runs").glob("2*Z*/manifest.json"))
    stamp = max([f"{started_at:{_STAMP}}", *sealed])
    for number in range(1, 1000):
        run_id = stamp if number == 1 else f"{stamp}-{number}"
        taken = (data_dir / "runs" / run_id, generation_of(data_dir, run_id), data_dir / "staging" / run_id)
        if not any(path.exists() for path in taken):
            return run_id
    raise LocalResource(f"a thousand runs began at {stamp}", do="wait a second, run again")


def started_at_of(run_id: str) -> datetime:
    """When a run began, by its id.

    Raises:
        ValueError: it is not a run id.
    """
    return datetime.strptime(run_id[:_STAMP_LENGTH], _STAMP).replace(tzinfo=UTC)


def is_run_id(name: str) -> bool:
    """Whether a run can be called so."""
    try:
        started_at_of(name)
    except ValueError:
        return False
    return True


def state_line(pointer: Path, now: datetime) -> str:
    """What readers have after a run that did not publish, in one sentence."""
    try:
        since = started_at_of(pointer.readlink().stem)
    except (OSError, ValueError):
        return "nothing published, and no earlier warehouse exists"
    hours = (now - since).total_seconds() / 3600
    return f"nothing published; readers remain on the warehouse of {since:%Y-%m-%d %H:%M} UTC ({hours:.0f} h old)"


@contextmanager
def state_told(pointer: Path, clock: Clock) -> Iterator[None]:
    """An error that leaves the block says what readers have, if it did not know."""
    try:
        yield
    except PipelineError as error:
        error.filled_in(state=state_line(pointer, clock()))
        raise


def is_published(data_dir: Path, run_id: str) -> bool:
    """Whether readers open what this run made."""
    published = generation_of(data_dir, run_id)
    return published.exists() and pointer_of(data_dir).resolve() == published.resolve()


def report_of_unfinished(data_dir: Path, run_id: str, *, is_sealed: bool) -> RunReport:
    """The record of a run that was killed before it could write its own; when it ended is not known.

    Args:
        data_dir: the data folder.
        run_id: of the run.
        is_sealed: its data is sealed and accepted: what comes after it builds on it.
    """
    try:
        started_at = started_at_of(run_id)
    except ValueError:
        started_at = datetime.fromtimestamp(0, UTC)
    if is_published(data_dir, run_id):
        published = str(generation_of(data_dir, run_id))
        return RunReport(run_id, "published", EXIT_PUBLISHED, started_at, started_at, published, None, None)
    sealed = "sealed, not published: " if is_sealed else ""
    told = ErrorLines(
        what=f"{sealed}the run ended without a word: it was killed, or the machine stopped",
        where=f"run {run_id}",
        state="what it read counts: the next run publishes it" if is_sealed else "nothing of it was published",
        do="nothing: a later run has tidied up",
    )
    return RunReport(run_id, "failed", _KILLED, started_at, started_at, None, None, None, error=told)
