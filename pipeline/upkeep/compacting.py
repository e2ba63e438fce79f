"""Putting small parts together: many nights leave many small files, and each costs a rebuild and a verification.

The newest nights are left alone, and so is what is large enough. Files are put together within an era only, a full run
and the nights up to the next one: old snapshots go up to a full run, so a file never waits for a younger neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline import snapshot
from pipeline.snapshot import HeldPart, NewFile, OldFile

NEWEST_LEFT = 3
FEWEST_FILES = 4
SMALL_BYTES = 16 * 1024 * 1024
MOST_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PutTogether:
    """Small files of one name that become one."""

    file: NewFile

    @property
    def run_count(self) -> int:
        """How many runs' rows stand in it then."""
        return len({run_id for one in self.file.of for run_id in one.runs})

    @property
    def size_bytes(self) -> int:
        """Bytes of the files as they are now."""
        return sum(one.size_bytes for one in self.file.of)


def plan_compaction(
    data_dir: Path, chain: Sequence[Mapping[str, Any]], documents: Sequence[Mapping[str, Any]]
) -> tuple[PutTogether, ...]:
    """What is to be put together of the accepted runs, oldest first, that stay. Reads only.

    Raises:
        StoredDataDamaged: a part cannot be read.
    """
    found = []
    for era in _eras(chain[:-NEWEST_LEFT]):
        for name, files in files_of(data_dir, era, documents).items():
            small = [one for one in files if one.size_bytes < SMALL_BYTES]
            if len(small) >= FEWEST_FILES:
                found += [PutTogether(NewFile(name, group)) for group in _groups(data_dir, small)]
    return tuple(found)


def files_of(
    data_dir: Path, manifests: Sequence[Mapping[str, Any]], documents: Sequence[Mapping[str, Any]]
) -> dict[str, list[OldFile]]:
    """By name, every file with rows of some runs, in the order of the runs, and the rows that it has of each."""
    held: dict[str, dict[str, tuple[HeldPart, dict[str, int]]]] = {}
    for manifest in manifests:
        for name, parts in snapshot.parts_of(data_dir, manifest, documents=documents).items():
            for part in parts:
                _, runs = held.setdefault(name, {}).setdefault(part.path, (part, {}))
                runs[manifest["run_id"]] = part.rows
    return {
        name: [OldFile(part.path, part.size_bytes, part.sha256, runs) for part, runs in files.values()]
        for name, files in held.items()
    }


def is_full(manifest: Mapping[str, Any]) -> bool:
    """Whether a run read everything."""
    return all(facts["mode"] == "full" for facts in manifest["resources"].values())


def _eras(chain: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    starts = [0, *(place for place, manifest in enumerate(chain) if place and is_full(manifest)), len(chain)]
    for start, stop in pairwise(starts):
        if start < stop:
            yield chain[start:stop]


def _groups(data_dir: Path, files: Sequence[OldFile]) -> Iterator[tuple[OldFile, ...]]:
    """Files with the same columns, up to a size, where there are enough of them."""
    by_columns: dict[str, list[list[OldFile]]] = {}
    for one in files:
        groups = by_columns.setdefault(str(snapshot.columns_of(data_dir / one.path)), [[]])
        if sum(other.size_bytes for other in groups[-1]) + one.size_bytes > MOST_BYTES:
            groups.append([])
        groups[-1].append(one)
    yield from (tuple(group) for groups in by_columns.values() for group in groups if len(group) >= FEWEST_FILES)
