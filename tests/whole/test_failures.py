"""Failures beside the table of faults: no settings; and a good run that tells the token to nobody."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import telling
from canary import assert_not_told

from pipeline.model import PageRead, StageBegan
from pipeline.nightly import run as run_night
from pipeline.sandbox.faults import plan

ROOT = Path(__file__).parents[2]


def test_a_missing_config_is_never_replaced_by_sample_data(prospend, tmp_path):
    """No settings: exit 10, both places named, nothing made."""
    done = prospend("run")
    assert done.code == 10
    assert "configs/site.toml" in done.lines["WHERE"]
    assert str(Path("prospend") / "site.toml") in done.lines["WHERE"]
    assert "prospend demo" in done.lines["DO"]
    assert not list((tmp_path / "home").iterdir())


def test_a_good_run_tells_the_token_to_nobody(prospend, sandbox, site_file, tmp_path):
    """After a published night with every debug switch on, no byte of output or data holds the token."""
    place = site_file.with_name("token")
    site_file.write_text(site_file.read_text().replace(f'file = "{place}"', 'env = "PLANTED"'))
    through = ("-X", "dev", ROOT / "tests" / "telling.py")
    done = prospend("run", "--debug", "--config", site_file, through=through, PLANTED=sandbox.token)
    assert done.code == 0, done.err[-2000:]
    assert "DEBUG:asyncio:" in done.err
    assert_not_told(sandbox.token, [tmp_path / "data", tmp_path / "home"], done.out, done.err)


MOMENTS = ["extract", "seal", "load", "check", "publish", "page"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_bug_tells_the_token_to_nobody(sandbox, site, monkeypatch, moment):
    """Whatever breaks inside a run, in asyncio's debug mode: no frame's variables hold the token."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")

    def fail(event) -> None:
        if event == StageBegan(moment) or (moment == "page" and isinstance(event, PageRead) and event.record_count):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        run_night(site, observe=fail)
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next)  # this test's own variables are its own
    told = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    assert_not_told(sandbox.token, [site.storage.data_dir], "".join(told), telling.deep(error))


def test_a_running_process_shows_the_token_to_nobody(sandbox, site_file, tmp_path):
    """Not in arguments, title, environment or open files of the process, its threads and children, while it reads."""
    sandbox.faults(plan("latency:seconds=0.2"))
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--quiet", "--config", str(site_file)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    seen = []
    while process.poll() is None and len(seen) < 200:
        if sandbox.journal.counts.requests > 5:
            seen.append(shown_by(process.pid))
    process.kill()
    process.wait()
    assert len(seen) == 200
    assert any(b"pipeline" in one for one in seen)
    assert_not_told(sandbox.token, [tmp_path / "data"], *(one.decode("latin-1") for one in seen))


def shown_by(pid: int) -> bytes:
    """What the system shows of a process to those who may look: title, arguments, environment, names of threads."""
    shown = []
    for name in ("cmdline", "comm", "environ", "status", "task/*/comm", "task/*/children"):
        for path in Path(f"/proc/{pid}").glob(name):
            with contextlib.suppress(OSError):
                shown.append(path.read_bytes())
    return b"\0".join(shown)
