"""What earlier runs left unfinished: whether this one goes on from it, and that nothing else of it remains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline import warehouse
from pipeline.model import EarlierRunUnfinished, Observe, run_order
from pipeline.ops import records, runs
from pipeline.snapshot import Began, Left, left_by_earlier, newest_accepted, sweep, why_not


def judged(data_dir: Path, began: Began, *, within_s: int, max_bytes: int) -> tuple[tuple[Left, str], ...]:
    """Pages that earlier runs kept, newest first, and why each is not used: "" for at most one, which is.

    Args:
        data_dir: the data folder.
        began: the run that begins.
        within_s: for how long after their last page, or after a pause for the call budget, pages may be gone on from.
        max_bytes: how much this run may keep.
    """
    found: list[tuple[Left, str]] = []
    is_chosen = False
    for left in left_by_earlier(data_dir, began.run_id):
        if runs.is_published(data_dir, left.run_id):
            continue  # it died between publishing and tidying up
        was_killed = bool(records.unrecorded(data_dir, [left.run_id]))
        reason = why_not(
            left,
            reading=began.reading,
            now=began.began_at,
            within_s=within_s,
            max_bytes=max_bytes,
            was_killed=was_killed,
        )
        found.append((left, "a later run kept more" if is_chosen and not reason else reason))
        is_chosen = is_chosen or not reason
    return tuple(found)


def tidy(data_dir: Path, run_id: str, lefts: Sequence[tuple[Left, str]], observe: Observe) -> None:
    """Nothing that earlier runs left unfinished remains; what became of each is on record and told.

    Called under the run lock, after the run has taken over the pages that it uses.
    """
    pages = {left.run_id: (left.pages, not_used) for left, not_used in lefts}
    unsealed = sweep(data_dir, under_way=run_id)
    warehouse.sweep(data_dir / "warehouse")
    # Whoever has left a folder was a run, unless it was a rebuild or an erasure. A kill may have come before the record
    # was written, or while it was: then nothing but the folder tells of that run.
    left = {*unsealed, *pages, *(path.name for path in (data_dir / "runs").glob("*"))}
    killed = records.unrecorded(data_dir, {one for one in left if runs.is_run_id(one)} - {run_id})
    newest = newest_accepted(data_dir) if killed else None  # it was not built on yet, or its record would stand
    for earlier_id in sorted({*killed, *pages}, key=run_order):
        if earlier_id in killed:
            is_sealed = newest is not None and newest["run_id"] == earlier_id
            records.save(data_dir, runs.report_of_unfinished(data_dir, earlier_id, is_sealed=is_sealed))
        observe(EarlierRunUnfinished(earlier_id, earlier_id in killed, *pages.get(earlier_id, (0, ""))))
