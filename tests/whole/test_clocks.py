"""Clocks that jump or are wrong: what is published never depends on them, and what is told never lies for long."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from checker import any_of, books_of, differences, read
from session_world import Jumping

from pipeline.errors import ConfigError
from pipeline.model import PageRead
from pipeline.nightly import run as run_night
from pipeline.ops.runs import pointer_of, started_at_of


@dataclass
class Restless(Jumping):
    """A wall clock that is set to and fro by hours, again and again; the monotonic one goes on."""

    looks: int = 0

    def clock(self) -> datetime:
        self.looks += 1
        hours = Random(self.looks // 20).uniform(-20, 20)
        return datetime.now(UTC) + timedelta(hours=hours)


def test_a_clock_that_is_set_to_and_fro_changes_nothing(sandbox, site):
    """A full night and one of changes, the books moving meanwhile: each row is as the source had it, none is missing."""
    data_dir, restless = site.storage.data_dir, Restless()
    states = [books_of(sandbox.records)]

    def advance_once(event: object) -> None:
        if isinstance(event, PageRead) and event.resource == "expense" and len(states) % 2:
            sandbox.advance(1)
            states.append(books_of(sandbox.records))

    for night in range(2):
        report = run_night(site, world=restless.world(), observe=advance_once)
        assert report.outcome == "published"
        assert not differences(read(pointer_of(data_dir)), any_of(states)), night
        states.append(states[-1])
    assert restless.looks > 100


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_was_wrong_for_a_night_is_not_believed_afterwards(sandbox, site, days):
    """Exit 10 that night, nothing made; the next one, its clock right, is named and dated by its own start."""
    with pytest.raises(ConfigError):
        run_night(site, world=Jumping(ahead=timedelta(days=days)).world())
    assert not pointer_of(site.storage.data_dir).is_symlink()
    report = run_night(site)
    assert abs(started_at_of(report.run_id) - datetime.now(UTC)) < timedelta(minutes=5)
    assert read(pointer_of(site.storage.data_dir)).run_id == report.run_id


def test_status_tells_how_old_the_data_is(prospend, sandbox, site, tmp_path):
    """Nights that never came change nothing but the age, which whoever asks is told; the file says it itself."""
    begun = Jumping(ahead=-timedelta(hours=23))
    report = run_night(site, world=begun.world())
    document = json.loads(prospend("status", "--json", "--data", site.storage.data_dir).out)
    assert document["data_as_at"] == report.started_at.isoformat()
    assert 22.9 < document["age_hours"] < 23.1
    assert "23.0 hours old" in prospend("status", "--data", site.storage.data_dir).out
    told = prospend("query", "--data", site.storage.data_dir, "--json", "SELECT data_as_at FROM meta.snapshot_info").out
    assert datetime.fromisoformat(json.loads(told)[0]["data_as_at"]) == report.started_at
