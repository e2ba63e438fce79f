"""Who runs this unattended hears of each failure once, of each recovery once, and of nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from listening import webhook

from pipeline.settings import load_settings
from pipeline.telling import read_told


@pytest.fixture
def heard(tmp_path):
    with webhook(tmp_path) as heard:
        yield heard


@pytest.fixture
def told_site(site_file, heard, sandbox, tmp_path):
    """A site whose people listen; one bundle of authorities for source and people."""
    both = tmp_path / "both.pem"
    both.write_text(heard.ca_file.read_text() + sandbox.ca_file.read_text())
    text = site_file.read_text().replace(str(sandbox.ca_file), str(both))
    site_file.write_text(f'{text}[notify]\nurls = ["env:HOOK"]\nping_url = "{heard.url}/ping"\n')
    return site_file


def kinds(heard) -> list[str]:
    return [one["kind"] for one in heard.messages]


def test_a_failure_and_its_recovery_are_told_once_each(prospend, sandbox, told_site, heard):
    """The four lines and how old the data is; then that it is new again; a good night after that says nothing."""
    hook = {"HOOK": f"{heard.url}/hook"}
    assert prospend("run", "--config", told_site, "--quiet", **hook).code == 0
    assert (kinds(heard), heard.pings) == ([], ["start", "0"])
    token = told_site.with_name("token")
    good = token.read_text()
    token.write_text("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")
    refused = prospend("run", "--config", told_site, "--quiet", **hook)
    assert refused.code == 11
    (failure,) = heard.messages
    assert failure["title"] == "test: no new data, CREDENTIAL (11)"
    for label in ("WHAT", "WHERE", "STATE", "DO"):
        assert f"{label:<6} {refused.lines[label]}" in failure["body"]
    assert "DATA   readers have the data of 20" in failure["body"]
    token.write_text(good)
    for _ in range(2):
        assert prospend("run", "--config", told_site, "--quiet", **hook).code == 0
    assert kinds(heard) == ["failure", "recovery"]
    assert heard.pings == ["start", "0", "start", "11", "start", "0", "start", "0"]
    assert sandbox.token not in str(heard.posts)


def test_people_who_cannot_be_reached_fail_no_run_and_hear_later(prospend, told_site, heard):
    """Exit code and output stay those of the run; what was not heard is said by the next one."""
    told_site.with_name("token").write_text("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")
    hook = {"HOOK": f"{heard.url}/hook"}
    heard.status = 500
    refused = prospend("run", "--config", told_site, "--quiet", **hook)
    assert refused.code == 11
    assert "not told: https: answered 500" in refused.err
    heard.status, heard.posts[:] = 200, []
    assert prospend("run", "--config", told_site, "--quiet", **hook).code == 11
    assert kinds(heard) == ["failure", "failure"]
    assert read_told(load_settings(told_site, environ={}).storage.data_dir).unsent == ()


def test_a_run_that_was_killed_is_told_by_the_next(prospend, sandbox, told_site, heard, tmp_path):
    """It left no word itself; the next one says so, and that the data is new again."""
    hook = {"HOOK": f"{heard.url}/hook"}
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(told_site), "--quiet"]
    process = subprocess.Popen(command, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **hook})
    while not sandbox.journal.counts.requests:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert prospend("run", "--config", told_site, "--quiet", **hook).code == 0
    assert kinds(heard) == ["failure", "recovery"]
    assert "was killed" in heard.messages[0]["title"]
