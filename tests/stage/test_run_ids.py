"""The names of runs: UTC whatever the machine's zone, in order whatever its clock does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.nightly import real_world
from pipeline.ops.runs import free_run_id, started_at_of, state_line

ZONES = ("Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu")
# The hour that comes twice, and the one that does not come, in the south-east of Australia.
NIGHTS = (datetime(2026, 4, 4, 14, tzinfo=UTC), datetime(2026, 10, 3, 14, tzinfo=UTC))


def named(data_dir: Path, started_at: datetime, *, is_sealed: bool = True) -> str:
    """The id of a run that begins then, which leaves its folder, and its manifest if it seals."""
    run_id = free_run_id(data_dir, started_at)
    (data_dir / "runs" / run_id).mkdir(parents=True)
    if is_sealed:
        (data_dir / "runs" / run_id / "manifest.json").touch()
    return run_id


@pytest.mark.parametrize("zone", ZONES)
def test_a_run_is_named_by_utc_in_every_zone(zone, monkeypatch):
    """The machine's own clock, wherever it stands."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        before, run_id, after = time.time(), free_run_id(Path("nowhere"), real_world().clock()), time.time()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert int(before) <= started_at_of(run_id).timestamp() <= after


@pytest.mark.parametrize("night", NIGHTS, ids=["twice", "never"])
def test_an_hour_that_comes_twice_or_never_is_an_hour_like_any_other(tmp_path, night):
    """A run each quarter of an hour through both nights: every id is new, later, and says the very instant."""
    moments = [night + n * timedelta(minutes=15) for n in range(20)]
    shown = [moment.astimezone(ZoneInfo(ZONES[0])).strftime("%H:%M") for moment in moments]
    assert (len(set(shown)), "02:30" in shown) == ((16, True) if night is NIGHTS[0] else (20, False))
    ids = [named(tmp_path, moment) for moment in moments]
    assert ids == sorted(set(ids))
    assert [started_at_of(run_id) for run_id in ids] == moments


def test_runs_of_one_second_are_numbered(tmp_path):
    """Neither takes the other's place."""
    assert [named(tmp_path, NIGHTS[0]) for _ in range(3)] == [
        "20260404T140000Z", "20260404T140000Z-2", "20260404T140000Z-3"
    ]  # fmt: skip


def test_a_clock_that_was_set_back_does_not_reorder_sealed_runs(tmp_path):
    """The next run comes after what it builds on, though its clock says otherwise."""
    named(tmp_path, NIGHTS[1])
    assert named(tmp_path, NIGHTS[0]) == "20261003T140000Z-2"


def test_a_run_that_sealed_nothing_binds_nobody(tmp_path):
    """A clock was years ahead for a night, and the run was refused for it: the next one is named by its own start."""
    named(tmp_path, NIGHTS[0] + timedelta(days=4000), is_sealed=False)
    assert named(tmp_path, NIGHTS[0]) == "20260404T140000Z"


def test_readers_are_told_the_age_of_what_they_have(tmp_path):
    """However many nights did not come."""
    pointer = tmp_path / "warehouse.duckdb"
    pointer.symlink_to("warehouse/20260404T140000Z.duckdb")
    told = state_line(pointer, NIGHTS[0] + timedelta(days=9))
    assert told == "nothing published; readers remain on the warehouse of 2026-04-04 14:00 UTC (216 h old)"
