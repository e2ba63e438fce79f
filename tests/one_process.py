"""The real command again and again in one process, with a clock that its starter sets: what a leak would show in.

Run as a script it reads one order a line and answers with one line; `OneProcess` is the other side. What a night does to
the process that did it stays: open files, memory.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fault_rows.warm import Ended


@dataclass(frozen=True)
class Seen:
    """How one command line ended, and what the process holds after it."""

    ended: Ended
    open_files: int
    resident_bytes: int


@dataclass
class OneProcess:
    """The process; one command at a time."""

    process: subprocess.Popen[str]
    home: Path

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command that runs."""
        self.process.send_signal(number)

    def run(self, arguments: Sequence[str], *, ahead: timedelta, environ: dict[str, str], planted: str = "") -> Seen:
        """Run a command line by a clock that is so far ahead; `planted` is a bug in it, for this once."""
        out, err = self.home / "out", self.home / "err"
        order = {
            "arguments": list(arguments), "out": str(out), "err": str(err), "ahead_s": ahead.total_seconds(),
            "environ": {"PATH": os.environ["PATH"], "HOME": str(self.home), **environ}, "planted": planted,
        }  # fmt: skip
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        ended = Ended(answer["code"], out.read_text(), err.read_text(errors="replace"))
        return Seen(ended, answer["open_files"], answer["resident_bytes"])


@contextmanager
def one_process(home: Path) -> Iterator[OneProcess]:
    """The process, until the block ends."""
    home.mkdir(exist_ok=True)
    path = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parents[1])))
    with subprocess.Popen(
        [sys.executable, __file__],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield OneProcess(process, home)
        finally:
            process.stdin.close()


def _serve() -> None:
    from session_world import Jumping

    import pipeline.nightly
    from pipeline.cli import run_command

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever starts it in the background ignores
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    sound = vars(pipeline.nightly).copy()
    for line in orders:
        order = json.loads(line)
        for number, name in ((1, "out"), (2, "err")):
            opened = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        os.environ.clear()
        os.environ.update(order["environ"])
        vars(pipeline.nightly).update(sound)
        pipeline.nightly.real_world = Jumping(ahead=timedelta(seconds=order["ahead_s"])).world
        exec(order["planted"])
        code = run_command(order["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        answers.write(json.dumps({"code": code, **_held()}) + "\n")
        answers.flush()


def _held() -> dict[str, int]:
    """What this process holds once nothing is left to collect, and free memory is given back."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"open_files": sum(1 for _ in Path("/proc/self/fd").iterdir()), "resident_bytes": resident}


if __name__ == "__main__":
    _serve()
