"""The values that travel between stages, and the shapes of the seams.

Frozen, comparable, without behaviour beyond simple derivation. No I/O, no clock, nothing of a foreign package.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

# A path placeholder and its value, outermost parent first: (("companyId", "1"), ("claimId", "3462")).
Context = tuple[tuple[str, str], ...]
Params = tuple[tuple[str, str], ...]

Clock = Callable[[], datetime]
"""Returns an aware UTC instant."""
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Room:
    """What a volume has left; `free_files` counts inodes, None where the file system makes them as needed."""

    mount: str
    free_bytes: int
    free_files: int | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What a run takes from outside itself, so that tests can give their own.

    `monotonic` counts seconds and never goes back; `random` gives even numbers in [0, 1); `room` tells what is
    free on a folder's volume.
    """

    clock: Clock
    sleep: Sleep
    monotonic: Callable[[], float]
    random: Callable[[], float]
    room: Callable[[Path], Room]


@dataclass(frozen=True, slots=True)
class Request:
    """One GET: a path under the base URL (percent-encoded) and its query parameters.

    `resource` is what the call is counted under; `label` says where in the run it stands, for messages. The rest tells
    apart what a run asks more than once on purpose: why it asks, in which round, and in which turn of one walk.
    """

    path: str
    params: Params = ()
    resource: str = ""
    label: str = ""
    purpose: Purpose = "main"
    round_number: int = 0
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer with status 200: the body after decompression, and the server's own clock if it gave it.

    `packed` is the body in gzip, where it came so and was small enough to be kept beside it; else empty.
    """

    body: bytes
    received_at: datetime
    server_date: str | None = None
    packed: bytes = b""


Send = Callable[[Request], Awaitable[Response]]
"""The seam to the network: every attempt, limit and refusal has happened behind it."""


@dataclass(frozen=True, slots=True)
class Walk:
    """All pages of one resource under one parent with one set of parameters.

    `context` names the parents; `params` are the filters, resent with every cursor.
    """

    resource: str
    context: Context = ()
    params: Params = ()


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer, still as raw JSON text.

    `ordinal` counts the pages of a resource in order of arrival within a run, from 0: with the record's index it
    names where a row came from, and it breaks ties between two versions of a record (the later fetch wins). `marks` are
    the records' fingerprints, if whoever read the page needed them.
    """

    walk: Walk
    ordinal: int
    records: tuple[bytes, ...]
    fetched_at: datetime
    proof: PageProof | None = None
    marks: array[int] | None = None


Purpose = Literal["main", "catch_up", "recheck", "lookup"]
"""Why a page is asked for: the walk itself; once more for what changed meanwhile; a sample of what should not have
changed; a single record that a list no longer shows."""


@dataclass(frozen=True, slots=True)
class PageProof:
    """Where a page stands in its walk, so that a walk can be shown to be complete. One row of the part `_pages`.

    `context` holds the parents' keys, outermost first; `number` counts the pages of the walk from 1; `ordinal` is the
    page's ordinal in its resource, the `_page` of its rows. The cursors are the first 16 hexadecimal digits of their
    SHA-256, None at the ends of the list: a walk that met its neighbour's ends before. `first_updated` and
    `last_updated` are known once the page is decoded, and `is_ascending` tells that the update times on the page do
    not go back.
    """

    resource: str
    context: tuple[str, ...]
    params: Params
    purpose: Purpose
    turn: int
    number: int
    ordinal: int
    cursor_in: str | None
    cursor_out: str | None
    record_count: int
    received_at: datetime
    body_sha256: str
    first_updated: datetime | None = None
    last_updated: datetime | None = None
    is_ascending: bool = True


@dataclass(frozen=True, slots=True)
class Deletion:
    """A record that the source no longer has, and what proves it: a look-up of its own, its complete list, its parent.

    `key` holds the values of the resource's identity, outermost parent first.
    """

    resource: str
    key: tuple[str, ...]
    proof: Literal["lookup", "walk", "parent"]
    proven_at: datetime


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that did not fit, with where it stood and why. `reason` names types, never the value.

    `fetched_at` is when its page arrived.
    """

    resource: str
    context: Context
    page: int
    record: int
    field: str
    reason: str
    raw: bytes = dataclasses.field(repr=False)
    fetched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something true of a field in some accepted records that a person may want to know."""

    resource: str
    field: str
    kind: Literal["unknown_field", "precision_reduced", "unknown_value", "alias_used"]
    record_count: int


@dataclass(frozen=True, slots=True, order=True)
class ControlTotal:
    """The exact sum of one money field of one resource in one currency, and how many values it adds.

    `table` is the warehouse table the field lands in, `column` its snake_case name there; `currency` is "" where the
    source gives none beside the amount.
    """

    resource: str
    table: str
    column: str
    currency: str
    value_count: int
    total: Decimal


@dataclass(frozen=True, slots=True)
class ColumnFill:
    """How many rows of a warehouse table there are, and in how many of them one column holds a value."""

    table: str
    column: str
    rows: int
    filled: int


@dataclass(frozen=True, slots=True)
class Blamed:
    """A row that a check found wrong: the key of its record, outermost parent first, and what is wrong with it."""

    resource: str
    key: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. A required check that did not pass refuses the publication.

    `numbers` are what was counted, by name; `blamed` are the rows that are wrong, cut off at a limit, and
    `blamed_count` is how many there are in truth.
    """

    name: str
    required: bool
    passed: bool
    detail: str
    numbers: tuple[tuple[str, int | float], ...] = ()
    blamed: tuple[Blamed, ...] = dataclasses.field(default=(), repr=False)
    blamed_count: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with stored bytes: where below the data folder, what, and what to do about it.

    `is_damage` tells what must be repaired from what the next run tidies up by itself.
    """

    where: str
    what: str
    do: str
    is_damage: bool = True


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ResourceResult:
    """One line of a run: what happened to one resource. Counts that a later mode fills are None until then.

    Those planned are None where no earlier run had told what to expect. `rows` are those that stand in the warehouse
    and are not deleted; `rechecked` walks were made under parents that had not changed, and `recheck_differed` rows
    under them had; `looked_up` records were asked for singly.
    """

    name: str
    mode: Mode
    rows: int
    calls: int
    pages: int
    records: int
    quarantined: int
    new: int | None = None
    changed: int | None = None
    deleted: int | None = None
    restored: int | None = None
    unchanged: int | None = None
    rechecked: int = 0
    recheck_differed: int | None = None
    looked_up: int = 0
    calls_planned: int | None = None
    rows_planned: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorLines:
    """The four lines of an error, as they appear in results."""

    what: str
    where: str
    state: str
    do: str


@dataclass(frozen=True, slots=True)
class TokenState:
    """What a run knew of its token; None is unknown. `warning` is None while nothing has to be done."""

    expires_at: datetime | None
    days_left: int | None
    is_assumed: bool
    warning: str | None


Mode = Literal["full", "incremental", "kept"]
"""How a resource is read in a run: everything, what changed, or not at all."""
Outcome = Literal["published", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of a run, as `run --json` prints it; `calls_used` is None of one that ended without a word.

    `page` and `workbook` are where people read of it; None for a run that wrote none, and in its record.
    """

    run_id: str
    outcome: Outcome
    exit_code: int
    started_at: datetime
    finished_at: datetime
    warehouse: str | None
    calls_planned: int | None
    calls_used: int | None
    resources: tuple[ResourceResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    error: ErrorLines | None = None
    token: TokenState | None = None
    page: str | None = None
    workbook: str | None = None


def run_order(run_id: str) -> tuple[str, int]:
    """Sorts run ids by time: within one second `-10` comes after `-2`, and the id without a number first."""
    stamp, _, number = run_id.partition("-")
    return stamp, int(number) if number.isdecimal() else 1
