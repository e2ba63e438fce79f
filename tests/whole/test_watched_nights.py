"""What can be watched of a night from outside, of one that publishes and of one that fails."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline
from pipeline import nightly
from pipeline.errors import PipelineError
from pipeline.model import NotLogged
from pipeline.sandbox import SandboxSettings, in_thread
from pipeline.settings import Settings


class Nights:
    """A night that published, and the one after it, which failed."""

    def __init__(self, site: Settings, token: str):
        self.site, self.data_dir = site, site.storage.data_dir
        self.published = nightly.run(site, environ={TOKEN_VARIABLE: token})
        elsewhere = replace(site, site=replace(site.site, version="v9"))
        with pytest.raises(PipelineError) as failed:
            nightly.run(elsewhere, environ={TOKEN_VARIABLE: token})
        self.error = failed.value

    def lines(self) -> list[dict]:
        paths = sorted((self.data_dir / "logs").iterdir())
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def nights(authority, tmp_path_factory) -> Nights:
    data_dir = tmp_path_factory.mktemp("watched") / "data"
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        return Nights(site_of(running, data_dir), running.token)


def test_the_log_tells_a_night_from_its_beginning_to_its_end(nights):
    """Every stage in order, and the result as the report has it."""
    run_id = nights.published.run_id
    told = [one for one in nights.lines() if one["run_id"] == run_id]
    names = [one["event"] for one in told]
    assert (names[0], names[-1]) == ("run_began", "run_ended")
    stages = [one["fields"]["stage"] for one in told if one["event"] == "stage_began"]
    assert stages == ["extract", "seal", "load", "marts", "check", "publish", "report"]
    (read,) = [one["fields"] for one in told if one["event"] == "page_read"]
    assert read["records"] == sum(one.records for one in nights.published.resources)
    ended = told[-1]["fields"]
    assert (ended["outcome"], ended["exit_code"], ended["error"]) == ("published", 0, None)
    assert ended["calls_used"] == nights.published.calls_used
    assert ended["rows"] == ended["new"] == sum(one.rows for one in nights.published.resources)
    assert [one["level"] for one in told if one["level"] == "error"] == []


def test_the_log_tells_how_a_night_failed(nights):
    """The four lines and the exit code, as an error."""
    last = nights.lines()[-1]
    assert (last["event"], last["level"]) == ("run_ended", "error")
    assert last["run_id"] != nights.published.run_id
    assert (last["fields"]["outcome"], last["fields"]["exit_code"]) == ("failed", nights.error.exit_code)
    assert list(last["fields"]["error"].values()) == [text for _, text in nights.error.lines()]


def test_the_log_holds_no_value_of_a_record(nights):
    """No name, and no id of a person: an erasure has nothing to do in it."""
    text = "".join(path.read_text() for path in (nights.data_dir / "logs").iterdir())
    with pipeline.connect(nights.data_dir) as connection:
        people = connection.execute(
            "SELECT claimant_name, claimant_id FROM prospend.claim UNION SELECT supplier_name, id FROM prospend.invoice"
        ).fetchall()
    words = {word for row in people for word in row if word is not None and len(word) > 3}
    assert len(words) > 20
    assert [word for word in words if word in text] == []


def test_a_log_without_a_place_fails_no_night(site, sandbox):
    """It is told once, and the night is published."""
    site.storage.data_dir.mkdir()
    (site.storage.data_dir / "logs").write_text("in the way")
    events = []
    assert nightly.run(site, observe=events.append).outcome == "published"
    assert len([one for one in events if isinstance(one, NotLogged)]) == 1
