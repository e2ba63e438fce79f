"""What a run tells while it is under way: for progress displays, notices to a person, and the event log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.model.values import ErrorLines, Outcome


@dataclass(frozen=True, slots=True)
class RunBegan:
    """The run has its id and holds the lock of its data folder; `version` is this program's."""

    run_id: str
    version: str


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page has arrived: for progress displays. `calls` counts the attempts for the resource so far."""

    resource: str
    record_count: int
    calls: int = 0


@dataclass(frozen=True, slots=True)
class ReadingPlanned:
    """What is expected to be read, as name, calls and records of each resource; None where no earlier run tells."""

    resources: tuple[tuple[str, int | None, int | None], ...]


@dataclass(frozen=True, slots=True)
class StageBegan:
    """A stage of the run begins: for progress displays."""

    stage: Literal["extract", "seal", "load", "marts", "check", "publish", "report"]


@dataclass(frozen=True, slots=True)
class EarlierRunUnfinished:
    """An earlier run did not publish, and what became of what it left.

    `was_killed` tells that it left no record: a kill, or the machine stopped. `pages` counts the pages it had kept;
    they are used by this run, unless `not_used` says why not.
    """

    run_id: str
    was_killed: bool
    pages: int = 0
    not_used: str = ""


@dataclass(frozen=True, slots=True)
class TokenAgeing:
    """A milestone before the token's expiry was passed; `is_new` if no earlier run has told of it."""

    warning: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class SurroundingsIgnored:
    """Variables and files of this machine that other programs obey and this one does not, by name."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuarantineLeft:
    """So many records that did not fit the catalogue of their run fit today's, and became rows without any call."""

    record_count: int


@dataclass(frozen=True, slots=True)
class ErasureEnded:
    """An erasure of so many people that was cut off stands now; it was ended before anything was read."""

    people_count: int


@dataclass(frozen=True, slots=True)
class NotTold:
    """A message or a ping could not be sent; the run goes on. What nobody took is said again by the next one."""

    what: str


@dataclass(frozen=True, slots=True)
class RunPublished:
    """Readers have the new night: whatever fails from now on takes nothing from them."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ReportFailed:
    """The run has published, and page and workbook could not be written: those of an earlier run stay."""

    what: str


@dataclass(frozen=True, slots=True)
class NotLogged:
    """The event log takes no more lines; the run goes on without. Told once a run."""

    what: str


@dataclass(frozen=True, slots=True)
class NotExported:
    """Something that monitoring waits for could not be handed over; the run goes on."""

    what: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event of a run that was not killed. Counts are None where it ended too early to know them.

    `checks_not_passed` names them; the four lines are those of the error, None without one.
    """

    outcome: Outcome
    exit_code: int
    seconds: float
    calls_planned: int | None = None
    calls_used: int | None = None
    rows: int | None = None
    new: int | None = None
    changed: int | None = None
    deleted: int | None = None
    quarantined: int | None = None
    checks_not_passed: tuple[str, ...] = ()
    error: ErrorLines | None = None


Event = (
    RunBegan
    | PageRead
    | ReadingPlanned
    | StageBegan
    | EarlierRunUnfinished
    | TokenAgeing
    | SurroundingsIgnored
    | QuarantineLeft
    | ErasureEnded
    | NotTold
    | ReportFailed
    | RunPublished
    | NotLogged
    | NotExported
    | RunEnded
)
Observe = Callable[[Event], None]
