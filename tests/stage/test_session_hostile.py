"""A hostile source cannot use up this machine: the real command in a process of its own, its peak memory measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from pipeline.sandbox.faults import plan
from pipeline.sandbox.model import Close, Repeat, Script, Send

MOST_ABOVE_BASELINE_MB = 150
MOST_S = 60  # a hang shows; how fast it is on a quiet machine is measured elsewhere

# `VmHWM` is this program's own peak, without that of the test process it was forked from.
RUN = """
import re, sys
from pathlib import Path
from pipeline.cli import run_command
code = run_command(sys.argv[1:])
print("peak", re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], flush=True)
sys.exit(code)
"""


@dataclass(frozen=True)
class Ended:
    """What a run came to."""

    code: int
    err: str
    peak_mb: float


def run(site_file, **api: object) -> Ended:
    environ = {f"PROSPEND__API__{name.upper()}": str(value) for name, value in api.items()}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "run", "--quiet", "--config", str(site_file)],
        env={"PATH": os.environ["PATH"], "HOME": str(site_file.parent), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_S,
    )
    (site_file.parent / f"told-{time.monotonic_ns()}.txt").write_text(done.stdout + done.stderr)  # searched for tokens
    peak_kb = int(done.stdout.rpartition("peak ")[2])
    return Ended(done.returncode, done.stderr, peak_kb / 1024)


def headers(sandbox) -> None:
    line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
    head = Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    sandbox.answer_with("/beta", Script((head, Repeat(line, 1_000_000), Close())))


def long_header(sandbox) -> None:
    head = Send(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    sandbox.answer_with("/beta", Script((head, Repeat(b"x" * 65536, 100_000), Close())))


def trailers(sandbox) -> None:
    head = Send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    )
    sandbox.answer_with("/beta", Script((head, Repeat(b"X-Filler: " + b"x" * 1000 + b"\r\n", 1_000_000), Close())))


def faults(*texts):
    return lambda sandbox: sandbox.faults(plan(*texts))


ALL_LISTS = "path=/beta/company/"  # of all companies: as many at once as the client lets go

# name: (what the source does, settings, exit code, what WHAT must hold)
HOSTILE = {
    "10 GB": (faults(f"huge-body:{ALL_LISTS}"), {}, 22, "larger than 67,108,864 bytes"),
    "10 GB in the first answer": (faults("huge-body"), {}, 22, "larger than"),
    "10 GB in chunks": (faults(f"huge-body:framing=chunked,{ALL_LISTS}"), {}, 22, "larger than"),
    "10 GB without frame": (faults(f"huge-body:framing=close,{ALL_LISTS}"), {}, 21, "unframed"),
    "gzip bomb": (faults(f"gzip-bomb:{ALL_LISTS}"), {}, 22, "inflates more than 200 times"),
    "endless headers": (headers, {}, 22, "headers are larger than allowed"),
    "one endless header": (long_header, {}, 22, "headers are larger than allowed"),
    "endless trailers": (trailers, {}, 22, "headers are larger than allowed"),
    "one byte a second": (faults(f"slow-body:{ALL_LISTS}"), {"run_deadline_s": 3}, 30, "time budget"),
    "silence": (faults(f"silence:{ALL_LISTS}"), {"run_deadline_s": 3}, 30, "time budget"),
    "deep nesting": (faults(f"deep-nesting:{ALL_LISTS}"), {}, 21, "nest"),
    "endless pages": (faults(f"endless-pages:records=none,{ALL_LISTS}"), {}, 21, "empty"),
}

baselines: list[float] = []


def baseline_mb(sandbox, site_file) -> float:
    """The peak of a run that stops at its first list; measured once."""
    if not baselines:
        sandbox.force("/beta/company/", 404)
        baselines.append(run(site_file).peak_mb)
        sandbox.release()
    return baselines[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source_is_stopped_within_bounds(sandbox, site_file, name):
    """The documented exit, four lines, nothing published, and at most 150 MB more than a run that reads nothing."""
    hostile, settings, code, what = HOSTILE[name]
    least_mb = baseline_mb(sandbox, site_file)
    hostile(sandbox)
    ended = run(site_file, **settings)
    assert ended.code == code, ended.err
    lines = dict(line.split(maxsplit=1) for line in ended.err.splitlines())
    assert list(lines) == ["WHAT", "WHERE", "STATE", "DO"]
    assert what in lines["WHAT"]
    assert not (site_file.parent / "data" / "warehouse.duckdb").is_symlink()
    assert ended.peak_mb - least_mb <= MOST_ABOVE_BASELINE_MB, f"{ended.peak_mb:.0f} MB after {least_mb:.0f} MB"
