"""Values of the sandbox: its settings, a request, and the answers it can give. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.sandbox.variants import Variants

if TYPE_CHECKING:
    from pipeline.sandbox.faults import Plan


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How to serve.

    Args:
        state_dir: folder for the certificate authority, the signing secret and the list of tokens; made if missing.
        seed: decides every byte of the books.
        claims: how many claims the books hold; all else grows with them.
        until: the day by which the books end, at most a week before it; None leaves them in June 2026. The first
            sandbox of a state folder that says it decides for all.
        port, admin_port: on the loopback interface; 0 takes a free one.
        page_cap: the greatest page, whatever `limit` asks for.
        cursor_lifetime_s: after so many seconds a cursor gets 400; None keeps it good for ever.
        cursor_lifetime_pages: only so many cursors of one walk are good, the next one gets 400; None is all.
        hourly_limit, monthly_limit: requests with a good token in any 60 minutes and any 30 days, beyond which they
            get 429 with Retry-After in seconds; None is no limit, as in the vendor's beta.
        variants: what is not documented, see there.
        faults: what to break from the beginning on.
        journal_entries: how many requests the journal remembers; its counters are exact for all.
    """

    state_dir: Path
    seed: int = 20260630
    claims: int = 4000
    until: date | None = None
    port: int = 0
    admin_port: int = 0
    page_cap: int = 1000
    cursor_lifetime_s: int | None = None
    cursor_lifetime_pages: int | None = None
    hourly_limit: int | None = None
    monthly_limit: int | None = None
    variants: Variants = field(default_factory=Variants)
    journal_entries: int = 200_000
    faults: Plan | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was sent: decoded path segments, query pairs in order, header names in lower case."""

    method: str
    target: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(repr=False)
    received_at: datetime

    @property
    def path(self) -> str:
        """The path as sent, without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Served:
    """Which records an answer holds: rows of a table, and places among the records injected there."""

    resource: str
    context: tuple[str, ...]
    rows: range | tuple[int, ...] = range(0)
    injected: range | tuple[int, ...] = range(0)

    @property
    def count(self) -> int:
        return len(self.rows) + len(self.injected)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer; the server adds date, length, compression and connection headers."""

    status: int
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    served: Served | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes as they are."""

    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Repeat:
    """Write these bytes so many times, no faster than the client reads."""

    raw: bytes = field(repr=False)
    times: int


@dataclass(frozen=True, slots=True)
class Drip:
    """Write these bytes a few at a time, with a pause after each few."""

    raw: bytes = field(repr=False)
    size_bytes: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass before the next step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection: in order, or by a reset when `abort`."""

    abort: bool = False


Step = Send | Repeat | Drip | Wait | Close | Reply


@dataclass(frozen=True, slots=True)
class Script:
    """An answer written step by step, legal HTTP or not; a reply as a step is written as it always is.

    `status` and, once all steps were taken, `served` are what the journal says.
    """

    steps: tuple[Step, ...]
    status: int = 0
    served: Served | None = None


Answer = Reply | Script
