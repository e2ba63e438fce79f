"""Room on the volume of the data folder: what a night needs of it, and what is told when there is too little."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline import upkeep
from pipeline.errors import DiskFull, LocalResource
from pipeline.model import Room
from pipeline.night.values import Night
from pipeline.snapshot import KeptPages

# The pages as they came, the parts made of them, the new warehouse file, and what does not fit into memory meanwhile.
TIMES_LAST: Final = 2.5
LEAST_BYTES: Final = 64 * 10**6  # of a first night nothing is known; an empty warehouse takes some megabytes
LEAST_FILES: Final = 500


def needed_bytes(night: Night) -> int:
    """What a night may write before it can be tidied up: some times what the last one left."""
    last = night.base.last
    if last is None:
        return LEAST_BYTES
    left: int = sum(part["size_bytes"] for one in last["parts"].values() for part in one["files"])
    with suppress(OSError):  # a run that was cut off before it published has left no file
        left += night.pointer.stat().st_size
    if night.settings.report.parquet:
        left += sum(path.stat().st_size for path in upkeep.parquet.link_of(night.data_dir).rglob("*.parquet"))
    return max(LEAST_BYTES, round(TIMES_LAST * left))


def refuse_cramped(night: Night, kept_bytes: int) -> None:
    """Nothing, if the volume has room for a night; asked before the first request.

    Args:
        night: of the run that begins.
        kept_bytes: of the pages that it goes on from: they need no room again.

    Raises:
        LocalResource: it has not.
    """
    found = night.world.room(night.data_dir)
    needed = needed_bytes(night) - kept_bytes
    if short := _short(found, needed):
        raise LocalResource(
            f"too little room for a run: {short}", where=_where(night.data_dir, found), do=_do(found, needed)
        )


def told(full: DiskFull, night: Night, kept: KeptPages) -> bool:
    """The error of a volume that was filled up also says how much is free and needed, once the run has tidied up.

    Returns whether its pages are to be given up: they fill the volume if there is room enough without them, and only
    then.
    """
    found, needed = night.world.room(night.data_dir), needed_bytes(night)
    are_too_many = found.free_bytes < needed <= found.free_bytes + kept.size_bytes
    if are_too_many:
        full.what += f"; the {kept.count:,} pages read so far filled it and are given up"
        found = Room(found.mount, found.free_bytes + kept.size_bytes, found.free_files)
    full.what += f"; {_short(found, needed) or f'{_size(found.free_bytes)} free now that the run has tidied up'}"
    full.where = "; ".join(filter(None, (full.where, _where(night.data_dir, found))))
    full.do = _do(found, needed)
    return are_too_many


def _short(found: Room, needed: int) -> str:
    """What there is too little of, and how much a run needs; "" if there is enough."""
    short = []
    if found.free_bytes < needed:
        short.append(f"{_size(found.free_bytes)} free, {_size(needed)} needed")
    if found.free_files is not None and found.free_files < LEAST_FILES:
        short.append(f"{found.free_files:,} inodes (places for files) free, {LEAST_FILES:,} needed")
    return ", ".join(short)


def _where(data_dir: Path, found: Room) -> str:
    return f"storage.data_dir = {data_dir}, on the volume {found.mount}"


def _do(found: Room, needed: int) -> str:
    missing = [f"{_size(needed - found.free_bytes)}"] if found.free_bytes < needed else []
    if found.free_files is not None and found.free_files < LEAST_FILES:
        missing.append(f"{LEAST_FILES - found.free_files:,} inodes (remove small files)")
    what = " and ".join(missing) or "disk space"
    return f"free {what} on {found.mount}, or move the data folder to a larger volume, then run again"


def _size(count: int) -> str:
    return f"{count / 10**9:,.1f} GB" if count >= 10**9 else f"{count / 10**6:,.1f} MB"
