"""Who is at the page: sessions in memory, found by the SHA-256 of a random id, and a brake on guessing passwords.

Knows nothing of HTTP and asks no clock: the time comes in. Nothing here outlives the process.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=8)
ATTEMPTS: Final = 5
ATTEMPTS_WITHIN: Final = timedelta(minutes=5)
_SESSION_LIMIT: Final = 256


@dataclass(slots=True)
class Session:
    """One visitor. Without `salt` nobody has signed in; with it, the password it names is the one that was given.

    `csrf` stands in every form. `fresh` are tokens just issued and not shown yet, by id; `notice` is what the next
    page says on top.
    """

    began_at: datetime
    seen_at: datetime
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    salt: bytes | None = field(default=None, repr=False)
    is_admin: bool = False
    fresh: dict[str, str] = field(default_factory=dict, repr=False)
    notice: str = ""

    def is_over(self, now: datetime) -> bool:
        """Idle for too long, or too old however busy."""
        return now - self.seen_at >= IDLE or now - self.began_at >= LONGEST


class Sessions:
    """All sessions by the hash of their id; the oldest goes when there are too many, visitors before users."""

    def __init__(self) -> None:
        self._by_hash: dict[str, Session] = {}

    def begin(self, now: datetime) -> tuple[str, Session]:
        """A session of nobody yet, and its id."""
        session = Session(now, now)
        return self._keep(session, now), session

    def find(self, identity: str | None, salt: bytes | None, now: datetime) -> Session | None:
        """The session with this id, if it is in force; `salt` is that of the password in force."""
        found = self._by_hash.get(_hash(identity)) if identity else None
        if found is None or found.is_over(now) or (found.salt is not None and found.salt != salt):
            self.end(identity)
            return None
        found.seen_at = now
        return found

    def renew(self, identity: str, session: Session, now: datetime) -> str:
        """A new id and a new form token for a session whose rights change; the old ones are worthless."""
        self.end(identity)
        session.csrf = secrets.token_urlsafe(32)
        return self._keep(session, now)

    def end(self, identity: str | None) -> None:
        """Forget a session."""
        if identity:
            self._by_hash.pop(_hash(identity), None)

    def _keep(self, session: Session, now: datetime) -> str:
        self._by_hash = {key: one for key, one in self._by_hash.items() if not one.is_over(now)}
        while len(self._by_hash) >= _SESSION_LIMIT:
            visitors = (key for key, one in self._by_hash.items() if one.salt is None)
            del self._by_hash[next(visitors, next(iter(self._by_hash)))]
        identity = secrets.token_urlsafe(32)
        self._by_hash[_hash(identity)] = session
        return identity


class Brake:
    """Lets a few sign-in attempts through in a while. An attempt counts when it begins, so that many at once count."""

    def __init__(self) -> None:
        self._begun: deque[datetime] = deque()

    def wait(self, now: datetime) -> timedelta | None:
        """None if an attempt may be made, and it then counts; else how long to wait."""
        while self._begun and now - self._begun[0] >= ATTEMPTS_WITHIN:
            self._begun.popleft()
        if len(self._begun) >= ATTEMPTS:
            return self._begun[0] + ATTEMPTS_WITHIN - now
        self._begun.append(now)
        return None

    def release(self) -> None:
        """A right password was given: earlier attempts were slips."""
        self._begun.clear()


def _hash(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
