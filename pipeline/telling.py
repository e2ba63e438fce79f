"""What people hear of a night: failures, recoveries, and what needs a decision; each once.

`state/told.json` knows what was told: a failure that a recovery will answer, drift that is known already, and messages
that could not be sent, which the next run sends. Nothing here ever fails a run.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pipeline import warehouse
from pipeline.durable import make_folder, write_sealed
from pipeline.errors import EXIT_INTERNAL, EXIT_PUBLISHED, PipelineError
from pipeline.model import EarlierRunUnfinished, Event, NotTold, RunReport, TokenAgeing
from pipeline.ops.notify import Message, NotSent, address, ping, send
from pipeline.ops.runs import pointer_of
from pipeline.settings import Settings

# Checks that are told of because somebody may want to change the catalogue or the settings.
_DECISIONS: Final = ("fields_known", "types_as_declared", "values_as_documented", "fields_sent_in_changes")
_MISSED_AFTER: Final = timedelta(hours=36)
_MOST_UNSENT: Final = 20


@dataclass(frozen=True, slots=True)
class Told:
    """What has been told so far."""

    failing: bool = False
    drift: tuple[str, ...] = ()
    unsent: tuple[Message, ...] = ()


@dataclass(slots=True)
class Teller:
    """Hears of a run from its first moment to its last, and tells people."""

    settings: Settings
    environ: Mapping[str, str]
    observe: Callable[[Event], None]
    _ageing: TokenAgeing | None = field(default=None, init=False)
    _killed: list[str] = field(default_factory=list, init=False)
    _data_as_at: datetime | None = field(default=None, init=False)

    def began(self) -> None:
        """The run begins; whoever waits for it hears so."""
        if not self._has_listeners:
            return
        self._data_as_at = _data_as_at(self.settings.storage.data_dir)
        self._ping("start", "")

    def heard(self, event: Event) -> None:
        """Something happened on the way."""
        if isinstance(event, TokenAgeing) and event.is_new:
            self._ageing = event
        if isinstance(event, EarlierRunUnfinished) and event.was_killed:
            self._killed.append(event.run_id)
        self.observe(event)

    def published(self, report: RunReport) -> None:
        """The run has published."""
        if not self._has_listeners:
            return
        told = self._with_killed(read_told(self.settings.storage.data_dir))
        messages, then = after_publication(
            self.settings.site.name, report, told, ageing=self._ageing, data_as_at=self._data_as_at
        )
        self._tell((*self._of_killed(), *messages), then)
        self._ping(str(EXIT_PUBLISHED), f"published {report.run_id}")

    def failed(self, error: BaseException) -> None:
        """The run has ended without publishing. Who stopped it by hand knows; one that was terminated has no time."""
        if isinstance(error, KeyboardInterrupt) or not self._has_listeners:
            return
        message = of_failure(self.settings.site.name, error, self._data_as_at)
        told = replace(read_told(self.settings.storage.data_dir), failing=True)
        if isinstance(error, SystemExit):
            unsent = (*told.unsent, message) if message.kind in self.settings.notify.on else told.unsent
            self._remember(replace(told, unsent=unsent))
            return
        self._tell((*self._of_killed(), message), told)
        self._ping(str(message.exit_code), message.body)

    @property
    def _has_listeners(self) -> bool:
        return bool(self.settings.notify.urls or self.settings.notify.ping_url)

    def _with_killed(self, told: Told) -> Told:
        return replace(told, failing=told.failing or bool(self._killed))

    def _of_killed(self) -> Iterator[Message]:
        for run_id in self._killed:
            site = self.settings.site.name
            yield Message(
                "failure",
                site,
                f"{site}: run {run_id} was killed",
                "it left no word; readers had what was before",
                run_id,
            )

    def _tell(self, messages: Iterable[Message], then: Told) -> None:
        wanted = tuple(one for one in messages if one.kind in self.settings.notify.on)
        left = []
        for message in (*then.unsent, *wanted) if self.settings.notify.urls else ():
            problems = list(self._send(message))
            if len(problems) == len(self.settings.notify.urls):  # nobody has it
                left.append(message)
            for problem in problems:
                self.observe(NotTold(problem))
        self._remember(replace(then, unsent=tuple(left)))

    def _remember(self, told: Told) -> None:
        """What the next run has to know. A disk without room must not fail a run that has published."""
        with suppress(PipelineError, OSError):
            write_told(self.settings.storage.data_dir, replace(told, unsent=told.unsent[-_MOST_UNSENT:]))

    def _send(self, message: Message) -> Iterator[str]:
        for written in self.settings.notify.urls:
            try:
                send(message, address(written, self.environ), self._trust())
            except NotSent as error:
                yield str(error)

    def _ping(self, suffix: str, told: str) -> None:
        url = self.settings.notify.ping_url
        if url is None:
            return
        try:
            ping(address(url, self.environ), suffix, told, self._trust())
        except NotSent as error:
            self.observe(NotTold(str(error)))

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.settings.api.ca_file is not None:
            with suppress(OSError, ssl.SSLError):
                context.load_verify_locations(self.settings.api.ca_file)
        return context


def of_failure(site: str, error: BaseException, data_as_at: datetime | None) -> Message:
    """What people hear of a run that did not publish: the four lines, and how old the data is."""
    if isinstance(error, PipelineError):
        lines, exit_code, title = error.lines(), error.exit_code, error.title
    else:
        exit_code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else EXIT_INTERNAL
        what = "the run was terminated" if isinstance(error, SystemExit) else f"a bug: {type(error).__name__}"
        title = "TERMINATED" if isinstance(error, SystemExit) else "INTERNAL"
        lines = (("WHAT", what), ("DO", "run again" if isinstance(error, SystemExit) else "report it as a bug"))
    body = "\n".join(f"{label:<6} {text}" for label, text in lines)
    return Message(
        "failure", site, f"{site}: no new data, {title} ({exit_code})", f"{body}\n{_age(data_as_at)}", None, exit_code
    )


def after_publication(
    site: str, report: RunReport, told: Told, *, ageing: TokenAgeing | None, data_as_at: datetime | None
) -> tuple[tuple[Message, ...], Told]:
    """What people hear of a run that has published, and what they have been told then.

    `data_as_at` is how old the data was before.
    """
    run_id, messages = report.run_id, []
    missed = data_as_at is not None and report.started_at - data_as_at > _MISSED_AFTER
    if told.failing:
        body = f"run {run_id} has published; the data before was of {_shown(data_as_at)}"
        messages.append(Message("recovery", site, f"{site}: data is new again", body, run_id, EXIT_PUBLISHED))
    elif missed:
        body = f"no run had published since {_shown(data_as_at)}; run {run_id} has, and what was missed is in it"
        messages.append(Message("missed", site, f"{site}: a night was missed", body, run_id, EXIT_PUBLISHED))
    if ageing is not None:
        body = f"{ageing.warning}\n`prospend token show --renewal` tells how to renew it"
        messages.append(Message("token", site, f"{site}: the token nears its end", body, run_id, EXIT_PUBLISHED))
    found = {
        _without_counts(f"{one.name}: {one.detail}"): one
        for one in report.checks
        if one.name in _DECISIONS and not one.passed
    }
    if new := [f"{one.name}: {one.detail}" for known, one in found.items() if known not in told.drift]:
        body = "\n".join((*new, "see meta.schema_change, and `prospend status`"))
        messages.append(Message("drift", site, f"{site}: the source sends something new", body, run_id, EXIT_PUBLISHED))
    drift = tuple(sorted(found))
    return tuple(messages), Told(failing=False, drift=drift, unsent=told.unsent)


def read_told(data_dir: Path) -> Told:
    """What was told so far; nothing, if that cannot be read."""
    try:
        found: dict[str, Any] = json.loads(_place(data_dir).read_bytes())
        unsent = tuple(Message(**one) for one in found["unsent"])
        return Told(bool(found["failing"]), tuple(map(str, found["drift"])), unsent)
    except (OSError, ValueError, KeyError, TypeError):
        return Told()


def write_told(data_dir: Path, told: Told) -> None:
    """The next run knows what was told."""
    if told != read_told(data_dir):
        make_folder(_place(data_dir).parent)
        write_sealed(_place(data_dir), json.dumps(asdict(told), indent=1).encode(), mode=0o600)


def _without_counts(detail: str) -> str:
    """What was found, the same from night to night as long as it is found."""
    return re.sub(r"\d[\d,.]*", "#", detail)


def _place(data_dir: Path) -> Path:
    return data_dir / "state" / "told.json"


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
