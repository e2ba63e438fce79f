"""Who runs this unattended hears of each failure once, of each recovery once, and of nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from listening import DeadMan, webhook
from session_world import Jumping

from pipeline import warehouse
from pipeline.errors import RunActive
from pipeline.nightly import run as run_night
from pipeline.ops.lock import run_lock
from pipeline.ops.runs import pointer_of
from pipeline.settings import Notify, load_settings
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


@pytest.fixture
def listened_to(site, heard, sandbox, tmp_path):
    """A site whose people listen, and who have a dead man's switch."""
    both = tmp_path / "both.pem"
    both.write_text(heard.ca_file.read_text() + sandbox.ca_file.read_text())
    no_marts = replace(site.report, marts=False)
    notify = Notify(urls=(f"{heard.url}/hook",), ping_url=f"{heard.url}/ping")
    return replace(site, api=replace(site.api, ca_file=both), notify=notify, report=no_marts)


def test_a_night_that_never_came_is_noticed_while_it_is_missing_and_told_when_it_is_over(listened_to, heard):
    """Whoever does not run cannot tell: the dead man's switch does, and the next run says so once."""
    clock = Jumping(ahead=-timedelta(hours=23))
    waiting = DeadMan(period=timedelta(hours=24), grace=timedelta(hours=2))
    heard.on_post = lambda: waiting.hear(heard.pings[-1], clock.clock()) if heard.posts[-1][0] != "/hook" else None
    run_night(listened_to, world=clock.world())
    assert not waiting.is_alarmed(clock.clock())
    clock.ahead += timedelta(hours=25)
    assert not waiting.is_alarmed(clock.clock())  # late, and within the grace
    clock.ahead += timedelta(hours=2)
    assert waiting.is_alarmed(clock.clock())
    assert kinds(heard) == []
    clock.ahead += timedelta(hours=10)
    run_night(listened_to, world=clock.world())
    assert not waiting.is_alarmed(clock.clock())
    assert kinds(heard) == ["missed"]


def test_a_rollback_is_no_missed_night(listened_to, heard):
    """Readers were on an old night while runs went on: the next one has nothing to tell."""
    clock = Jumping(ahead=-timedelta(hours=23))
    first = run_night(listened_to, world=clock.world())
    clock.ahead += timedelta(hours=24)
    run_night(listened_to, world=clock.world())
    data_dir = listened_to.storage.data_dir
    warehouse.rollback(data_dir / "warehouse", pointer_of(data_dir), first.run_id)
    clock.ahead += timedelta(hours=20)
    run_night(listened_to, world=clock.world())
    assert kinds(heard) == []


def test_a_run_that_meets_another_one_is_told_and_so_is_what_comes_of_it(listened_to, heard):
    """Readers had no new data when it said so; they have when the next run has published."""
    data_dir = listened_to.storage.data_dir
    began_at = datetime.now(UTC)
    with run_lock(data_dir, "20260101T000000Z", began_at), pytest.raises(RunActive):
        run_night(listened_to)
    run_night(listened_to)
    assert kinds(heard) == ["failure", "recovery"]
