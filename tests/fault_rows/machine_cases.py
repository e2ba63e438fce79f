"""Faults of the machine: disk, limits, devices, locks, and what others do to the data folder meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tracing import IS_POSSIBLE

from fault_rows.case import Case, Scene, Spoil, told_in_environment

ROOMY, CRAMPED = 96 * 1024 * 1024, 32 * 1024 * 1024


def volume(scene: Scene, size_bytes: int, files: int = 100_000) -> Path:
    """The data folder lies on a volume of its own, so large; where that is mounted."""
    place, aside = scene.folder / "volume", scene.folder / "aside"
    place.mkdir()
    scene.data.rename(aside)
    scene.data.mkdir()
    mount(scene, place, "-t", "tmpfs", "-o", f"size={size_bytes},nr_inodes={files}", "tmpfs")
    shutil.move(aside, place / "data")
    mount(scene, scene.data, "--bind", place / "data")
    return place


def mount(scene: Scene, place: Path, *what: object) -> None:
    if subprocess.run(["mount", *map(str, what), place], check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here (needs the right to mount)")
    scene.afterwards.callback(subprocess.run, ["umount", "--lazy", place], check=True)


def on_a_volume(size_bytes: int, files: int = 100_000) -> Spoil:
    """The data folder lies on a volume of this size."""
    return lambda scene: volume(scene, size_bytes, files) and None


def filled(left_bytes: int) -> Spoil:
    """Somebody else fills the volume but for so much, right before the first answer."""

    def spoil(scene: Scene) -> None:
        place = volume(scene, ROOMY)

        def fill() -> None:
            found = os.statvfs(place)
            with (place / "somebody-else-s").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - left_bytes)

        scene.when_asked(fill)

    return spoil


def no_more_files(left: int) -> Spoil:
    """Somebody else makes files until the volume has places for so many, right before the first answer."""

    def spoil(scene: Scene) -> None:
        place = volume(scene, ROOMY, 2_000)

        def fill() -> None:
            for number in range(os.statvfs(place).f_favail - left):
                (place / str(number)).touch()

        scene.when_asked(fill)

    return spoil


def limited(*arguments: str, **limits: int) -> Spoil:
    """What the operating system allows the command, which gets further arguments."""

    def spoil(scene: Scene) -> None:
        scene.arguments += arguments
        scene.limits |= limits

    return spoil


def refusing(call: str, error: str) -> Spoil:
    """A system call that fails whenever it is made."""

    def spoil(scene: Scene) -> None:
        if not IS_POSSIBLE:
            pytest.skip("system calls are refused on Linux on x86-64 only")
        scene.refused = (call, error)

    return spoil


def log_beside_the_pointer(scene: Scene) -> None:
    scene.data.joinpath("warehouse.duckdb.wal").write_bytes(b"of another database")


FULL = {
    "code": 30,
    "what": "this machine cannot store more",
    "where": ("storage.data_dir", "on the volume"),
    "do": "free ",
}

CASES = (
    # ---- 86: disk full at any write
    Case(86, "20 kB left when reading begins", filled(20_000), **FULL),
    Case(86, "200 kB left when reading begins", filled(200_000), **FULL),
    Case(86, "1 MB left when reading begins", filled(1_000_000), **FULL),
    Case(86, "6 MB left when reading begins", filled(6_000_000), **FULL),
    # ---- 87: too little room to begin
    Case(87, "a small volume", on_a_volume(CRAMPED), 30, ("too little room for a run", "MB free, 64.0 MB needed"),
         ("storage.data_dir", "on the volume"), ("free ", "MB on "), calls=0),
    # ---- 88: quota, file-size limit
    Case(88, "8 MB a file", limited(RLIMIT_FSIZE=8_000_000), 30, "File too large", "duckdb", "ulimit -f"),
    Case(88, "20 kB a file", limited("--full", RLIMIT_FSIZE=20_000), 30, "File too large", "pages.kept", "ulimit -f"),
    # ---- 89: inodes
    Case(89, "few places for files", on_a_volume(ROOMY, 400), 30, "inodes", "on the volume", "inodes", calls=0),
    Case(89, "no place for files under way", no_more_files(1), 30, ("this machine cannot store more", "inodes"),
         "on the volume", "inodes"),
    # ---- 91: open files
    Case(91, "16 open files", limited(RLIMIT_NOFILE=16), 30, "open files", (), "ulimit -n"),
    # ---- 93: the device
    Case(93, "it cannot be written", refusing("pwrite64", "EIO"), 40),
    Case(93, "it cannot be read", refusing("pread64", "EIO"), 40),
    # ---- 94: fsync
    Case(94, "it fails", refusing("fsync", "EIO"), 40, "the storage device failed", "staging", "check the disk"),
    Case(94, "it finds the disk full", refusing("fsync", "ENOSPC"), **FULL),
    # ---- 113: no locks
    Case(113, "not implemented", refusing("flock", "ENOSYS"), 31, "no lock", ("on the volume /", "storage.data_dir"),
         "local disk", calls=0),
    Case(113, "none left", refusing("flock", "ENOLCK"), 31, "no lock", "on the volume /", "local disk", calls=0),
    # ---- 118: a log beside the published file
    Case(118, "planted", log_beside_the_pointer, 40, "a DuckDB log lies beside warehouse.duckdb", "warehouse.duckdb.wal",
         "remove the log", calls=0),
    # ---- what a source can fill
    Case(None, "more pages than may be kept", told_in_environment(PROSPEND__STORAGE__MAX_KEPT_GB="0.000003"), 30,
         "storage.max_kept_gb", "staging", "storage.max_kept_gb"),
)  # fmt: skip
