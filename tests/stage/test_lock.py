"""One writer a data folder: who comes second learns who is first, and no lock outlives its process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import RunActive
from pipeline.ops.lock import run_lock

PAIRS = 50
AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
RUN_ID = "20261123T020000Z"
WON, LOST = b"won", b"lost"


def told_by_a_child(act: Callable[[int], None]) -> tuple[int, int]:
    """Fork a process that does this with the writing end of a pipe; its id, and the reading end."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            act(writing)
        finally:
            os._exit(0)
    os.close(writing)
    return child, reading


def contender(folder: Path, gate: int) -> Callable[[int], None]:
    """Fights for the lock once the gate is closed, and holds it, if it wins, until the parent lets it go."""

    def act(writing: int) -> None:
        os.read(gate, 1)
        waited_s: list[float] = []

        def sleep(seconds: float) -> None:
            waited_s.append(seconds)
            time.sleep(seconds)

        try:
            with run_lock(folder, RUN_ID, AT, sleep=sleep):
                os.write(writing, WON)
                signal.pause()
        except RunActive as busy:
            os.write(writing, b"%s after %d ms: %s" % (LOST, sum(waited_s) * 1000, busy.where.encode()))

    return act


def test_of_two_at_once_exactly_one_runs(tmp_path: Path):
    """Fifty pairs that begin at the same moment: one holds the lock, the other is out and knows whose it is.

    It waits for less than a second to learn that.
    """
    longest_ms = 0
    for pair in range(PAIRS):
        folder = tmp_path / str(pair)
        folder.mkdir()
        gate, opened = os.pipe()
        children = dict(told_by_a_child(contender(folder, gate)) for _ in range(2))
        os.close(gate)
        os.write(opened, b"go")
        told = {child: os.read(reading, 1000) for child, reading in children.items()}
        (winner,) = [child for child, said in told.items() if said == WON]
        (loser,) = told.keys() - {winner}
        assert told[loser].startswith(LOST)
        assert f"run {RUN_ID}, pid {winner}, started {AT.isoformat()}".encode() in told[loser]
        longest_ms = max(longest_ms, int(told[loser].split()[2]))
        os.kill(winner, signal.SIGKILL)
        for child, reading in children.items():
            os.waitpid(child, 0)
            os.close(reading)
        os.close(opened)
    assert longest_ms < 1000


def test_a_killed_run_s_lock_is_free_at_once(tmp_path: Path):
    """The kernel holds it for the process, so nothing can go stale: the next run has it, though the holder's note stands."""
    gate, opened = os.pipe()
    child, reading = told_by_a_child(contender(tmp_path, gate))
    os.write(opened, b"g")
    assert os.read(reading, 10) == WON
    with pytest.raises(RunActive), run_lock(tmp_path, "20261123T020001Z", AT):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for end in (gate, opened, reading):
        os.close(end)
    assert (tmp_path / "state" / "run.json").exists()
    with run_lock(tmp_path, "20261123T020002Z", AT):
        assert "20261123T020002Z" in (tmp_path / "state" / "run.json").read_text()


def test_a_holder_that_says_nothing_is_not_waited_for_long(tmp_path: Path):
    """Its note may be unreadable for good: less than a second in all, and the lock's own file is named instead."""
    waited_s: list[float] = []
    with run_lock(tmp_path, RUN_ID, AT):
        (tmp_path / "state" / "run.json").write_text("no JSON")
        with pytest.raises(RunActive) as busy, run_lock(tmp_path, RUN_ID, AT, sleep=waited_s.append):
            pass
    assert 0 < sum(waited_s) < 1
    assert busy.value.where == f"holder of {tmp_path / 'state' / 'run.lock'}"
