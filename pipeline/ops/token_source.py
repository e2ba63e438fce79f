"""Fetches the token from the one place the settings name, and keeps the process from giving it away.

The form of a token and what it says are judged in `auth`; here is only the touching of the machine.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.auth import Secret, checked_token, token_from_environment
from pipeline.errors import TokenError
from pipeline.settings import Token

_COMMAND_TIMEOUT_S: Final = 60
_LONGEST_FILE_BYTES: Final = 64 * 1024
_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def find_token(settings: Token, environ: Mapping[str, str]) -> Secret:
    """The token from the place that `settings` names.

    Raises:
        TokenError: nothing there, unreadable by us, readable by others, or malformed. No frame that held what was found
            stands in its traceback.
    """
    try:
        return _found(settings, environ)
    except TokenError as error:
        failure = error.with_traceback(None)
    failure.__context__ = failure.__cause__ = None  # an error of decoding holds the bytes
    environ = {}
    raise failure


def _found(settings: Token, environ: Mapping[str, str]) -> Secret:
    place = place_of(settings)
    if settings.env is not None:
        return token_from_environment(settings.env, environ)
    if settings.file is not None:
        return _from_file(settings.file, place)
    if settings.command is not None:
        return _from_command(settings.command, environ, place)
    if settings.keyring is not None:
        return _from_keyring(settings.keyring, place)
    if settings.credential is not None:
        return _from_credential(settings.credential, environ, place)
    raise TokenError("no place for the token is set", where="[token]", do="set token.env, token.file or token.command")


def place_of(settings: Token) -> str:
    """Where the token is looked for, in the words of messages: the place, never what stands there."""
    if settings.env is not None:
        return f"environment variable {settings.env}"
    if settings.file is not None:
        return f"[token] file {settings.file}"
    if settings.command is not None:
        return f"[token] command {settings.command[0]}"  # its arguments may say more than a message should
    if settings.keyring is not None:
        return f"[token] keyring {settings.keyring}"
    return f"[token] credential {settings.credential}" if settings.credential is not None else "[token]"


class Surroundings(dict[str, str]):
    """The environment's variables, which a traceback with locals does not show: the token may stand among them."""

    def __repr__(self) -> str:
        return f"Surroundings({len(self)} variables)"


def guarded_environment(settings: Token, environ: MutableMapping[str, str]) -> dict[str, str]:
    """The environment as it is, for `find_token`; the token's variable is then taken out of `environ` itself.

    Child processes do not inherit it, and from now on no memory of this process is written out: neither a core file
    nor, on Linux, to another process of the same user. For commands, once, before they read a token.
    """
    forbid_dumps()
    before = Surroundings(environ)
    if settings.env is not None:
        environ.pop(settings.env, None)
    return before


def forbid_dumps() -> None:
    """No core file of this process, and on Linux no reading of its memory or environment by its user's others."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _from_file(path: Path, place: str, *, extra_mode: int = 0) -> Secret:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(_LONGEST_FILE_BYTES)
    except OSError as error:
        raise TokenError(
            f"the token file cannot be read ({error.strerror})",
            where=place,
            do="correct token.file, or store the token there",
        ) from None
    mode = stat.S_IMODE(status.st_mode)
    # systemd's grant to the unit's user shows as a group bit of a file that is root's own.
    allowed = extra_mode if status.st_uid == 0 and status.st_gid == 0 else 0
    if mode & 0o077 & ~allowed:
        raise TokenError(
            f"the token file has mode {mode:04o}: others on this machine can read it",
            where=place,
            do=f"chmod 0600 {path}, and renew the token if others may have read it",
        )
    return checked_token(_text(raw, place), place=place)


def _from_command(command: tuple[str, ...], environ: Mapping[str, str], place: str) -> Secret:
    try:
        done = subprocess.run(  # noqa: S603 - the site's own setting, run without a shell
            command,
            check=False,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise TokenError(f"the token command did not answer within {_COMMAND_TIMEOUT_S} s", where=place) from None
    except OSError as error:
        raise TokenError(
            f"the token command cannot be started ({error.strerror})", where=place, do="correct token.command"
        ) from None
    if done.returncode != 0:
        raise TokenError(
            f"the token command failed with exit code {done.returncode}",
            where=place,
            do="run the command by hand as this user, correct it, run again",
        )
    return checked_token(_text(done.stdout, place), place=place)


def _from_keyring(entry: str, place: str) -> Secret:
    service, _, user = entry.partition("/")
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise TokenError(
            "the keyring package is not installed", where=place, do="pip install 'prospend-pipeline[keyring]'"
        ) from None
    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - every backend has its own errors, and none may show what it holds
        problem = type(error).__name__
    else:
        if not isinstance(found, str):
            raise TokenError("the keyring has no such entry", where=place, do=f"keyring set {service} {user}")
        return checked_token(found, place=place)
    raise TokenError(f"the keyring cannot be read ({problem})", where=place)


def _from_credential(name: str, environ: Mapping[str, str], place: str) -> Secret:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise TokenError(
            "CREDENTIALS_DIRECTORY is not set: systemd passed no credentials",
            where=place,
            do=f"add LoadCredential={name}:FILE to the unit's [Service], or use token.file outside systemd",
        )
    return _from_file(Path(folder) / name, place, extra_mode=0o040)


def _text(raw: bytes, place: str) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise TokenError(
            f"the token has a character that no token has, at byte {error.start + 1}", where=place
        ) from None
