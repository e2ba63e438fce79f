"""Making bytes stay: write aside, sync the file, rename, sync the folder. Neither Arrow nor DuckDB syncs by itself.

Also the one translation of what the operating system can refuse. Modes are set explicitly: the usual umask would leave
everything readable by anybody.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import DiskFull, LocalAccess, LocalResource, PipelineError, StoredDataDamaged
from pipeline.model import Room

FOLDER_MODE = 0o750
SEALED_MODE = 0o440

_FULL = {errno.ENOSPC, errno.EDQUOT}
_LIMITS = {
    errno.EFBIG: "raise the file size limit of this user (ulimit -f), run again",
    errno.EMFILE: "raise the limit of open files (ulimit -n), run again",
    errno.ENFILE: "close programs that hold many files open, run again",
    errno.ENOMEM: "free memory on this machine, run again",
}
_IN_THE_WAY = "move what is in the way of this file or folder aside, run again"
_REFUSED = {
    errno.EACCES: "",
    errno.EPERM: "",
    errno.EROFS: "mount the volume of storage.data_dir for writing, run again",
    errno.ENOENT: "run again, and let nothing else move or remove what lies in storage.data_dir",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.ELOOP: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
}


def os_failure(error: OSError, where: str) -> PipelineError:
    """Our error for one of the operating system's; `where` names stage and file."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    if error.errno in _FULL:
        return DiskFull(f"this machine cannot store more: {reason}", where=where)
    if error.errno in _LIMITS:
        return LocalResource(f"a limit of this machine was reached: {reason}", where=where, do=_LIMITS[error.errno])
    if error.errno in _REFUSED:
        return LocalAccess(f"a file or folder cannot be used: {reason}", where=where, do=_REFUSED[error.errno])
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


def room_at(folder: Path) -> Room:
    """What is free on the volume of a folder, for a user without privileges."""
    with storing(str(folder)):
        found = os.statvfs(folder)
    path = folder.resolve()
    mount = next(one for one in (path, *path.parents) if one.is_mount() or one == one.parent)
    return Room(str(mount), found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def owner_of(path: Path) -> str:
    """Who owns a file or folder: a name, or a number where the machine has none for it."""
    try:
        return path.owner()
    except KeyError:
        return str(path.stat().st_uid)


def make_folder(path: Path) -> None:
    """The folder exists, and so do its parents; what had to be made has our mode and stays over a power loss."""
    if not path.is_dir():
        make_folder(path.parent)
        with suppress(FileExistsError):  # another process was faster
            own_folder(path)
        sync(path.parent)


def own_folder(path: Path) -> None:
    """The folder is made, with our mode: a strict umask would shut readers of the group out."""
    path.mkdir(mode=FOLDER_MODE)
    path.chmod(FOLDER_MODE)


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


def point(link: Path, target: Path) -> None:
    """The link leads to `target` from one instant to the next, and stays so over a power loss."""
    aside = link.with_name(f".{link.name}.next")
    aside.unlink(missing_ok=True)  # of one that was cut off
    aside.symlink_to(os.path.relpath(target, link.parent))
    aside.replace(link)
    sync(link.parent)


def write_sealed(path: Path, content: bytes, *, mode: int = SEALED_MODE) -> None:
    """A file with exactly this content stands at `path`, whole or not at all."""
    aside = path.with_name(f".{path.name}.part")
    aside.unlink(missing_ok=True)  # a kill between the two last steps leaves one that nobody may write to
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode | 0o200)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.chmod(mode)
    move(aside, path)


def document_hash(document: Mapping[str, Any]) -> str:
    """The hash of a JSON document of ours, without the one that it states itself under `sha256`."""
    content = {key: value for key, value in document.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """A JSON document of ours as it is written: a file with other bytes was changed, whatever they mean."""
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def not_ours(path: Path, owner: int) -> str:
    """Why what stands at `path` may not be what this program put there, in words; "" if nothing shows.

    Args:
        path: a file of a data folder; a link is not followed.
        owner: user id that everything belongs to.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return "it is a link" if stat.S_ISLNK(found.st_mode) else "it is no plain file"
    if found.st_uid != owner:
        return "it belongs to another user than its data folder"
    if found.st_mode & 0o022:
        return "other users may write to it"
    return "everybody may read it" if found.st_mode & 0o007 else ""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
