"""One contestant's process measured from outside: all that it used, its children included."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_WAIT_S, _LOOK_S = 0.02, 0.2


@dataclass(frozen=True)
class Usage:
    """What a process and its children used.

    `peak_mb` is the greatest memory of all of them together, looked at a few times a second, what they share counted once;
    or the mark that the kernel keeps for each process alone, where that is more. What `wait4` tells is of no use: it holds
    the memory of the process that started them, too.
    """

    outcome: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    instructions: float | None


def measured(
    command: Sequence[str], environ: Mapping[str, str], cwd: Path, *, limit_s: float, counts_instructions: bool
) -> Usage:
    """Run it to its end, or to the limit. What it prints goes into `log` in its folder."""
    counted = cwd / "perf"
    wrapped = [*_PERF, "-o", str(counted), "--", *command] if counts_instructions else list(command)
    with (cwd / "log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            wrapped,
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        peak_bytes, is_over, looked_s = 0, False, 0.0
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if not is_over and time.perf_counter() - began > limit_s:
                os.killpg(process.pid, signal.SIGKILL)
                is_over = True
            pids = family(process.pid)
            peak_bytes = max(peak_bytes, most_held(pids))
            if len(pids) > 1 and time.perf_counter() - looked_s > _LOOK_S:  # this is dear to ask for
                looked_s = time.perf_counter()
                peak_bytes = max(peak_bytes, held_together(pids))
            time.sleep(_WAIT_S)
        wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    outcome = f"over {limit_s:.0f} s" if is_over else "ended" if process.returncode == 0 else "failed"
    return Usage(outcome, used.ru_utime + used.ru_stime, wall_s, peak_bytes / 1e6, _instructions(counted))


_PERF = ("perf", "stat", "-x,", "-e", "instructions:u")


def _instructions(counted: Path) -> float | None:
    told = re.search(r"^(\d+),", counted.read_text(), re.MULTILINE) if counted.exists() else None
    return float(told[1]) if told else None


def family(pid: int) -> list[int]:
    """A process and all that descend from it, as far as they are still there."""
    found = [pid]
    for one in found:
        for listed in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in listed.read_text().split()]
            except OSError:  # it has just ended
                continue
    return found


def most_held(pids: Sequence[int]) -> int:
    """The most bytes that any of these processes has held."""
    return max(kilobytes(f"/proc/{pid}/status", "VmHWM") for pid in pids) * 1024


def held_together(pids: Sequence[int]) -> int:
    """Bytes that these processes hold at this moment, what they share counted once."""
    return sum(kilobytes(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids) * 1024


def kilobytes(path: str, name: str) -> int:
    """One number of a process as the kernel tells it; none if it has ended."""
    try:
        told = re.search(rf"^{name}:\s+(\d+) kB", Path(path).read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(told[1]) if told else 0
