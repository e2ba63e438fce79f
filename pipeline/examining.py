"""Everything that could be wrong on this machine for a site, looked at: `prospend doctor`.

Each examination gives findings: what was looked at, what was found, and, where it is not right, what to do and with
which exit code a run would end. One that fails is a finding itself and hinders no other.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline import auth, warehouse
from pipeline.durable import owner_of, room_at
from pipeline.errors import (
    EXIT_PUBLISHED,
    BudgetReached,
    ConfigError,
    LocalAccess,
    LocalResource,
    PipelineError,
    RunActive,
    StoredDataDamaged,
)
from pipeline.ops import otel, records
from pipeline.ops.ledger import folder_of, used_now
from pipeline.ops.lock import holder_of
from pipeline.ops.notify import NotSent, address
from pipeline.ops.places import OWN_FOLDERS, refuse_shared
from pipeline.ops.runs import MISSED_AFTER, pointer_of
from pipeline.ops.surroundings import ignored
from pipeline.ops.token_source import find_token, place_of
from pipeline.resources import read_catalogue
from pipeline.settings import Settings

Kind = Literal["fine", "note", "wrong"]
_LEAST_FREE_BYTES: Final = 10**9
_LEAST_OPEN_FILES: Final = 512
_READERS: Final = "DuckDB 1.2 or later reads it; tested are 1.4 and 2.0"
_TIMEOUT_S: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `exit_code` is how a run would end because of it, 0 if it would not."""

    name: str
    kind: Kind
    told: str
    remedy: str = ""
    exit_code: int = EXIT_PUBLISHED


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: a site's settings on this machine, now."""

    settings: Settings
    environ: Mapping[str, str]
    now: datetime
    asks_source: Callable[[], Mapping[str, Any]] | None
    """One call to the source, giving what `token check` prints; None to leave the network alone."""
    scheduled_in: Callable[[str], bool] = lambda _: False
    """Whether a crontab or a unit, as text, runs these settings."""

    @property
    def is_stranger(self) -> bool:
        """Whether somebody else owns the data folder."""
        data_dir = self.settings.storage.data_dir
        return data_dir.exists() and data_dir.stat().st_uid != os.geteuid()

    @property
    def lacks_credential(self) -> bool:
        """Whether the token is a credential of the unit, and this is not the unit."""
        return self.settings.token.credential is not None and "CREDENTIALS_DIRECTORY" not in self.environ


def examined(patient: Patient) -> Iterator[Finding]:
    """Every finding, in the order in which a run would meet it."""
    for name, examination in _EXAMINATIONS:
        try:
            yield from examination(patient)
        except PipelineError as error:
            where = f" ({error.where})" if error.where else ""
            yield Finding(name, "wrong", f"{error.what}{where}", error.do, error.exit_code)
        except OSError as error:
            told = f"it cannot be looked at: {error.strerror}"
            yield Finding(name, "wrong", told, "let this user read it", LocalAccess.exit_code)
        except Exception as error:  # noqa: BLE001 - one examination hinders no other
            yield Finding(name, "note", f"it cannot be looked at: {type(error).__name__}", "report it as a bug")


def _program(_: Patient) -> Iterator[Finding]:
    parts = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "aiohttp"))
    told = f"prospend-pipeline {version('prospend-pipeline')}, Python {platform.python_version()}, {parts}"
    yield Finding("program", "fine", told)


def _settings(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    read_catalogue(settings.api.resources)
    refuse_shared(settings)
    yield Finding("settings", "fine", f"{settings.source or 'made in code'}: site {settings.site.name}")


def _zone(patient: Patient) -> Iterator[Finding]:
    name = patient.settings.site.timezone
    try:
        offset = patient.now.astimezone(ZoneInfo(name))
    except ZoneInfoNotFoundError:
        raise ConfigError(
            f"there is no time zone {name}", where="site.timezone", do="correct it, or install tzdata"
        ) from None
    yield Finding("time zone", "fine", f"{name}, where it is {offset:%H:%M} now")


def _surroundings(patient: Patient) -> Iterator[Finding]:
    if names := ignored(patient.environ):
        remedy = "name a proxy by api.proxy; nothing else is needed"
        yield Finding("surroundings", "note", f"set, and ignored: {', '.join(names)}", remedy)
    mask = os.umask(0o077)
    os.umask(mask)
    yield Finding("umask", "fine", f"{mask:04o}; files and folders get their own modes, whatever it is")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _LEAST_OPEN_FILES:
        raise LocalResource(
            f"only {soft} files may be open at once", where="ulimit -n", do=f"raise it to {_LEAST_OPEN_FILES} or more"
        )


def _token(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    place = place_of(settings.token)
    if patient.lacks_credential:
        yield Finding("token", "note", f"{place}: only the service has it", "systemd gives it to the unit alone")
        return
    found = auth.passport(find_token(settings.token, patient.environ), patient.now)
    auth.refuse_expired(found, patient.now, place=place, zone=ZoneInfo(settings.site.timezone))
    state = auth.state_of(found, patient.now, settings.token.warn_days)
    days = "does not say when it expires" if state.days_left is None else f"{state.days_left} days left"
    if state.warning is not None:
        yield Finding("token", "note", f"{place}: {days}", "`prospend token show --renewal` tells how to renew it")
    else:
        yield Finding("token", "fine", f"{place}: {days}")


def _source(patient: Patient) -> Iterator[Finding]:
    if patient.asks_source is None or patient.is_stranger or patient.lacks_credential:
        remedy = "leave out --offline to try its name, TLS, clock and the token by one call"
        yield Finding("source", "note", "not asked", remedy)
        return
    seen = patient.asks_source()
    count = len(seen["companies"])
    told = f"{seen['base_url']} answers over verified TLS, its clock is ours, the token is accepted: "
    yield Finding("source", "fine", f"{told}{count} {'company' if count == 1 else 'companies'}")
    for advice in seen["advice"]:
        yield Finding("source", "note", advice)


def _folder(patient: Patient) -> Iterator[Finding]:
    data_dir = patient.settings.storage.data_dir
    if not data_dir.exists():
        yield Finding("folder", "note", f"{data_dir} is not there yet", "the first run makes it")
        return
    own = [path for path in (data_dir, *(data_dir / one for one in OWN_FOLDERS)) if path.exists()]
    shut = [path for path in own if not _usable(path)]
    if shut:
        raise LocalAccess(
            "this user may not write there",
            where=str(shut[0]),
            do=f"run as {owner_of(data_dir)}, or give the folder to this user",
        )
    if patient.is_stranger:
        raise LocalAccess(
            "this user is not the one who runs each night, and would leave files that the other may not write",
            where=str(data_dir),
            do=f"run this, and everything else, as {owner_of(data_dir)}",
        )
    open_to_all = [path for path in own if path.stat().st_mode & 0o002]
    if open_to_all:
        yield Finding("folder", "note", f"anybody may write to {open_to_all[0]}", f"chmod o-w {open_to_all[0]}")
    yield Finding("folder", "fine", f"{data_dir}, owned by {owner_of(data_dir)}")


def _usable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0))


def _room(patient: Patient) -> Iterator[Finding]:
    data_dir = patient.settings.storage.data_dir
    folder = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    found = room_at(folder)
    told = f"{found.free_bytes / 10**9:,.1f} GB free on {found.mount}"
    if found.free_bytes < _LEAST_FREE_BYTES:
        remedy = f"free some on {found.mount}: a run needs 2.5 times what the last one left"
        yield Finding("disk", "wrong", told, remedy, LocalResource.exit_code)
    else:
        yield Finding("disk", "fine", told)


def _metrics(patient: Patient) -> Iterator[Finding]:
    path = patient.settings.watch.prometheus_file
    if path is None:
        return
    if path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK):
        yield Finding("metrics", "fine", f"{path} is written after each run")
    else:
        remedy = "make that folder, and this user its owner or group; or correct watch.prometheus_file"
        yield Finding("metrics", "note", f"this user cannot write to {path.parent}; runs go on without", remedy)


def _traces(patient: Patient) -> Iterator[Finding]:
    names = [name for name in patient.environ if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT")]
    if not names:
        return
    if not otel.endpoints(patient.environ):
        told = f"{names[0]} is set, and other OTEL_ variables leave nothing to send; http/protobuf alone is spoken"
        yield Finding("traces", "note", told)
    elif not otel.is_installed():
        remedy = "pip install 'prospend-pipeline[otel]', or leave it"
        yield Finding("traces", "note", f"{names[0]} is set, and nothing is sent: the extra is missing", remedy)
    else:
        yield Finding("traces", "fine", f"a trace and metrics of each run go where {names[0]} says")


def _lock(patient: Patient) -> Iterator[Finding]:
    holder = holder_of(patient.settings.storage.data_dir)
    if holder is not None:
        raise RunActive("another run is active", where=holder)
    yield Finding("lock", "fine", "no other run is active")


def _budget(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    limits, used = settings.budget, used_now(folder_of(settings.storage.data_dir, settings.site.name), patient.now)
    for name, limit, count in (("hour", limits.hourly, used.hour), ("month", limits.monthly, used.month)):
        if limit is None:
            yield Finding("budget", "fine", f"{count:,} calls made this {name}, without a limit")
        elif count >= limit * (100 - limits.reserve_percent) / 100:
            told = f"the calls of this {name} are used up: {count:,} of {limit:,}"
            yield Finding("budget", "wrong", told, f"run in the next {name}", BudgetReached.exit_code)
        else:
            yield Finding("budget", "fine", f"{count:,} of {limit:,} calls made this {name}")


def _data(patient: Patient) -> Iterator[Finding]:
    pointer = pointer_of(patient.settings.storage.data_dir)
    try:
        with closing(warehouse.connect(pointer)) as connection:
            info = warehouse.snapshot_info(connection)
    except ConfigError:
        yield Finding("data", "note", "nothing is published yet", "`prospend run`")
        return
    except StoredDataDamaged as error:
        do = "run `prospend rebuild`, then check the disk"
        raise StoredDataDamaged(error.what, where=error.where, do=do) from None
    age = patient.now - info.data_as_at
    hours = int(age.total_seconds() // 3600)
    told = f"run {info.run_id}, {hours} hours old; {_READERS}, this is {info.duckdb_version}"
    if age > MISSED_AFTER:
        yield Finding("data", "note", told, "a night was missed: `prospend status` tells how the last runs ended")
    else:
        yield Finding("data", "fine", told)
    last = next(iter(records.recent(patient.settings.storage.data_dir, 1)), None)
    if last is not None and last["exit_code"] != EXIT_PUBLISHED:
        failure = last.get("error") or {}
        told = f"the last run ended with exit code {last['exit_code']}: {failure.get('what', 'no reason recorded')}"
        yield Finding("last run", "note", told, failure.get("do", ""))


def _schedule(patient: Patient) -> Iterator[Finding]:
    remedy = "`prospend schedule --cron` or `--systemd` has it begin by itself"
    crontab = shutil.which("crontab")
    if crontab and patient.scheduled_in(_printed(crontab, "-l")):
        yield Finding("schedule", "fine", "in this user's crontab, which needs no PATH, HOME or terminal")
        return
    folders = (Path("/etc/systemd/system"), Path("~/.config/systemd/user").expanduser(), Path("/etc/cron.d"))
    for folder in folders:
        for path in sorted(folder.glob("*prospend*")) if folder.is_dir() else ():
            with suppress(OSError):  # others' files may be shut
                if path.is_file() and patient.scheduled_in(path.read_text("utf-8", "replace")):
                    yield Finding("schedule", "fine", str(path))
                    return
    yield Finding("schedule", "note", "no crontab entry or unit of this user names these settings", remedy)


def _printed(*command: str) -> str:
    done = subprocess.run(  # noqa: S603 - found by its name
        command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
    )
    return done.stdout


def _notify(patient: Patient) -> Iterator[Finding]:
    notify = patient.settings.notify
    for written in (*notify.urls, *filter(None, (notify.ping_url,))):
        try:
            address(written, patient.environ)
        except NotSent as error:
            remedy = "set it where the nightly run begins: cron and systemd have an environment of their own"
            yield Finding("notify", "note", str(error), remedy)
    if not notify.urls and notify.ping_url is None:
        yield Finding("notify", "note", "nobody hears of a night that fails", "fill in [notify]")


_EXAMINATIONS: Final[tuple[tuple[str, Callable[[Patient], Iterator[Finding]]], ...]] = (
    ("program", _program),
    ("settings", _settings),
    ("time zone", _zone),
    ("surroundings", _surroundings),
    ("folder", _folder),
    ("disk", _room),
    ("metrics", _metrics),
    ("traces", _traces),
    ("lock", _lock),
    ("token", _token),
    ("source", _source),
    ("budget", _budget),
    ("data", _data),
    ("schedule", _schedule),
    ("notify", _notify),
)
