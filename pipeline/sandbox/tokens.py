"""API tokens as the vendor documents them: HS256 JWTs, valid for two years, no scopes, revocable at once.

The state folder keeps the signing secret and, of each token, only a hash. The token itself is shown once, by `new`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import jwt
import msgspec
from filelock import FileLock

ALGORITHM: Final = "HS256"
VALIDITY: Final = timedelta(days=730)
SITE: Final = "sandbox"
_KEY_FILE: Final = "signing.key"
_TOKENS_FILE: Final = "tokens.json"
_MEMO_LIMIT: Final = 256


class Entry(msgspec.Struct, frozen=True):
    """What is kept of a token: never the token."""

    id: str
    name: str
    sha256: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just issued, and what is kept of it."""

    text: str = field(repr=False)
    entry: Entry


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides whom to let in, by the secret and the tokens as they stood when it was made."""

    secret: bytes = field(repr=False)
    entries: dict[str, Entry]
    _known: dict[str, Entry] = field(default_factory=dict, repr=False, compare=False)

    def admits(self, authorization: str | None, now: datetime) -> bool:
        """Whether a header carries a token of ours that is sound, neither expired nor revoked.

        A text that was verified before is not verified again, but expiry and revocation are looked at each time.
        """
        if authorization is None:
            return False
        entry = self._known.get(authorization)
        if entry is None:
            entry = self._verified(authorization, now)
            if entry is None:
                return False
            if len(self._known) >= _MEMO_LIMIT:
                self._known.clear()
            self._known[authorization] = entry
        return entry.state(now) == "active"

    def _verified(self, authorization: str, now: datetime) -> Entry | None:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            # PyJWT reads the machine's clock; the time of the request is what counts, so expiry is checked here.
            claims = jwt.decode(
                text,
                self.secret,
                algorithms=[ALGORITHM],
                options={"require": ["sub", "iat", "exp", "jti"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return None
        entry = self.entries.get(str(claims["jti"]))
        if entry is None or claims.get("site") != SITE or not isinstance(claims["exp"], int):
            return None
        known = hmac.compare_digest(entry.sha256, _sha256(text))
        return entry if known and now.timestamp() < claims["exp"] else None


def new(state_dir: Path, *, now: datetime, name: str = "", subject: str = "sandbox-admin") -> NewToken:
    """Issue a token; it is in force from the next request on."""
    issued = now.astimezone(UTC).replace(microsecond=0)
    identity = secrets.token_hex(8)
    claims = {
        "sub": subject,
        "iat": int(issued.timestamp()),
        "exp": int((issued + VALIDITY).timestamp()),
        "jti": identity,
        "site": SITE,
    }
    text = jwt.encode(claims, signing_secret(state_dir), algorithm=ALGORITHM)
    entry = Entry(identity, name, _sha256(text), issued, issued + VALIDITY)
    with _locked(state_dir):
        _write(state_dir, (*listed(state_dir), entry))
    return NewToken(text, entry)


def listed(state_dir: Path) -> tuple[Entry, ...]:
    """All tokens ever issued, oldest first."""
    path = state_dir / _TOKENS_FILE
    return msgspec.json.decode(path.read_bytes(), type=tuple[Entry, ...]) if path.exists() else ()


def revoke(state_dir: Path, identity: str, *, now: datetime) -> Entry:
    """Make a token worthless from the next request on; revoking twice keeps the first time.

    Raises:
        KeyError: there is no such token.
    """
    with _locked(state_dir):
        entries = {entry.id: entry for entry in listed(state_dir)}
        entry = entries[identity]
        if entry.revoked_at is None:
            entry = msgspec.structs.replace(entry, revoked_at=now.astimezone(UTC))
            _write(state_dir, tuple({**entries, identity: entry}.values()))
    return entry


def open_gate(state_dir: Path) -> Gate:
    """The gate as the state folder says now."""
    return Gate(signing_secret(state_dir), {entry.id: entry for entry in listed(state_dir)})


def stamp(state_dir: Path) -> tuple[int, int, int]:
    """Changes whenever the list of tokens does; costs one look at the folder."""
    try:
        found = os.stat(f"{state_dir}/{_TOKENS_FILE}")  # noqa: PTH116 - asked on every request
    except FileNotFoundError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def signing_secret(state_dir: Path) -> bytes:
    """The secret that signs tokens, made at random on first use."""
    with _locked(state_dir):
        path = state_dir / _KEY_FILE
        if not path.exists():
            write_private(path, secrets.token_bytes(32))
        return path.read_bytes()


def write_private(path: Path, content: bytes) -> None:
    """Put a file in place whole, readable by its owner alone."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    beside.replace(path)


def _write(state_dir: Path, entries: tuple[Entry, ...]) -> None:
    write_private(state_dir / _TOKENS_FILE, msgspec.json.encode(entries))


def _locked(state_dir: Path) -> FileLock:
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(state_dir / ".lock", mode=0o600, is_singleton=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
