"""What the state folder keeps of the clock: where the books end, how far it stands, who serves and who may move it.

Days are enough: the same books live the same days again. Not here: moving the clock, and serving.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import msgspec
from filelock import FileLock

from pipeline.errors import ConfigError
from pipeline.sandbox.tokens import write_private

_CLOCK_FILE: Final = "clock.json"
_BOOKS_FILE: Final = "books.json"
_KEY_FILE: Final = "admin.key"
_SERVER_FILE: Final = "serving.json"


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days: int


class _Books(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    moved_days: int


class _Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    admin_url: str


def kept_days(state_dir: Path) -> int:
    """How many days the clock of this folder has moved.

    Raises:
        ConfigError: the file is not one the sandbox wrote.
    """
    path = state_dir / _CLOCK_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept).days
    except FileNotFoundError:
        return 0
    except msgspec.DecodeError:
        what = "the clock of the sandbox cannot be read"
        raise ConfigError(what, where=str(path), do="delete the file: the clock starts again") from None


def moved_days(state_dir: Path, *, wanted: int | None) -> int:
    """By how many days the books of this folder are moved: as its first sandbox wanted that wanted any.

    Later ones cannot move them again: they would change every record of the past.

    Raises:
        ConfigError: the file is not one the sandbox wrote.
    """
    path = state_dir / _BOOKS_FILE
    with _locked(state_dir):
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Books).moved_days
        except FileNotFoundError:
            if wanted is not None:
                write_private(path, msgspec.json.encode(_Books(wanted)))
            return wanted or 0
        except msgspec.DecodeError:
            what = "where the books of the sandbox end cannot be read"
            raise ConfigError(what, where=str(path), do="delete the folder: the sandbox begins anew") from None


def keep_days(state_dir: Path, days: int) -> None:
    """Make the next sandbox of this folder start so many days on."""
    with _locked(state_dir):
        write_private(state_dir / _CLOCK_FILE, msgspec.json.encode(_Kept(days)))


def admin_secret(state_dir: Path) -> str:
    """What a request that moves the clock must carry, made at random on first use."""
    with _locked(state_dir):
        path = state_dir / _KEY_FILE
        if not path.exists():
            write_private(path, secrets.token_hex(32).encode())
        return path.read_text()


def note_server(state_dir: Path, admin_url: str) -> None:
    """Let other processes find the server of this folder; the newest one is found."""
    write_private(state_dir / _SERVER_FILE, msgspec.json.encode(_Server(admin_url)))


def forget_server(state_dir: Path, admin_url: str) -> None:
    """The opposite, unless another server has taken the place."""
    if noted_server(state_dir) == admin_url:
        (state_dir / _SERVER_FILE).unlink(missing_ok=True)


def noted_server(state_dir: Path) -> str | None:
    """Where the admin port of the folder's server is; None when none is known."""
    try:
        return msgspec.json.decode((state_dir / _SERVER_FILE).read_bytes(), type=_Server).admin_url
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _locked(state_dir: Path) -> FileLock:
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(state_dir / ".lock", mode=0o600, is_singleton=True)
