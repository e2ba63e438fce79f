"""The search for tokens: which were issued, the forms in which they could be told, and where to look.

Every token that tests use is issued by a sandbox, whose state folder keeps the signing secret and each token's facts but
never the token: from these each token is made again, whichever process issued it, and proven by its hash.

Not a pattern for each form, but windows: every eight characters of every form are known, and of what is searched every
eighth place is looked up. Twenty characters of a token in a row, or more, cannot be missed, however they were cut.
"""

from __future__ import annotations

import base64
import os
import re
import urllib.parse
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import jwt
import numpy as np
from readable import contents_of

from pipeline.sandbox import tokens
from pipeline.sandbox.page import account

LEAST = 20  # characters in a row that are a leak; fewer could be chance, or the `eyJhbGci` that people know tokens by
_WINDOW = np.dtype("<u8")  # eight characters as one number
_MAYBE_BITS = 24
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PERCENT = re.compile(rb"(?:%[0-9A-Fa-f]{2}){20,}")

SUBJECTS = ("sandbox-admin", account.USER)
# A token stands where somebody has to put it: in a file of this name, readable by its owner. Nowhere else.
TOKEN_FILES = ("token", "sandbox-token")


class TokenToldError(AssertionError):
    """A token was found where none may be."""


def forms_of(token: str) -> dict[str, bytes]:
    """The token in the forms in which it could be told, by name.

    Its segments, header included, are pieces of these. Of base64, the characters that depend on what stands beside the
    token are left out. Its two alphabets do not differ in what encodes a token; percent-encoding of single characters
    leaves the segments as they are, of all characters is undone by the search.
    """
    forms = {"plain": token.encode(), "reversed": token[::-1].encode()}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + token.encode() + b"\0" * (-(before + len(token)) % 3))
        forms[f"base64, {before} bytes on"] = encoded[4:-4]
    return forms


def traces_of(token: str) -> list[bytes]:
    """Everything that must be found: the forms, the segments alone, and the token percent-encoded throughout."""
    percent = "".join(f"%{byte:02X}" for byte in token.encode())
    whole = [token, percent, urllib.parse.quote(token, safe=""), *token.split(".")]
    forms = [form for part in (token, *token.split(".")) for form in forms_of(part).values()]
    return list(dict.fromkeys([*(text.encode() for text in whole), *forms]))


@dataclass
class Canary:
    """The tokens known so far, and the search for them."""

    known: set[str] = field(default_factory=set)
    piece_bytes: int = 64 * 1024 * 1024
    _windows: set[int] = field(default_factory=set)
    _maybe: np.ndarray = field(default_factory=lambda: np.zeros(1 << _MAYBE_BITS, dtype=np.bool_))
    _seen: dict[Path, tuple[int, int, int]] = field(default_factory=dict)

    def learn(self, token: str) -> None:
        """Search for this token too, from now on."""
        if token in self.known:
            return
        self.known.add(token)
        for form in forms_of(token).values():
            windows = [np.frombuffer(form, _WINDOW, (len(form) - at) // 8, at) for at in range(8)]
            every = np.concatenate(windows)
            self._windows.update(every.tolist())
            self._maybe[_place(every)] = True

    def learn_from(self, state_dir: Path) -> None:
        """Search for every token of a sandbox's state folder.

        Raises:
            LookupError: one of them cannot be made again, so that it could not be searched for.
        """
        if not all((state_dir / name).is_file() for name in ("tokens.json", "signing.key")):
            return
        stamp = tokens.stamp(state_dir)
        if self._seen.get(state_dir) == stamp:
            return
        for entry in tokens.listed(state_dir):
            self.learn(issued_token(entry, (state_dir / "signing.key").read_bytes()))
        self._seen[state_dir] = stamp

    def learn_below(self, *folders: Path) -> list[str]:
        """Search for every token of every state folder in there, and of those known before; what cannot be known."""
        found = {path.parent for folder in folders for path in folder.rglob("tokens.json")}
        unknown = []
        for state_dir in (*found, *self._seen):
            try:
                self.learn_from(state_dir)
            except LookupError as error:
                unknown.append(f"{state_dir}: {error}")
        return unknown

    def told_in(self, content: bytes) -> bytes | None:
        """The first piece of a token in there, or None."""
        for start in range(0, max(len(content), 1), self.piece_bytes):
            piece = content[start : start + self.piece_bytes + 3 * LEAST]
            found = self._searched(piece) or self._in_percent(piece)
            if found is not None:
                return found
        return None

    def told_by(self, path: Path, by: duckdb.DuckDBPyConnection | None = None) -> str | None:
        """Where in a file, if at all, a piece of a token stands: its bytes, or its values where it is compressed."""
        for place, content in contents_of(path, by):
            found = self.told_in(content)
            if found is not None:
                return f"{place}: {shown(found)}"
        return None

    def _searched(self, content: bytes) -> bytes | None:
        padded = content + b"\0" * (-len(content) % 8)
        rows = np.frombuffer(padded, _WINDOW)
        for row in np.flatnonzero(self._maybe[_place(rows)]):
            if int(rows[row]) in self._windows:
                found = self._extended(padded, int(row) * 8)
                if len(found) >= LEAST:
                    return found
        return None

    def _extended(self, content: bytes, at: int) -> bytes:
        start = end = at
        while start > 0 and self._is_known(content, start - 1):
            start -= 1
        while self._is_known(content, end + 1):
            end += 1
        return content[start : end + 8]

    def _is_known(self, content: bytes, at: int) -> bool:
        window = content[at : at + 8]
        return len(window) == 8 and int.from_bytes(window, "little") in self._windows

    def _in_percent(self, content: bytes) -> bytes | None:
        signs = np.frombuffer(content, np.uint8) == ord("%")
        if len(signs) < 3 * LEAST or not _stand_apart(signs).any():
            return None
        found = (self._searched(urllib.parse.unquote_to_bytes(match[0])) for match in _PERCENT.finditer(content))
        return next((piece for piece in found if piece is not None), None)


def _place(windows: np.ndarray) -> np.ndarray:
    return (windows * _MIX) >> np.uint64(64 - _MAYBE_BITS)


def _stand_apart(signs: np.ndarray) -> np.ndarray:
    """Where so many percent signs may begin, three characters apart, that `_PERCENT` is worth the while."""
    count = len(signs) - 3 * LEAST + 1
    return signs[:count] & signs[3:][:count] & signs[6:][:count] & signs[3 * LEAST - 3 :][:count]


def issued_token(entry: tokens.Entry, secret: bytes) -> str:
    """The token of which the sandbox kept only this."""
    for subject in SUBJECTS:
        claims = {
            "sub": subject,
            "iat": int(entry.issued_at.timestamp()),
            "exp": int(entry.expires_at.timestamp()),
            "jti": entry.id,
            "site": tokens.SITE,
        }
        text = jwt.encode(claims, secret, algorithm=tokens.ALGORITHM)
        if tokens._sha256(text) == entry.sha256:
            return text
    raise LookupError(f"token {entry.id} cannot be made again from what its sandbox keeps")


def shown(piece: bytes) -> str:
    """Enough of a found piece to recognise it by; not all, as this is printed."""
    return f"{piece[:8].decode('latin-1')}... ({len(piece)} characters)"


def files_below(*folders: Path, without: Collection[str] = ()) -> Iterator[Path]:
    """Every regular file in there, but for those in which a token belongs; links are not followed."""
    for folder in folders:
        for root, below, names in os.walk(folder):
            below[:] = [name for name in below if name not in without]
            wanted = (Path(root, name) for name in names if name not in TOKEN_FILES)
            yield from (path for path in wanted if path.is_file() and not path.is_symlink())


def assert_not_told(token: str, places: Iterable[Path], *texts: str) -> None:
    """No file below the places and no text holds a trace of the token.

    Raises:
        TokenToldError: one does.
    """
    canary = Canary()
    canary.learn(token)
    for text in texts:
        found = canary.told_in(text.encode(errors="surrogateescape"))
        if found is not None:
            raise TokenToldError(f"in a text: {shown(found)}")
    for path in files_below(*places):
        found = canary.told_by(path)
        if found is not None:
            raise TokenToldError(f"in {path}, {found}")
