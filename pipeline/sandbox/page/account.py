"""The one account that signs in to the page: its name, and a salted scrypt hash of its password.

The password in clear exists in two moments only: when it is made, and while a sign-in is checked. Nothing here knows
of HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

import msgspec

from pipeline.sandbox.tokens import write_private

USER: Final = "admin@sandbox.invalid"
SHORTEST: Final = 12
LONGEST: Final = 128
_FILE: Final = "account.json"
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_GROUPS, _GROUP_SIZE = 4, 5
# 16 MiB and about a tenth of a second a guess.
# Source: OWASP "Password Storage Cheat Sheet", scrypt, read 2026-11.
_COST, _BLOCK_SIZE, _PARALLEL = 1 << 14, 8, 5
_MEMORY_BYTES: Final = 32 * 1024 * 1024


class Account(msgspec.Struct, frozen=True):
    """What is kept: never the password. `salt` is new with every password."""

    user: str
    salt: bytes
    scrypt: bytes

    def admits(self, user: str, password: str) -> bool:
        """Whether this is the name and the password; takes the same time whichever of them is wrong."""
        is_user = hmac.compare_digest(user.strip().lower().encode(), self.user.encode())
        is_password = hmac.compare_digest(_scrypt(password[: LONGEST + 1], self.salt), self.scrypt)
        return is_user & is_password


def find(state_dir: Path) -> Account | None:
    """The account as the state folder says now; None before its first password."""
    try:
        return msgspec.json.decode((state_dir / _FILE).read_bytes(), type=Account)
    except FileNotFoundError:
        return None


def make_once(state_dir: Path) -> str | None:
    """A password for the account if it has none yet, to be shown once; None if it has."""
    return make(state_dir) if find(state_dir) is None else None


def make(state_dir: Path) -> str:
    """A new random password of about 99 bits, to be shown once. Whoever is signed in is signed out."""
    password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_SIZE)) for _ in range(_GROUPS))
    put(state_dir, password)
    return password


def put(state_dir: Path, password: str) -> None:
    """This is the password from now on. Whoever is signed in is signed out.

    Raises:
        ValueError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}")
    salt = secrets.token_bytes(16)
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(state_dir / _FILE, msgspec.json.encode(Account(USER, salt, _scrypt(password, salt))))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=_COST,
        r=_BLOCK_SIZE,
        p=_PARALLEL,
        maxmem=_MEMORY_BYTES,
        dklen=32,
    )
