"""A run that ended early is gone on from: its pages are not asked for again, and the result is that of one run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from published import contents
from session_world import Jumping

import pipeline
from pipeline.budget import next_hour
from pipeline.errors import BudgetReached
from pipeline.model import EarlierRunUnfinished
from pipeline.nightly import run as run_night
from pipeline.ops.records import recent
from pipeline.sandbox import Running
from pipeline.sandbox.faults import plan
from pipeline.settings import Budget, Settings
from pipeline.snapshot import read_manifest, sealed_runs

BUDGET = "[budget]\nmonthly = {}\nreserve_percent = 0\n"
IN_FLIGHT = 16  # requests that a run may lose when it ends: as many as were under way


@pytest.fixture(scope="module")
def whole(earlier_night: Path) -> dict:
    """What one undisturbed night publishes from the same books."""
    return contents(earlier_night)


@pytest.fixture
def undisturbed(prospend, sandbox: Running, site_file: Path, tmp_path: Path) -> int:
    """Requests of one undisturbed run."""
    assert prospend("run", "--quiet", "--config", site_file, "--data", tmp_path / "other").code == 0
    count = sandbox.journal.counts.requests
    sandbox.journal.clear()
    return count


def kept_file(data_dir: Path) -> Path:
    (path,) = (data_dir / "staging").glob("*/pages.kept")
    return path


def stop_at(prospend, site_file: Path, calls: int) -> None:
    """A run that ends at its call budget; the next one has none."""
    text = site_file.read_text()
    site_file.write_text(text + BUDGET.format(calls))
    done = prospend("run", "--quiet", "--config", site_file)
    site_file.write_text(text)
    assert done.code == 42, done.err


def test_a_run_at_its_budget_keeps_what_it_read(prospend, sandbox, site_file, tmp_path, whole, undisturbed):
    """Exit 42 says how many pages are kept; the next run asks for the others only and publishes the same tables."""
    site_file.write_text(site_file.read_text() + BUDGET.format(80))
    stopped = prospend("run", "--quiet", "--config", site_file)
    assert stopped.code == 42
    assert "pages read so far are kept, and the next run goes on from them" in stopped.lines["STATE"]
    assert "run again after 20" in stopped.lines["DO"]
    site_file.write_text(site_file.read_text().replace("monthly = 80", f"monthly = {undisturbed + IN_FLIGHT}"))
    done = prospend("run", "--config", site_file)
    assert done.code == 0, done.err
    assert "stopped early, readers were not affected; its " in done.err
    assert "pages are used and not asked for again" in done.err
    assert contents(tmp_path / "data") == whole
    assert sandbox.journal.counts.requests <= undisturbed + IN_FLIGHT
    assert not list((tmp_path / "data" / "staging").iterdir())


def test_the_manifest_tells_when_reading_began(prospend, sandbox, site_file, tmp_path):
    """A night put together from two runs is as old as its first page, and names the run that it went on from."""
    stop_at(prospend, site_file, 80)
    stopped = kept_file(tmp_path / "data").parent.name
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    (run_id,) = sealed_runs(tmp_path / "data")
    manifest = read_manifest(tmp_path / "data" / "runs" / run_id / "manifest.json")
    assert manifest["went_on_from"] == [stopped]
    assert manifest["reading_began_at"] < manifest["started_at"]
    with pipeline.connect(tmp_path / "data") as connection:
        ((as_at,),) = connection.execute("SELECT data_as_at FROM meta.snapshot_info").fetchall()
    assert as_at.isoformat() <= manifest["reading_began_at"].replace("Z", "+00:00")


def test_killed_again_and_again_it_still_ends(sandbox, site_file, tmp_path, whole, prospend, undisturbed):
    """Runs killed at random moments get on: each goes on from the one before, and none asks for a page twice."""
    draw, kills, code = random.Random(5), 0, None
    while code != 0 and kills < 8:
        stop_after = sandbox.journal.counts.requests + draw.randint(30, 60)
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "run", "--quiet", "--config", str(site_file)],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stderr=subprocess.DEVNULL,
        )
        while sandbox.journal.counts.requests < stop_after and process.poll() is None:
            pass
        process.send_signal(signal.SIGKILL)
        code = process.wait()
        kills += code == -signal.SIGKILL
    assert kills >= 2
    assert code == 0
    assert contents(tmp_path / "data") == whole
    assert sandbox.journal.counts.requests <= undisturbed + kills * IN_FLIGHT
    outcomes = [one["exit_code"] for one in recent(tmp_path / "data", 20)]
    assert outcomes == [0, *[137] * kills]


def test_a_refused_token_costs_no_page(prospend, sandbox, site_file, tmp_path, whole, undisturbed):
    """401 in mid-walk: exit 11, what was read is kept; once the token is accepted the next run reads the rest."""
    sandbox.faults(plan("revoked-token:page=1,nth=60"))
    stopped = prospend("run", "--quiet", "--config", site_file)
    assert stopped.code == 11
    assert "pages read so far are kept" in stopped.lines["STATE"]
    sandbox.faults()
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    assert contents(tmp_path / "data") == whole
    assert sandbox.journal.counts.requests <= undisturbed + 2 * IN_FLIGHT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "test"', 'name = "test"\ncompanies = ["1"]'),
        ("[storage]", '[extract]\nresume_within = "0s"\n[storage]'),
    ],
)
def test_pages_of_another_question_are_not_used(prospend, site_file, tmp_path, old, new):
    """With other settings a run reads everything itself, and says why the kept pages were not used."""
    stop_at(prospend, site_file, 80)
    site_file.write_text(site_file.read_text().replace(old, new, 1))
    done = prospend("run", "--config", site_file)
    assert done.code == 0, done.err
    why = "what is to be read has changed (settings, options of the command, catalogue or program version)"
    assert f"pages are not used: {why}" in done.err
    assert not list((tmp_path / "data" / "staging").iterdir())


def test_pages_have_an_age_limit(prospend, sandbox, site_file, tmp_path, undisturbed):
    """After `extract.resume_within` the reading begins anew: one warehouse must not mix moments far apart."""
    site_file.write_text(site_file.read_text() + '[extract]\nresume_within = "0s"\n')
    stop_at(prospend, site_file, 80)
    sandbox.journal.clear()
    done = prospend("run", "--config", site_file)
    assert done.code == 0
    assert "not used: they are older than extract.resume_within" in done.err
    assert sandbox.journal.counts.requests == undisturbed


def test_a_small_budget_is_enough_after_some_pauses(sandbox, site, whole, undisturbed):
    """Pages do not age while there are no calls, however long: each run reads on, and none asks for a page twice."""
    site = paused(site, hourly=110)
    world, hours = Jumping(), 1
    with pytest.raises(BudgetReached):
        run_night(site, world=world.world())
    while not (site.storage.data_dir / "warehouse.duckdb").exists():
        assert sandbox.journal.counts.requests <= 110 * hours
        with pytest.raises(BudgetReached):  # too early
            run_night(site, world=world.world())
        world.ahead += next_hour(world.clock()) - world.clock() + timedelta(minutes=5)
        hours += 1
        with suppress(BudgetReached):
            run_night(site, world=world.world())
    assert hours > 2
    assert contents(site.storage.data_dir) == whole
    assert sandbox.journal.counts.requests <= undisturbed + hours * IN_FLIGHT


def test_pages_age_from_the_moment_there_are_calls_again(sandbox, site):
    """`extract.resume_within` after that they are too old, and the reading begins anew."""
    site = paused(site, hourly=80)
    world, told = Jumping(), []
    with pytest.raises(BudgetReached):
        run_night(site, world=world.world())
    world.ahead += next_hour(world.clock()) - world.clock() + timedelta(minutes=11)
    with pytest.raises(BudgetReached):
        run_night(site, world=world.world(), observe=told.append)
    (left,) = [event for event in told if isinstance(event, EarlierRunUnfinished)]
    assert left.not_used == "they are older than extract.resume_within"
    assert sandbox.journal.counts.requests == 160


def test_a_run_whose_record_was_cut_off_is_recorded_by_the_next(site):
    """A kill while a record is written leaves a folder without one, and nothing else that tells of the run."""
    cut_off = site.storage.data_dir / "runs" / "20260101T020000Z"
    cut_off.mkdir(parents=True)
    (cut_off / ".report.json.part").write_text("{")
    told = []
    run_night(site, observe=told.append)
    (left,) = [event for event in told if isinstance(event, EarlierRunUnfinished)]
    assert (left.run_id, left.was_killed, left.pages) == (cut_off.name, True, 0)
    assert [path.name for path in cut_off.iterdir()] == ["report.json"]
    assert [(one["run_id"], one["outcome"]) for one in recent(site.storage.data_dir, 2)][1] == (cut_off.name, "failed")
    told.clear()
    run_night(site, observe=told.append)
    assert not [event for event in told if isinstance(event, EarlierRunUnfinished)]


def paused(site: Settings, *, hourly: int) -> Settings:
    """A site whose pages age within minutes, and whose runs stop at so many calls an hour."""
    extract = replace(site.extract, resume_within="10m")
    return replace(site, extract=extract, budget=Budget(hourly=hourly, reserve_percent=0))


def test_pages_that_break_the_contract_are_not_met_again(prospend, sandbox, site_file, tmp_path):
    """Exit 21 keeps nothing: the next run asks anew, and publishes once the source is sound."""
    sandbox.faults(plan("nan:path=/beta/company/1/invoice,times=1"))
    assert prospend("run", "--quiet", "--config", site_file).code == 21
    assert not list((tmp_path / "data" / "staging").iterdir())
    sandbox.faults()
    assert prospend("run", "--quiet", "--config", site_file).code == 0


def test_a_torn_end_is_cut_off(prospend, site_file, tmp_path, whole):
    """Whatever a power loss leaves of the file - cut, or a flipped bit - the whole entries before it are used."""
    draw = random.Random(3)
    stop_at(prospend, site_file, 120)
    path = kept_file(tmp_path / "data")
    content = path.read_bytes()
    for n in range(2):
        end = draw.randrange(len(content))
        torn = content[:end] if n % 2 else content[:end] + bytes([content[end] ^ 4]) + content[end + 1 :]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(torn)
        assert prospend("run", "--quiet", "--config", site_file).code == 0
        assert contents(tmp_path / "data") == whole


def test_a_lost_cursor_begins_the_walk_anew(prospend, sandbox, site_file, tmp_path, whole):
    """The source forgot the cursor meanwhile: the walk is read from its first page, its children are not asked again."""
    site_file.write_text(site_file.read_text().replace("[token]", "page_limit = 5\nconcurrency = 1\n[token]"))
    sandbox.faults(plan("expired-cursor:resource=claim,page=3,times=1"))
    done = prospend("run", "--quiet", "--config", site_file)
    assert done.code == 0, done.err
    assert contents(tmp_path / "data") == whole
    asked = [(one.path, one.query) for one in sandbox.journal.entries if one.path.endswith("/expense")]
    assert len(asked) == len(set(asked))


def test_kept_pages_are_private(prospend, site_file, tmp_path):
    """Raw pages hold names and amounts: nobody else on the machine can read them."""
    stop_at(prospend, site_file, 80)
    path = kept_file(tmp_path / "data")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
