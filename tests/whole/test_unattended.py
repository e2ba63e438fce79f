"""A night that nobody starts by hand: whatever a scheduler's surroundings are, and however it ends a run."""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from killing import small_catalogue

from pipeline.ops.records import recent
from pipeline.ops.runs import pointer_of

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24
IN_TIME_S = 5
BARE = {"PATH": "/usr/bin:/bin"}


def as_an_ordinary_owner(mask: int) -> Callable[[], None]:
    """Modes hold for the process as they do for a user, root or not."""

    def become() -> None:
        os.umask(mask)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)

    return become


@pytest.fixture
def small_site(site_file: Path, tmp_path: Path) -> Path:
    """The site with a few resources, and Parquet for readers of the group."""
    text = site_file.read_text().replace("[api]\n", f'[api]\nresources = "{small_catalogue(tmp_path)}"\n')
    site_file.write_text(text.replace("page = false", "page = true\nparquet = true"))
    return site_file


@pytest.mark.parametrize(
    ("mask", "environ", "redirection"),
    [
        pytest.param(0o777, {"LC_ALL": "tr_TR.UTF-8"}, ">&- 2>&- <&-", marks=pytest.mark.marts),
        (0o077, {"LC_ALL": "C", "PYTHONUTF8": "0"}, ""),
        (0o000, {}, ">/dev/full 2>&1"),
    ],
    ids=["umask 0777, Turkish, nothing open", "umask 0077, C", "umask 0000, no variable, a full pipe"],
)
def test_a_night_is_the_same_in_any_surroundings(small_site, tmp_path, marts, mask, environ, redirection):
    """No terminal, no HOME, the root folder: published, every folder 0750, no file open to others or shut to the group."""
    command = f"{sys.executable} -m pipeline run --config {small_site} {redirection}"
    for _ in range(2 if marts else 1):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environ, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False,
            preexec_fn=as_an_ordinary_owner(mask),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*") if not path.is_symlink()
    }
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o750}
    assert {mode for path, mode in modes.items() if path.is_file()} <= {0o440, 0o640}
    assert (tmp_path / "data" / "reports" / "latest" / "index.html").exists() is marts
    assert list((tmp_path / "data" / "parquet").rglob("*.parquet"))


FOR_EVER = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1_000_000_000) SELECT max(n) FROM r",
    "SELECT sum(hash(range)) FROM range(1_000_000_000_000)",
)


def test_a_statement_of_duckdb_is_ended_in_time(prospend, small_site, tmp_path):
    """SIGTERM and Ctrl-C reach a statement that would take for ever: within five seconds, nothing harmed."""
    assert prospend("run", "--quiet", "--config", small_site).code == 0
    before = pointer_of(tmp_path / "data").resolve().read_bytes()
    for statement in FOR_EVER:
        query = ["-m", "pipeline", "query", "--data", str(tmp_path / "data"), statement]
        assert ended_in_time(query) == 143
        assert ended_in_time(query, signal.SIGINT) == 130
    assert pointer_of(tmp_path / "data").resolve().read_bytes() == before


# A night whose marts take for ever, by a statement on the file that is being built.
SLOW_MARTS = """
import sys
import pipeline.nightly
from pipeline import warehouse
from pipeline.__main__ import main

def for_ever(night, built, at):
    from pipeline.warehouse.faults import working
    from pipeline.warehouse.interrupting import opened
    with working("marts"), opened(str(built.path), config={}) as connection:
        print("now", flush=True)
        connection.execute("SELECT sum(hash(range)) FROM range(1_000_000_000_000)")

pipeline.nightly.add_marts = for_ever
main()
"""


def test_a_night_is_ended_in_time_in_the_midst_of_a_statement(prospend, small_site, tmp_path):
    """Exit 143 within five seconds, a record, nothing published and nothing left but pages; the next run publishes."""
    assert prospend("run", "--quiet", "--config", small_site).code == 0
    before = pointer_of(tmp_path / "data").resolve()
    assert ended_in_time(["-c", SLOW_MARTS, "run", "--quiet", "--config", str(small_site)]) == 143
    assert recent(tmp_path / "data", 1)[0]["exit_code"] in (130, 143)  # DuckDB says of both that it was interrupted
    assert pointer_of(tmp_path / "data").resolve() == before
    staged = {path.name for path in (tmp_path / "data" / "staging").rglob("*") if path.is_file()}
    assert staged <= {"pages.kept"}
    assert not list((tmp_path / "data" / "warehouse").glob(".*"))
    assert prospend("run", "--quiet", "--config", small_site).code == 0


def ended_in_time(arguments: list[str], by: signal.Signals = signal.SIGTERM) -> int:
    """The exit code of a command that is told to end while a statement runs."""
    with subprocess.Popen(
        [sys.executable, *arguments], env=BARE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            if "-c" in arguments:
                process.stdout.readline()
            time.sleep(2)  # the statement runs by then: neither says so, and an earlier signal proves nothing
            assert process.poll() is None, process.stderr.read()
            process.send_signal(by)
            return process.wait(timeout=IN_TIME_S)
        finally:
            process.kill()  # one that does not hear would go on for ever


@pytest.mark.parametrize(
    ("zone", "at", "is_told"),
    [("Australia/Sydney", "02:30", True), ("Australia/Brisbane", "02:30", False), ("Pacific/Auckland", "03:30", False)],
)
def test_a_time_that_a_night_of_spring_does_not_have_is_told(prospend, site_file, zone, at, is_told):
    """A systemd timer would leave that night out."""
    site_file.write_text(site_file.read_text().replace("[site]\n", f'[site]\ntimezone = "{zone}"\n'))
    done = prospend("schedule", "--cron", "--at", at, "--config", site_file)
    assert done.code == 0
    assert ("clocks go forward" in done.err) is is_told
