"""The event log: one JSON line for each event of a run, in a file for each UTC day in which runs began.

A line is one appended write: a kill tears at most the last one, and two runs of which one refuses the other do not mix
theirs. Nothing here ever fails a run: a log that cannot be written is told once, and the run goes on without.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from pipeline.durable import make_folder
from pipeline.errors import PipelineError
from pipeline.model import (
    Clock,
    EarlierRunUnfinished,
    ErasureEnded,
    Event,
    NotExported,
    NotLogged,
    NotTold,
    PageRead,
    QuarantineLeft,
    ReadingPlanned,
    ReportFailed,
    RunBegan,
    RunEnded,
    RunPublished,
    StageBegan,
    SurroundingsIgnored,
    TokenAgeing,
)

Level = Literal["info", "warning", "error"]
LEVELS: Final[Mapping[type[Event], Level]] = {
    RunBegan: "info",
    ReadingPlanned: "info",
    StageBegan: "info",
    PageRead: "info",
    EarlierRunUnfinished: "warning",
    TokenAgeing: "warning",
    SurroundingsIgnored: "warning",
    QuarantineLeft: "info",
    ErasureEnded: "info",
    NotTold: "warning",
    ReportFailed: "error",
    RunPublished: "info",
    NotLogged: "warning",
    NotExported: "warning",
    RunEnded: "info",
}
_MODE: Final = 0o640
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MOST_BYTES: Final = 16 * 1024 * 1024
_PAGES_EVERY: Final = timedelta(minutes=1)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")


@dataclass(slots=True)
class _Read:
    """What pages brought so far: a night may have hundred thousands, so a line sums those of a minute."""

    pages: int = 0
    records: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    is_news: bool = False
    told_at: datetime | None = None

    def count(self, page: PageRead, now: datetime) -> None:
        self.told_at = self.told_at or now
        self.pages += 1
        self.records += page.record_count
        self.calls[page.resource] = page.calls
        self.is_news = True

    def is_due(self, now: datetime) -> bool:
        return self.told_at is not None and now >= self.told_at + _PAGES_EVERY

    def told(self, now: datetime) -> dict[str, int]:
        self.is_news, self.told_at = False, now
        return {"pages": self.pages, "records": self.records, "calls": self.calls.total()}


@dataclass(slots=True)
class EventLog:
    """Takes the events of one run, from its first to its last."""

    data_dir: Path
    site: str
    clock: Clock
    most_bytes: int = _MOST_BYTES
    _run_id: str | None = field(default=None, init=False)
    _file: int = field(default=-1, init=False)
    _problem: str = field(default="", init=False)
    _read: _Read = field(default_factory=_Read, init=False)

    def take(self, event: Event) -> NotLogged | None:
        """The event stands in the log; or what is to be told because it does not."""
        if self._problem:
            return None
        try:
            self._take(event, self.clock())
        except (OSError, PipelineError) as error:
            self._problem = (error.strerror if isinstance(error, OSError) else error.what) or type(error).__name__
            self.close()
            return NotLogged(f"{folder_of(self.data_dir)}: {self._problem}")
        return None

    def close(self) -> None:
        """Nothing is written any more."""
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _take(self, event: Event, now: datetime) -> None:
        if isinstance(event, PageRead):
            self._read.count(event, now)
            if not self._read.is_due(now):
                return
        if self._read.is_news and isinstance(event, PageRead | StageBegan | RunEnded):
            self._append(now, PageRead, "info", self._read.told(now))
        if isinstance(event, RunBegan):
            self._run_id = event.run_id
        if not isinstance(event, PageRead):
            self._append(now, type(event), level_of(event), asdict(event))

    def _append(self, at: datetime, kind: type[Event], level: Level, fields: Mapping[str, Any]) -> None:
        if self._file < 0 and not self._open(at):
            return
        document = {
            "time": at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "site": self.site,
            "run_id": self._run_id,
            "event": name_of(kind),
            "level": level,
            "fields": fields,
        }
        line = json.dumps(document, ensure_ascii=False).encode() + b"\n"
        if os.fstat(self._file).st_size + len(line) > self.most_bytes:
            raise OSError(None, f"the log of this day has {self.most_bytes:,} bytes, and takes no more")
        if os.write(self._file, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self, now: datetime) -> bool:
        """Whether there is a file to write to; only a run that holds the lock makes the folder."""
        folder = folder_of(self.data_dir)
        if folder.is_symlink() or not (folder.is_dir() or self._run_id):
            return False
        make_folder(folder)
        path = folder / f"{now.astimezone(UTC):%Y-%m-%d}.jsonl"
        self._file = os.open(path, _FLAGS, _MODE)
        os.fchmod(self._file, _MODE)  # whatever the umask
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")  # the end of a line that a kill or a full disk tore
        return True


def folder_of(data_dir: Path) -> Path:
    """Where the log is kept."""
    return data_dir / "logs"


def name_of(kind: type[Event]) -> str:
    """What an event is called in the log: RunBegan is run_began."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def level_of(event: Event) -> Level:
    """How much an event matters; a run that did not publish is an error."""
    return "error" if isinstance(event, RunEnded) and event.exit_code else LEVELS[type(event)]


def days_to_go(data_dir: Path, keep: int) -> tuple[Path, ...]:
    """Files beyond the newest `keep`, counted and not dated: a clock that is years ahead must not empty the log."""
    folder = folder_of(data_dir)
    days = sorted(path for path in folder.glob("*.jsonl") if _DAY.fullmatch(path.name))
    return tuple(days[:-keep]) if not folder.is_symlink() else ()


def forget_old(data_dir: Path, keep: int) -> None:
    """Only the newest `keep` days are left; one that cannot be removed stays."""
    with suppress(OSError):
        for path in days_to_go(data_dir, keep):
            path.unlink(missing_ok=True)
