"""The event log: what a line says, which file it stands in, and that nothing that befalls the log reaches the run."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.model import EarlierRunUnfinished, ErrorLines, NotTold, PageRead, RunBegan, RunEnded, StageBegan
from pipeline.ops.event_log import EventLog, forget_old

AT = datetime(2026, 11, 27, 23, 59, 30, tzinfo=UTC)
RUN = "20261127T235930Z"


class Clock:
    def __init__(self):
        self.now = AT

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(tmp_path, clock):
    return EventLog(tmp_path, "acme", clock)


def lines(folder):
    (path,) = (folder / "logs").iterdir()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_when_what_of_which_run_and_how_much_it_matters(log, tmp_path):
    """Time in UTC, run, name and level have their own keys; an event's own values cannot take their place."""
    log.take(RunBegan(RUN, "0.1.0"))
    log.take(EarlierRunUnfinished("20261126T000000Z", was_killed=True))
    log.take(RunEnded("failed", 20, 1.5, error=ErrorLines("w", "x", "y", "z")))
    began, earlier, ended = lines(tmp_path)
    assert began == {
        "time": "2026-11-27T23:59:30.000+00:00",
        "site": "acme",
        "run_id": RUN,
        "event": "run_began",
        "level": "info",
        "fields": {"run_id": RUN, "version": "0.1.0"},
    }
    assert (earlier["run_id"], earlier["fields"]["run_id"], earlier["level"]) == (RUN, "20261126T000000Z", "warning")
    assert (ended["event"], ended["level"]) == ("run_ended", "error")
    assert ended["fields"]["error"] == {"what": "w", "where": "x", "state": "y", "do": "z"}


def test_all_lines_of_a_run_stand_in_the_file_of_the_day_it_began(log, clock, tmp_path):
    """Midnight parts no run."""
    log.take(RunBegan(RUN, "0.1.0"))
    clock.now += timedelta(hours=1)
    log.take(RunEnded("published", 0, 3600.0))
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["2026-11-27.jsonl"]
    assert lines(tmp_path)[1]["time"].startswith("2026-11-28T00:59")


def test_pages_are_summed_to_a_line_a_minute_and_one_at_their_end(log, clock, tmp_path):
    """Hundred thousand pages are no hundred thousand lines, and none of them is missing in the sums."""
    log.take(RunBegan(RUN, "0.1.0"))
    for number in range(1, 121):
        clock.now += timedelta(seconds=1)
        log.take(PageRead("claim", 100, calls=number))
        log.take(PageRead("invoice", 10, calls=2 * number))
    log.take(StageBegan("seal"))
    log.take(StageBegan("load"))
    read = [one["fields"] for one in lines(tmp_path) if one["event"] == "page_read"]
    assert len(read) == 2
    assert read[-1] == {"pages": 240, "records": 120 * 110, "calls": 120 + 240}


def test_nothing_is_made_before_a_run_holds_the_lock(log, tmp_path):
    """A data folder that is refused may be somebody else's; one that has a log hears of the refusal."""
    log.take(NotTold("no answer"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "logs").mkdir()
    log.take(RunEnded("failed", 11, 0.1))
    assert [(one["run_id"], one["event"]) for one in lines(tmp_path)] == [(None, "run_ended")]


def test_file_and_folder_have_their_modes_whatever_the_umask(log, tmp_path):
    """Readable for the group, for nobody else."""
    before = os.umask(0o077)
    try:
        log.take(RunBegan(RUN, "0.1.0"))
    finally:
        os.umask(before)
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "logs" / "2026-11-27.jsonl").stat().st_mode & 0o777 == 0o640


def test_a_torn_line_takes_no_other_with_it(log, tmp_path):
    """What a kill left unfinished ends where the next run begins."""
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "2026-11-27.jsonl"
    path.write_text('{"time": "2026-11-27T02:00:00')
    log.take(RunBegan(RUN, "0.1.0"))
    torn, whole = path.read_text().splitlines()
    assert torn == '{"time": "2026-11-27T02:00:00'
    assert json.loads(whole)["event"] == "run_began"


def test_a_log_that_cannot_be_written_is_told_once(tmp_path, clock):
    """No folder can be made where a file stands: the run hears of it with the first event, and goes on."""
    (tmp_path / "logs").write_text("")
    log = EventLog(tmp_path, "acme", clock)
    told = log.take(RunBegan(RUN, "0.1.0"))
    assert told is not None
    assert str(tmp_path / "logs") in told.what
    assert log.take(StageBegan("extract")) is None


def test_a_day_is_bounded(tmp_path, clock):
    """Whatever is run how often: the file takes so much and no more, and each of its lines is whole."""
    log = EventLog(tmp_path, "acme", clock, most_bytes=1000)
    told = [log.take(event) for event in (RunBegan(RUN, "0.1.0"), *([StageBegan("load")] * 20))]
    assert len([one for one in told if one]) == 1
    assert 800 < (tmp_path / "logs" / "2026-11-27.jsonl").stat().st_size <= 1000
    assert {one["event"] for one in lines(tmp_path)} == {"run_began", "stage_began"}


def test_a_link_is_not_followed(log, tmp_path):
    """Neither a folder nor a file that leads elsewhere is written to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "logs").symlink_to(elsewhere)
    log.take(RunBegan(RUN, "0.1.0"))
    assert list(elsewhere.iterdir()) == []
    (tmp_path / "logs").unlink()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "2026-11-27.jsonl").symlink_to(elsewhere / "file")
    assert log.take(RunBegan(RUN, "0.1.0")) is not None
    assert list(elsewhere.iterdir()) == []


def test_the_newest_days_are_kept_by_their_number(tmp_path):
    """Not by their age: a night whose clock was years ahead must not cost all others. Other files are nobody's business."""
    (tmp_path / "logs").mkdir()
    names = ["2026-11-25.jsonl", "2026-11-26.jsonl", "2026-11-27.jsonl", "2099-01-01.jsonl", "mine.jsonl"]
    for name in names:
        (tmp_path / "logs" / name).touch()
    forget_old(tmp_path, 3)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == names[1:]
