"""What a power loss could take at each moment of a run, told from the calls it made: the order of writes and syncs.

Written bytes are safe once their file is synced, a name once its folder is; nothing else is (what some file systems
give beyond that is not relied on). Three things must hold: what is renamed is safe before, the new name is made safe
after, and when the pointer is switched everything it leads to is safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tracing import Call

POINTER = "warehouse.duckdb"
_WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range", "clone file")
_CHANGES = (*_WRITES, "ftruncate", "truncate", "fallocate")
_NAMES = ("openat", "open", "mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat", "unlink", "unlinkat", "rmdir")
_SYNCS = ("fsync", "fdatasync")
# What a run may lose without harm: scratch, the lock's holder, the newest lines of ledger and log, a name that was removed.
_MAY_BE_LOST = ("staging", "state", "logs")


@dataclass
class Disk:
    """What is not safe yet: files with bytes, and names in folders."""

    folder: str
    bytes_of: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    switched: bool = False

    def unsafe_below(self, path: str) -> list[str]:
        """What is not safe of a file, or of a folder and all in it."""
        return sorted(one for one in self.bytes_of | self.names if one.startswith(f"{path}/")) + (
            [path] if path in self.bytes_of else []
        )

    def must_stay(self) -> list[str]:
        """What is not safe and must be when readers are led to a new generation, and when a run ends."""
        scratch = tuple(f"{self.folder}/{name}" for name in _MAY_BE_LOST)
        aside = (f"{self.folder}/warehouse/.building", f"{self.folder}/.{POINTER}")
        return sorted(one for one in self.bytes_of | self.names if not one.startswith((*scratch, *aside)))


def unsafe(calls: Iterable[Call], folder: str) -> list[str]:
    """Everything in a run's calls that a power loss could turn into harm; empty when their order is right."""
    disk = Disk(folder)
    found = [told for call in calls for told in _after(disk, call)]
    found += [f"not synced when the run ended: {one}" for one in disk.must_stay()]
    if not disk.switched:
        found.append("the pointer was not switched")
    return [told.replace(f"{folder}/", "") for told in found]


def _after(disk: Disk, call: Call) -> Iterator[str]:
    """Let a call happen; what is wrong with it at this moment."""
    path = call.paths[0]
    if call.name in _SYNCS:
        disk.bytes_of.discard(path)
        disk.names -= {one for one in disk.names if str(PurePosixPath(one).parent) == path}
    elif call.name in _CHANGES:
        disk.bytes_of.add(path)
    elif call.name in ("unlink", "unlinkat", "rmdir"):
        disk.bytes_of.discard(path)
        disk.names.discard(path)
    elif call.name in _NAMES and call.paths[-1] != disk.folder:
        disk.names.add(call.paths[-1])
    elif call.name.startswith("rename"):
        yield from _renamed(disk, *call.paths)


def _renamed(disk: Disk, source: str, target: str) -> Iterator[str]:
    for one in disk.unsafe_below(source):
        yield f"renamed to {target} before it was synced: {one}"
    disk.names.discard(source)
    disk.bytes_of = {_moved(one, source, target) for one in disk.bytes_of}
    disk.names = {_moved(one, source, target) for one in disk.names}
    if target == f"{disk.folder}/{POINTER}":
        disk.switched = True
        for one in disk.must_stay():
            yield f"the pointer was switched before this was synced: {one}"
    disk.names.add(target)


def _moved(path: str, source: str, target: str) -> str:
    return target + path[len(source) :] if path == source or path.startswith(f"{source}/") else path
