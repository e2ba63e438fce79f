"""Making bytes stay: write aside, sync the file, rename, sync the folder. Neither Arrow nor DuckDB syncs by itself.

Also the one translation of what the operating system can refuse. Modes are set explicitly: the usual umask would leave
everything readable by anybody.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import LocalAccess, LocalResource, PipelineError, StoredDataDamaged

FOLDER_MODE = 0o750
SEALED_MODE = 0o440

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EEXIST}


def os_failure(error: OSError, where: str) -> PipelineError:
    """Our error for one of the operating system's; `where` names stage and file."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    if error.errno in _FULL:
        return LocalResource(f"this machine cannot store more: {reason}", where=where)
    if error.errno in _REFUSED:
        return LocalAccess(f"a file or folder cannot be used: {reason}", where=where)
    if error.errno == errno.EIO:
        return StoredDataDamaged(f"the storage device failed: {reason}", where=where)
    return LocalResource(f"storage failed: {reason}", where=where)


@contextmanager
def storing(where: str) -> Iterator[None]:
    """Whatever the operating system refuses inside becomes an error of ours that says where."""
    try:
        yield
    except OSError as error:
        raise os_failure(error, where) from error


def make_folder(path: Path) -> None:
    """The folder exists, and so do its parents; what had to be made has our mode and stays over a power loss."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """A file's bytes, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(source: Path, target: Path) -> None:
    """`source` is now called `target`, and stays so over a power loss. Both lie on one volume."""
    source.rename(target)
    sync(target.parent)
    if source.parent != target.parent and source.parent.exists():
        sync(source.parent)


def write_sealed(path: Path, content: bytes, *, mode: int = SEALED_MODE) -> None:
    """A file with exactly this content stands at `path`, whole or not at all."""
    aside = path.with_name(f".{path.name}.part")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode | 0o200)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.chmod(mode)
    move(aside, path)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
