"""Fetches the token from the one place the settings name: environment, file or command.

The form of a token and what it says are judged in `auth`; here is only the touching of the machine.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pipeline.auth import Secret, checked_token, token_from_environment
from pipeline.errors import TokenError
from pipeline.settings import Token

_COMMAND_TIMEOUT_S = 60
_LONGEST_FILE_BYTES = 64 * 1024


def find_token(settings: Token, environ: Mapping[str, str]) -> Secret:
    """The token from the place that `settings` names.

    Raises:
        TokenError: nothing there, unreadable by us, readable by others, or malformed.
    """
    if settings.env is not None:
        return token_from_environment(settings.env, environ)
    if settings.file is not None:
        return _from_file(settings.file)
    if settings.command is not None:
        return _from_command(settings.command, environ)
    raise TokenError("no place for the token is set", where="[token]", do="set token.env, token.file or token.command")


def _from_file(path: Path) -> Secret:
    place = f"[token] file {path}"
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read(_LONGEST_FILE_BYTES)
    except OSError as error:
        raise TokenError(f"the token file cannot be read ({error.strerror})", where=place) from None
    if mode & 0o077:
        raise TokenError(
            f"the token file has mode {mode:04o}: others on this machine can read it",
            where=place,
            do=f"chmod 0600 {path}, and renew the token if others may have read it",
        )
    return checked_token(_text(raw, place), place=place)


def _from_command(command: tuple[str, ...], environ: Mapping[str, str]) -> Secret:
    place = f"[token] command {command[0]}"
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
        raise TokenError(f"the token command cannot be started ({error.strerror})", where=place) from None
    if done.returncode != 0:
        raise TokenError(f"the token command failed with exit code {done.returncode}", where=place)
    return checked_token(_text(done.stdout, place), place=place)


def _text(raw: bytes, place: str) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise TokenError(
            f"the token has a character that no token has, at byte {error.start + 1}", where=place
        ) from None
