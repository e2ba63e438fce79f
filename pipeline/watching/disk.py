"""What a data folder takes of its disk, by how much a night makes that grow, and how long the disk lasts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from pipeline import warehouse
from pipeline.durable import room_at
from pipeline.errors import PipelineError
from pipeline.ops.places import OWN_FOLDERS
from pipeline.ops.runs import pointer_of
from pipeline.snapshot import manifest_of, sealed_runs

_NIGHTS: Final = 14  # two weekly full ones among them


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes by folder and together, and what is free; of the last two None where too few nights tell."""

    sizes: Mapping[str, int]
    free_bytes: int
    growth_bytes_a_night: int | None
    nights_until_full: int | None

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return sum(self.sizes.values())


def disk_of(data_dir: Path, keep_generations: int) -> Disk:
    """Look at all of it. Files that vanish meanwhile are nobody's; damage is `verify`'s to name.

    Raises:
        PipelineError: the folder cannot be read.
    """
    files = [one.size_bytes for one in warehouse.generations(data_dir / "warehouse", pointer_of(data_dir))]
    parts: list[int] = []
    with suppress(PipelineError, OSError, KeyError, TypeError):
        parts = [_bytes_of_parts(manifest_of(data_dir, run_id)) for run_id in sealed_runs(data_dir)[-_NIGHTS:]]
    growth = growth_of(parts, files, keep_generations)
    free = room_at(data_dir).free_bytes
    sizes = {name: size for name in OWN_FOLDERS if (size := size_of(data_dir / name))}
    return Disk(sizes, free, growth, nights_until_full(free, growth, files, keep_generations))


def growth_of(parts: Sequence[int], files: Sequence[int], keep: int) -> int | None:
    """Bytes by which a night makes everything larger, once as many warehouse files are there as are kept.

    Args:
        parts: bytes of the snapshots of the last runs, oldest first; the first night's are left out, which read all.
        files: bytes of the warehouse files, newest first.
        keep: how many of these are kept: each of them is by so much larger than the one it takes the place of.
    """
    if len(parts) < 2 or len(files) < 2:
        return None
    larger = (files[0] - files[-1]) / (len(files) - 1)
    return round(fmean(parts[1:]) + max(larger, 0.0) * keep)


def nights_until_full(free: int, growth: int | None, files: Sequence[int], keep: int) -> int | None:
    """So many more nights have room, if each adds what the last ones did; warehouse files to come take theirs first."""
    if not growth:
        return None
    to_come = max(keep - len(files), 0) * files[0] if files else 0
    return max(free - to_come, 0) // growth


def size_of(path: Path) -> int:
    """Bytes of all files below a folder; links are not followed."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(Path(folder) / name).st_size
    return total


def _bytes_of_parts(manifest: Mapping[str, Any]) -> int:
    return sum(file["size_bytes"] for part in manifest["parts"].values() for file in part["files"])
