"""Signals: which of them end a run, how, and that none of them harms what is stored."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.ops.records import recent
from pipeline.ops.runs import pointer_of
from pipeline.sandbox import Running
from pipeline.sandbox.faults import plan

TERM, INT, HUP, PIPE = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE


@pytest.fixture(autouse=True)
def signals_are_heard() -> Iterator[None]:
    """A test session behind `nohup`, or in the background of a shell, ignores some, and what it starts inherits that."""
    before = {number: signal.getsignal(number) for number in (INT, HUP)}
    signal.signal(INT, signal.default_int_handler)
    signal.signal(HUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def started(sandbox: Running, site_file: Path, tmp_path: Path, earlier_night: Path) -> Callable[..., subprocess.Popen]:
    """Starts a run on top of an earlier night, and returns once it is reading."""
    shutil.copytree(earlier_night, tmp_path / "data", symlinks=True)
    sandbox.faults(plan("latency:seconds=0.05"))

    def start(*through: str, **environ: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [*through, sys.executable, "-m", "pipeline", "run", "--full", "--quiet", "--config", str(site_file)],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        while sandbox.journal.counts.requests < 20 and process.poll() is None:
            time.sleep(0.002)
        return process

    return start


def left_over(data_dir: Path) -> set[str]:
    """Files of runs that did not end."""
    staged = [path for path in (data_dir / "staging").rglob("*") if path.is_file()]
    return {path.name for path in (*staged, *(data_dir / "warehouse").glob(".*"))}


@pytest.mark.parametrize(
    ("signals", "code", "said"),
    [
        ([INT], 130, "interrupted"),
        ([HUP], 143, "terminated"),
        ([TERM, TERM], 143, "terminated"),
        ([INT, TERM], 143, "terminated"),
    ],
    ids=["SIGINT", "SIGHUP", "SIGTERM twice", "SIGINT and SIGTERM"],
)
def test_a_signal_ends_a_run_in_order(started, tmp_path, listener, signals, code, said):
    """Its own exit code, a line instead of a traceback, a record; nothing published, and only pages are left."""
    data_dir = tmp_path / "data"
    before = pointer_of(data_dir).resolve()
    process = started()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)
    _, err = process.communicate(timeout=20)  # five seconds, on a machine that does nothing else
    listener(err)
    assert process.returncode == code, err
    assert said in err
    assert "Traceback" not in err
    assert pointer_of(data_dir).resolve() == before
    assert left_over(data_dir) <= {"pages.kept"}
    assert recent(data_dir, 1)[0]["exit_code"] in (130, 143)


def test_a_signal_that_ends_nothing(started, sandbox, tmp_path):
    """A broken pipe is no reason to end, nor is a terminal that closes under `nohup`: the run publishes."""
    before = pointer_of(tmp_path / "data").resolve()
    process = started("nohup")
    for number in (PIPE, HUP):
        process.send_signal(number)
    sandbox.faults()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert pointer_of(tmp_path / "data").resolve() != before


def test_a_run_that_was_stopped_for_longer_than_it_may_take(started, tmp_path):
    """Continued, it finds its deadline passed: exit 30, nothing is published, and the pages are kept."""
    before = pointer_of(tmp_path / "data").resolve()
    process = started(PROSPEND__API__RUN_DEADLINE_S="2")
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.2)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 30, err
    assert "time budget" in err
    assert pointer_of(tmp_path / "data").resolve() == before
    assert "pages read so far are kept" in err
    assert left_over(tmp_path / "data") == {"pages.kept"}
