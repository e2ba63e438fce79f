"""Nights in which clocks are changed, in Sydney and Auckland, and Brisbane's, where they are not: one good run each.

When a run begins is the scheduler's business: what cron and systemd make of the entries that `prospend schedule` prints
is looked at first. Then runs begin at those instants, by a clock that the source shares, and others too close to them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from checker import books_of, differences, exactly, read
from histories import fast_folder
from killing import RESOURCES, small_catalogue
from sandbox_site import TOKEN_VARIABLE, site_of
from session_world import Jumping

from pipeline import nightly
from pipeline.ops.runs import pointer_of, started_at_of
from pipeline.ops.timetable import Nightly, cron_block, timer_unit
from pipeline.readings import Wanted
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.settings import Checks, Settings, Site

SYDNEY, AUCKLAND, BRISBANE = "Australia/Sydney", "Pacific/Auckland", "Australia/Brisbane"
ZONES = (SYDNEY, AUCKLAND, BRISBANE)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = (3, 30)  # what `prospend schedule` chooses by default


def switches(zone: str) -> list[date]:
    """The next two days on which a zone's clocks are changed; Brisbane is asked about Sydney's."""
    asked = ZoneInfo(SYDNEY if zone == BRISBANE else zone)
    days = [datetime.now(UTC).date() + DAY * count for count in range(2, 400)]
    offsets = [[datetime.combine(one, time(hour), asked).utcoffset() for hour in (0, 12)] for one in days]
    return [day for day, (before, after) in zip(days, offsets, strict=True) if before != after]


def entry(zone: str, at: tuple[int, int] = AT) -> Nightly:
    return Nightly(Path("/x/prospend"), Path("/x/site.toml"), "acme", Path("/x/data"), at, zone, 3600)


def started_by_systemd(nightly: Nightly, day: date) -> list[datetime]:
    """The instants of three days around a day at which systemd itself says that the printed timer fires."""
    (calendar,) = re.findall(r"OnCalendar=(.*)", timer_unit(nightly))
    begin = datetime.combine(day - DAY, time(0), ZoneInfo(nightly.timezone)).astimezone(UTC)
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=4", f"--base-time={begin:%Y-%m-%d %H:%M:%S} UTC", calendar],
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = re.findall(r"(?:elapse|#\d): \w+ (\S+ \S+) UTC", done.stdout)
    found = [datetime.fromisoformat(one).replace(tzinfo=UTC) for one in told]
    assert len(found) == 4, done.stdout
    return [one for one in found if begin <= one < begin + 3 * DAY - HOUR]


def started_by_cron(nightly: Nightly, day: date) -> list[datetime]:
    """The instants of three days around a day at which Debian's cron starts the printed entry, as cron(8) says.

    For an entry of a fixed time on a machine of this zone: minutes that are left out come right after the jump, and
    minutes that come again start nothing.
    """
    minute, hour, *_ = cron_block(nightly).splitlines()[1].split()
    zone = ZoneInfo(nightly.timezone)
    now = datetime.combine(day - DAY, time(0), zone).astimezone(UTC)
    until, seen_to, started = now + 3 * DAY - HOUR, datetime.combine(day - DAY, time(0)), []
    while now < until:
        wall = now.astimezone(zone).replace(tzinfo=None)
        while seen_to < wall:
            seen_to += timedelta(minutes=1)
            if (seen_to.hour, seen_to.minute) == (int(hour), int(minute)):
                started.append(now)
        now += timedelta(minutes=1)
    return started


SCHEDULERS = [
    started_by_cron,
    pytest.param(
        started_by_systemd,
        marks=pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here"),
    ),
]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("started", SCHEDULERS)
def test_what_schedule_prints_begins_once_a_night(zone, started):
    """At half past three of the zone, on the day before the switch, on the day itself and on the day after."""
    assert len(switches(zone)) == 2
    for day in switches(zone):
        found = [one.astimezone(ZoneInfo(zone)) for one in started(entry(zone), day)]
        assert [one.date() for one in found] == [day - DAY, day, day + DAY]
        assert {one.time() for one in found} == {time(*AT)}


@pytest.mark.parametrize("zone", [SYDNEY, AUCKLAND])
def test_why_another_time_is_chosen_than_that_of_the_switch(zone):
    """At half past two cron still begins once a night; a systemd timer leaves the night of spring out."""
    spring = next(one for one in switches(zone) if one.month > 7)
    assert len(started_by_cron(entry(zone, (2, 30)), spring)) == 3
    if shutil.which("systemd-analyze"):
        found = started_by_systemd(entry(zone, (2, 30)), spring)
        assert [one.astimezone(ZoneInfo(zone)).date() for one in found] == [spring - DAY, spring + DAY]


@dataclass
class There:
    """A clock that stands where it is put, and goes on from there; the source goes by it, too."""

    clock: Jumping = field(default_factory=Jumping)

    def put(self, now: datetime) -> None:
        self.clock.jumped_s = 0
        self.clock.ahead = now - datetime.now(UTC)


@pytest.fixture(scope="module")
def sandbox(authority: Path) -> Iterator[Running]:
    with in_thread(SandboxSettings(state_dir=authority, claims=8)) as running:
        yield running


@pytest.fixture
def there(sandbox: Running) -> There:
    made = There()
    sandbox.host.clock = made.clock.clock
    return made


@pytest.fixture
def place(sandbox: Running) -> Iterator[Settings]:
    """A site with a few resources, in memory."""
    with fast_folder() as folder:
        made = site_of(sandbox, folder / "data", resources=small_catalogue(folder))
        # One deletion is a tenth of such small books; what a check holds back is its own tests' business.
        lax = Checks(max_shrink_percent=100, max_deleted_percent=100, min_key_overlap_percent=0)
        yield replace(made, report=replace(made.report, marts=False), checks=lax)


def runs_at(place: Settings, sandbox: Running, there: There, zone: str, *moments: datetime) -> None:
    """A run begins at each: all publish, named by their own instants. The last reads everything, and is the books."""
    site = replace(place, site=Site(name="test", base_url=sandbox.base_url, timezone=zone))
    names = []
    for moment in moments:
        sandbox.advance(1)
        there.put(moment)
        wanted = Wanted(is_full=moment == moments[-1])
        environ = {TOKEN_VARIABLE: sandbox.token}
        report = nightly.run(site, environ=environ, world=there.clock.world(), wanted=wanted)
        names.append(report.run_id)
        assert abs(started_at_of(report.run_id) - moment) < timedelta(minutes=1)
        found = read(pointer_of(site.storage.data_dir), RESOURCES)
        assert found.run_id == report.run_id
    assert names == sorted(set(names))
    books = exactly(books_of(sandbox.records, RESOURCES))
    assert not list(differences(read(pointer_of(site.storage.data_dir), RESOURCES), books))


@pytest.mark.parametrize("zone", ZONES)
def test_the_scheduled_runs_of_those_nights_publish(place, sandbox, there, zone):
    """In autumn and in spring, on the day itself, as cron begins them."""
    days = sorted(switches(zone))
    starts = [one for day in days for one in started_by_cron(entry(zone), day)]
    runs_at(place, sandbox, there, zone, *(one for one in starts if one.astimezone(ZoneInfo(zone)).date() in days))


@pytest.mark.parametrize("zone", [SYDNEY, AUCKLAND])
def test_two_runs_in_the_hour_that_comes_twice_do_no_harm(place, sandbox, there, zone):
    """Both are at half past two by the wall; and one right after the hour that is left out is a run like any other."""
    autumn, spring = sorted(switches(zone), key=lambda one: one.month)
    first = datetime.combine(autumn, time(2, 30), ZoneInfo(zone)).astimezone(UTC)
    again = first + HOUR
    assert first.astimezone(ZoneInfo(zone)).time() == again.astimezone(ZoneInfo(zone)).time() == time(2, 30)
    (after_the_jump,) = (
        one for one in started_by_cron(entry(zone, (2, 30)), spring) if one.astimezone(ZoneInfo(zone)).date() == spring
    )
    assert after_the_jump.astimezone(ZoneInfo(zone)).time() == time(3, 0)
    runs_at(place, sandbox, there, zone, *sorted((first, again, after_the_jump)))
