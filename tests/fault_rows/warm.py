"""The real command without its start: each run is forked from a process that has the program loaded.

What a run sees is its own: arguments, environment, working folder, standard streams, and a process that ends the way
`prospend` ends. What Python reads before the program begins (PYTHONPATH and the like) needs the `prospend` fixture.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[2]

SERVER = """
import json, os, resource, signal, sys, time
import pipeline.cli, pipeline.nightly, pipeline.cli.nights, jwt
from pipeline.__main__ import main

def begin(order):
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    time.tzset()
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
                                (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)):
        os.dup2(os.open(name, flags, 0o600), number)
    sys.argv[1:] = order["arguments"]
    for name, most in order["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever starts it in the background ignores
    exec(order["planted"])
    if order["telling"]:
        sys.path.append(order["tests"])
        import telling
        telling.switch_on()
    if order["refused"]:
        sys.path.append(order["tests"])
        import refusing
        refusing.refuse(*order["refused"])

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        begin(order)
        break
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit(0)
main()
"""


@dataclass(frozen=True)
class Ended:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> dict[str, str]:
        """The four labelled lines of an error."""
        labelled = (line.partition(" ") for line in self.err.splitlines())
        return {label: rest.strip() for label, _, rest in labelled if label in ("WHAT", "WHERE", "STATE", "DO")}


class Warm:
    """Runs commands, one after the other."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self.server = server
        self.child = 0  # the process of the last command

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command that runs."""
        os.kill(self.child, number)

    def run(
        self,
        arguments: list[str],
        *,
        home: Path,
        environ: dict[str, str],
        timeout_s: float = 60,
        is_telling: bool = False,
        limits: Mapping[str, int] = MappingProxyType({}),
        refused: tuple[str, str] | None = None,
        planted: str = "",
    ) -> Ended:
        """One command line, in an empty environment but for what is given, in an empty folder.

        Args:
            arguments: after `prospend`.
            home: the folder.
            environ: beside PATH and HOME.
            timeout_s: after which it is killed.
            is_telling: with every switch on that could tell a secret.
            limits: of the operating system, by their names in `resource`.
            refused: a system call that fails, and the error it fails with.
            planted: statements that spoil the loaded program, such as a bug would.
        """
        home.mkdir(exist_ok=True)
        out, err = home.with_name("standard-output"), home.with_name("standard-error")
        order = {
            "arguments": arguments, "cwd": str(home), "out": str(out), "err": str(err),
            "telling": is_telling, "limits": dict(limits), "refused": refused, "planted": planted, "tests": str(ROOT / "tests"),
            "environ": {"PATH": os.environ["PATH"], "HOME": str(home), **environ},
        }  # fmt: skip
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        self.child = int(self.server.stdout.readline())
        with killed_after(self.child, timeout_s):
            code = int(self.server.stdout.readline())
        return Ended(code, out.read_text(), err.read_text(errors="replace"))


@contextmanager
def killed_after(child: int, seconds: float) -> Iterator[None]:
    """The process ends at the latest then; its exit code is then -9, which no test expects."""

    def kill(_number: int, _frame: object) -> None:
        os.kill(child, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def warm_command() -> Iterator[Warm]:
    """A process that has the program loaded, for as long as the block lasts."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={"PATH": os.environ["PATH"]}
    ) as server:
        try:
            yield Warm(server)
        finally:
            server.stdin.close()
