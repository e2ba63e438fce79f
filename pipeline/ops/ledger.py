"""Every call that was made, counted before it is sent, by site, resource and hour, in a form that survives a kill.

One small file an hour, one line a call: an appended line stands in the kernel's cache before the call goes out, so no
kill can lose it. A power loss can lose the last seconds' lines, never more calls than the machine could make in them.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import budget
from pipeline.durable import make_folder, os_failure, storing
from pipeline.model import Clock
from pipeline.settings import Budget

_HOUR = "%Y%m%dT%H"
_NEVER = datetime.min.replace(tzinfo=UTC)
KEPT_MONTHS = 13


@dataclass(slots=True)
class Ledger:
    """The calls of one site. `count` is called right before each attempt is sent."""

    folder: Path
    budget: Budget
    clock: Clock
    _hour_began_at: datetime = _NEVER
    _hour_ends_at: datetime = _NEVER
    _file: int = field(default=-1, repr=False)
    _used_hour: int = 0
    _used_month: int = 0
    _size_bytes: int = 0

    def count(self, resource: str) -> None:
        """One more call is on record and may be made.

        Raises:
            BudgetReached: it may not, and is not on record.
            LocalResource: it cannot be recorded, so it must not be made.
        """
        now = self.clock()
        if not self._hour_began_at <= now < self._hour_ends_at:
            self._turn_to(now)
        if self.budget.hourly is not None or self.budget.monthly is not None:
            self._see_others(now)
            budget.refuse_if_spent(self.budget, budget.Used(self._used_hour, self._used_month), now)
        try:
            self._size_bytes += os.write(self._file, f"{resource}\n".encode())
        except OSError as error:
            raise os_failure(error, f"call ledger · {self.folder}") from error
        self._used_hour += 1
        self._used_month += 1

    def _see_others(self, now: datetime) -> None:
        """Count again if another process has written into this hour's file meanwhile."""
        if os.fstat(self._file).st_size != self._size_bytes:
            used = used_now(self.folder, now)
            self._used_hour, self._used_month = used.hour, used.month
            self._size_bytes = os.fstat(self._file).st_size

    def close(self) -> None:
        """Nothing is counted any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._hour_began_at = self._hour_ends_at = _NEVER

    def _turn_to(self, now: datetime) -> None:
        self.close()
        with storing(f"call ledger · {self.folder}"):
            make_folder(self.folder)
            path = self.folder / f"{now:{_HOUR}}.log"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
            os.fchmod(self._file, 0o640)  # whatever the umask
            used = used_now(self.folder, now)
            self._size_bytes = os.fstat(self._file).st_size
        self._used_hour, self._used_month = used.hour, used.month
        self._hour_began_at = now.replace(minute=0, second=0, microsecond=0)
        self._hour_ends_at = self._hour_began_at + timedelta(hours=1)


def folder_of(data_dir: Path, site: str) -> Path:
    """Where a site's calls are on record. A site's name is checked to be a plain file name."""
    return data_dir / "state" / "calls" / site


def used_now(folder: Path, now: datetime) -> budget.Used:
    """Calls of the current hour and month, from the files alone."""
    by_hour = {path.stem: _lines(path) for path in folder.glob(f"{now.astimezone(UTC):%Y%m}*T*.log")}
    return budget.Used(by_hour.get(now.strftime(_HOUR), 0), sum(by_hour.values()))


def calls_by_hour(folder: Path) -> dict[tuple[str, str], int]:
    """Calls on record: (hour as 20261124T02, resource) -> count."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.glob("*T*.log")):
        for name, count in Counter(path.read_text("utf-8").split()).items():
            found[path.stem, name] += count
    return dict(found)


def forget_old(folder: Path, now: datetime) -> None:
    """Files older than thirteen months are gone; no budget needs them."""
    oldest = now.year * 12 + now.month - KEPT_MONTHS
    for path in folder.glob("*T*.log"):
        if path.stem[:6].isdigit() and int(path.stem[:4]) * 12 + int(path.stem[4:6]) <= oldest:
            path.unlink(missing_ok=True)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def document_of(folder: Path, limits: Budget, now: datetime) -> dict[str, object]:
    """Used, left and forecast, as `status --json` and `plan --json` print them; a limit that is not set is None."""
    used = used_now(folder, now)
    hour, month = budget.hourly(limits, used), budget.monthly(limits, used)
    ends_at = budget.month_ends_on(month, now) if month else None
    return {
        "hour": {"used": used.hour, "limit": limits.hourly, "left": hour.left if hour else None},
        "month": {
            "used": used.month,
            "limit": limits.monthly,
            "left": month.left if month else None,
            "ends_on": f"{ends_at:%Y-%m-%d}" if ends_at else None,
        },
    }
