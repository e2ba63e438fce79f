"""The real command without the second that imports take: a warm process that forks a child for each run.

Run as a script it reads one request a line and answers with one line; `Warm` is the other side. What the child does is
`pipeline.__main__.main()` in an environment and a folder of its own; it can be killed after any time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tracing import Call, Followed, begin, follow

_LOOK_EVERY_S = 0.001


@dataclass(frozen=True)
class Done:
    """How a run ended: its exit code (negative is a signal), after how long, and what it told."""

    code: int
    seconds: float
    err: str
    calls: tuple[Call, ...] = ()
    struck: Call | None = None


@dataclass(frozen=True)
class Warm:
    """A warm process; one run at a time."""

    process: subprocess.Popen[str]
    home: Path

    def run(self, *arguments: object, kill_after_s: float | None = None) -> Done:
        """Run a command line, and kill it after some seconds if it still runs then."""
        return self._asked(arguments, {"kill_after_s": kill_after_s})

    def run_traced(self, *arguments: object, folder: Path, strike: int = 0, with_what: str = "KILL") -> Done:
        """Run a command line, see what it changes below a folder, and strike one of these calls; see `tracing`."""
        return self._asked(arguments, {"folder": str(folder), "strike": strike, "with_what": with_what})

    def _asked(self, arguments: Sequence[object], how: dict) -> Done:
        err = self.home / "err"
        request = {"arguments": [str(one) for one in arguments], "err": str(err), **how}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        calls = tuple(Call(name, tuple(paths)) for name, paths in answer["calls"])
        struck = Call(answer["struck"][0], tuple(answer["struck"][1])) if answer["struck"] else None
        return Done(answer["code"], answer["seconds"], err.read_text("utf-8"), calls, struck)


@contextmanager
def warm_process(home: Path) -> Iterator[Warm]:
    """A warm process in an empty environment, until the block ends."""
    home.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, __file__],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Warm(process, home)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=60)


def _import_all() -> None:
    """Everything a run imports. Nothing is started: threads would not survive the fork."""
    import aiohttp
    import duckdb
    import pandas as pd
    import platformdirs
    import pyarrow.compute
    import pyarrow.json
    import pyarrow.parquet
    import pytz
    import rich.progress

    import pipeline.cli.nights
    import pipeline.nightly

    assert all((aiohttp, duckdb, pd, platformdirs, pyarrow.json, pytz, rich.progress, pipeline.nightly))


def _child(arguments: Sequence[str], err: str, *, is_traced: bool) -> None:
    """Be the command: never returns."""
    from pipeline.__main__ import main

    told = os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    for target, source in ((0, nothing), (1, nothing), (2, told)):
        os.dup2(source, target)
    sys.argv = ["prospend", *arguments]
    code = 99
    try:
        if is_traced:
            begin()
        main()
    except SystemExit as left:
        code = left.code
    finally:
        os._exit(code)


def _answer(request: dict) -> dict:
    began = time.monotonic()
    is_traced = "folder" in request
    child = os.fork()
    if not child:
        _child(request["arguments"], request["err"], is_traced=is_traced)
    if is_traced:
        followed = follow(child, request["folder"], strike=request["strike"], with_what=request["with_what"])
    else:
        followed = Followed(_code_of(child, request["kill_after_s"]))
    return {
        "code": followed.code,
        "seconds": time.monotonic() - began,
        "calls": [(call.name, call.paths) for call in followed.calls],
        "struck": (followed.struck.name, followed.struck.paths) if followed.struck else None,
    }


def _code_of(child: int, kill_after_s: float | None) -> int:
    """How a child ended that was killed after some seconds, if it still ran then."""
    until = time.monotonic() + (kill_after_s or 0)
    while kill_after_s is not None:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(_LOOK_EVERY_S)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    _import_all()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)
