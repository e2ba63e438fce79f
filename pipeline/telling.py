"""What people hear of a night: failures, recoveries, and what needs a decision; each once.

`state/told.json` knows what was told: a failure that a recovery will answer, drift that is known already, and messages
that nobody took, which the next run sends. A run that finds another one active has a file of its own beside it, which
the next one takes in. Nothing here ever fails a run.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pipeline import warehouse
from pipeline.durable import make_folder, write_sealed
from pipeline.errors import (
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_PUBLISHED,
    EXIT_TERMINATED,
    PipelineError,
    RunActive,
)
from pipeline.model import CheckResult, EarlierRunUnfinished, Event, NotTold, RunPublished, RunReport, TokenAgeing
from pipeline.ops.notify import TIMEOUT_S, Message, NotSent, Way, address, ping, send, trusting
from pipeline.ops.runs import MISSED_AFTER, pointer_of, started_at_of
from pipeline.settings import Settings

# Checks that are told of because somebody may want to change the catalogue or the settings.
_DECISIONS: Final = ("fields_known", "types_as_declared", "values_as_documented", "fields_sent_in_changes")
_MOST_UNSENT: Final = 20


@dataclass(frozen=True, slots=True)
class Told:
    """What has been told so far."""

    failing: bool = False
    drift: tuple[str, ...] = ()
    unsent: tuple[Message, ...] = ()


@dataclass(slots=True)
class Teller:
    """Hears of a run from its first moment to its last, and tells people. Nothing that fails here reaches the run.

    `is_attended` tells that somebody sits at a terminal, who knows that they stopped the run.
    """

    settings: Settings
    environ: Mapping[str, str]
    observe: Callable[[Event], None]
    is_attended: bool = False
    _ageing: TokenAgeing | None = field(default=None, init=False)
    _killed: list[str] = field(default_factory=list, init=False)
    _data_as_at: datetime | None = field(default=None, init=False)
    _published_at: datetime | None = field(default=None, init=False)
    _is_published: bool = field(default=False, init=False)

    def began(self) -> None:
        """The run begins; whoever waits for it hears so."""
        self._safely(self._begin)

    def heard(self, event: Event) -> None:
        """Something happened on the way."""
        if isinstance(event, TokenAgeing) and event.is_new:
            self._ageing = event
        if isinstance(event, EarlierRunUnfinished) and event.was_killed:
            self._killed.append(event.run_id)
        if isinstance(event, RunPublished):
            self._is_published = True
        self.observe(event)

    def published(self, report: RunReport) -> None:
        """The run has published."""
        self._safely(lambda: self._publish(report))

    def failed(self, error: BaseException) -> None:
        """The run has ended without publishing, or after it. Who stopped it by hand knows."""
        is_stopped = isinstance(error, SystemExit | KeyboardInterrupt)
        if (self._is_published and is_stopped) or (isinstance(error, KeyboardInterrupt) and self.is_attended):
            return
        self._safely(lambda: self._fail(error))

    def _begin(self) -> None:
        self._data_as_at = _data_as_at(self.settings.storage.data_dir)
        self._published_at = _last_published_at(self.settings.storage.data_dir)
        self._ping("start", "")

    def _publish(self, report: RunReport) -> None:
        told = self._read()
        messages, then = after_publication(
            self.settings.site.name,
            report,
            replace(told, failing=told.failing or bool(self._killed)),
            ageing=self._ageing,
            data_as_at=self._data_as_at,
            published_at=self._published_at,
        )
        self._tell((*self._of_killed(), *messages), then)
        self._ping(str(EXIT_PUBLISHED), f"published {report.run_id}")

    def _fail(self, error: BaseException) -> None:
        site = self.settings.site.name
        message = of_failure(site, error, self._data_as_at, is_published=self._is_published)
        is_busy = isinstance(error, RunActive)
        told = _read(_place_of_busy(self._data_dir)) if is_busy else self._read()
        then = replace(told, failing=True)
        if isinstance(error, SystemExit | KeyboardInterrupt):  # there is no time to wait for a server
            self._remember(self._with_unsent(then, (*self._of_killed(), message)))
            return
        self._tell((*self._of_killed(), message), then, is_busy=is_busy)
        self._ping(str(message.exit_code), message.body)

    def _of_killed(self) -> Iterator[Message]:
        site, body = self.settings.site.name, "it left no word; readers had what was before"
        for run_id in self._killed:
            yield Message("failure", site, f"{site}: run {run_id} was killed", body, run_id)

    def _tell(self, messages: Iterable[Message], then: Told, *, is_busy: bool = False) -> None:
        """Everything is written down before it is said: what a kill cuts off is said by the next run."""
        then = self._with_unsent(then, messages)
        self._remember(then, is_busy=is_busy)
        deaf = set[str]()
        unsent = tuple([message for message in then.unsent if not self._sent(message, deaf)])
        self._remember(replace(then, unsent=unsent), is_busy=is_busy)

    def _with_unsent(self, told: Told, messages: Iterable[Message]) -> Told:
        wanted = (one for one in messages if one.kind in self.settings.notify.on)
        unsent = (*told.unsent, *wanted)[-_MOST_UNSENT:] if self.settings.notify.urls else ()
        return replace(told, unsent=unsent)

    def _sent(self, message: Message, deaf: set[str]) -> bool:
        """Whether anybody took a message; an address that failed is not tried again by this run."""
        took = 0
        for url in self.settings.notify.urls:
            if url in deaf:
                continue
            problem = _within(lambda url=url: send(message, address(url, self.environ), self._way()))  # type: ignore[misc]
            if problem is None:
                took += 1
            else:
                deaf.add(url)
                self.observe(NotTold(problem))
        return took > 0

    def _ping(self, suffix: str, told: str) -> None:
        url = self.settings.notify.ping_url
        if url is None:
            return
        problem = _within(lambda: ping(address(url, self.environ), suffix, told, self._way()))
        if problem is not None:
            self.observe(NotTold(problem))

    def _way(self) -> Way:
        return Way(trusting(self.settings.api.ca_file), self.settings.api.proxy)

    @property
    def _data_dir(self) -> Path:
        return self.settings.storage.data_dir

    def _read(self) -> Told:
        told = read_told(self._data_dir)
        if _place_of_busy(self._data_dir).exists():
            self._remember(told)
            with suppress(OSError):
                _place_of_busy(self._data_dir).unlink()
        return told

    def _remember(self, told: Told, *, is_busy: bool = False) -> None:
        """What the next run has to know, if there is a data folder; a disk without room fails no run."""
        if self._data_dir.is_dir():
            place = _place_of_busy if is_busy else _place  # what the active run writes is left to it
            with suppress(PipelineError, OSError):
                write_told(place(self._data_dir), told)

    def _safely(self, act: Callable[[], None]) -> None:
        """It is done if anybody listens; a bug in it is told by its name."""
        if not (self.settings.notify.urls or self.settings.notify.ping_url):
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - see the class
            self.observe(NotTold(f"a bug: {type(error).__name__}"))


def of_failure(site: str, error: BaseException, data_as_at: datetime | None, *, is_published: bool = False) -> Message:
    """What people hear of a run that failed: the four lines, and how old the data is.

    `is_published` tells that it did so after it had published.
    """
    lines: Iterable[tuple[str, str]]
    if isinstance(error, PipelineError):
        lines, exit_code, title = error.lines(), error.exit_code, error.title
    elif isinstance(error, SystemExit | KeyboardInterrupt):
        exit_code = EXIT_TERMINATED if isinstance(error, SystemExit) else EXIT_INTERRUPTED
        title, lines = "STOPPED", (("WHAT", "the run was stopped from outside"), ("DO", "run again"))
    else:
        exit_code, title = EXIT_INTERNAL, "INTERNAL"
        lines = (("WHAT", f"a bug: {type(error).__name__}"), ("DO", "report it as a bug"))
    body = "\n".join(f"{label:<6} {text}" for label, text in lines)
    if is_published:
        return Message("failure", site, f"{site}: new data, but {title} ({exit_code})", body, None, exit_code)
    told = f"{site}: no new data, {title} ({exit_code})"
    return Message("failure", site, told, f"{body}\n{_age(data_as_at)}", None, exit_code)


def after_publication(
    site: str,
    report: RunReport,
    told: Told,
    *,
    ageing: TokenAgeing | None,
    data_as_at: datetime | None,
    published_at: datetime | None,
) -> tuple[tuple[Message, ...], Told]:
    """What people hear of a run that has published, and what they have been told then.

    `data_as_at` is how old the data of readers was before, and `published_at` when the last run began that published:
    after a rollback readers have an older night, though none was missed.
    """
    run_id, messages = report.run_id, []
    missed = published_at is not None and report.started_at - published_at > MISSED_AFTER
    if told.failing:
        body = f"run {run_id} has published; the data before was of {_shown(data_as_at)}"
        messages.append(Message("recovery", site, f"{site}: data is new again", body, run_id, EXIT_PUBLISHED))
    elif missed:
        body = f"no run had published since {_shown(published_at)}; run {run_id} has, and what was missed is in it"
        messages.append(Message("missed", site, f"{site}: a night was missed", body, run_id, EXIT_PUBLISHED))
    if ageing is not None:
        body = f"{ageing.warning}\n`prospend token show --renewal` tells how to renew it"
        messages.append(Message("token", site, f"{site}: the token nears its end", body, run_id, EXIT_PUBLISHED))
    failing = (one for one in report.checks if one.name in _DECISIONS and not one.passed)
    found = {_without_counts(part): part for one in failing for part in _parts(one)}
    if new := [part for known, part in found.items() if known not in told.drift]:
        body = "\n".join((*new, "see meta.schema_change, and `prospend status`"))
        messages.append(Message("drift", site, f"{site}: the source sends something new", body, run_id, EXIT_PUBLISHED))
    return tuple(messages), Told(failing=False, drift=tuple(sorted(found)), unsent=told.unsent)


def read_told(data_dir: Path) -> Told:
    """What was told so far, by runs that found another one active as well."""
    told, busy = _read(_place(data_dir)), _read(_place_of_busy(data_dir))
    return replace(told, failing=told.failing or busy.failing, unsent=(*told.unsent, *busy.unsent)[-_MOST_UNSENT:])


def _read(place: Path) -> Told:
    """What one file knows; nothing, if it cannot be read."""
    try:
        found: dict[str, Any] = json.loads(place.read_bytes())
        unsent = tuple(Message(**one) for one in found["unsent"])
        return Told(bool(found["failing"]), tuple(map(str, found["drift"])), unsent)
    except (OSError, ValueError, KeyError, TypeError):
        return Told()


def write_told(place: Path, told: Told) -> None:
    """The next run knows what was told."""
    if told != _read(place):
        make_folder(place.parent)
        write_sealed(place, json.dumps(asdict(told), indent=1).encode(), mode=0o600)


def _within(act: Callable[[], None]) -> str | None:
    """What kept something from being sent; None if nothing did. A name server or a slow end holds no run for long."""
    problems: list[str] = []

    def acted() -> None:
        try:
            act()
        except NotSent as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - a thread has nobody to tell
            problems.append(type(error).__name__)

    thread = threading.Thread(target=acted, name="telling", daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    if thread.is_alive():
        return f"no answer within {TIMEOUT_S} s"
    return problems[0] if problems else None


def _parts(check: CheckResult) -> Iterator[str]:
    """What one check found, each difference by itself; how many more there are is no news."""
    for part in check.detail.split("; "):
        if not re.match(r"and \d+ more", part):
            yield f"{check.name}: {part}"


def _without_counts(found: str) -> str:
    """What was found, the same from night to night as long as it is found: how often may move."""
    without = re.sub(r"(?<![\w.])\d[\d,.]*(?!\w)", "#", found)
    return re.sub(r"\b(record|row|value)s\b", r"\1", without)


def _place(data_dir: Path) -> Path:
    return data_dir / "state" / "told.json"


def _place_of_busy(data_dir: Path) -> Path:
    return data_dir / "state" / "told-busy.json"


def _last_published_at(data_dir: Path) -> datetime | None:
    """When the newest generation's run began, whichever of them readers have."""
    try:
        found = warehouse.generations(data_dir / "warehouse", pointer_of(data_dir))
        return started_at_of(found[0].run_id) if found else None
    except (PipelineError, ValueError):
        return None


def _data_as_at(data_dir: Path) -> datetime | None:
    try:
        with closing(warehouse.connect(pointer_of(data_dir))) as connection:
            return warehouse.snapshot_info(connection).data_as_at
    except PipelineError:
        return None


def _age(data_as_at: datetime | None) -> str:
    return f"DATA   readers have the data of {_shown(data_as_at)}" if data_as_at else "DATA   readers have none yet"


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
