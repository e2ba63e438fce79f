"""What can be watched of a night from outside, of one that publishes and of one that fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from collecting import Collector
from prometheus_client.parser import text_string_to_metric_families
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline
from pipeline import nightly
from pipeline.cli.health import print_status
from pipeline.errors import PipelineError
from pipeline.model import NotExported, NotLogged
from pipeline.ops.lock import run_lock
from pipeline.sandbox import SandboxSettings, in_thread
from pipeline.settings import Settings, Watch
from pipeline.watching import health_of


def samples_of(text: str) -> dict[tuple[str, ...], float]:
    """Every sample of a metrics file by name and labels but the site's."""
    return {
        (
            one.name.removeprefix("prospend_"),
            *(value for name, value in one.labels.items() if name != "site"),
        ): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


class Nights:
    """A night that published, and the one after it, which failed."""

    def __init__(self, site: Settings, token: str):
        self.data_dir = site.storage.data_dir
        self.metrics_file = self.data_dir.with_name("prospend.prom")
        self.site = site = replace(site, watch=Watch(prometheus_file=self.metrics_file))
        self.published = nightly.run(site, environ={TOKEN_VARIABLE: token})
        self.metrics = samples_of(self.metrics_file.read_text())
        elsewhere = replace(site, site=replace(site.site, version="v9"))
        self.collector = Collector()
        with pytest.raises(PipelineError) as failed:
            nightly.run(elsewhere, environ={TOKEN_VARIABLE: token, "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url})
        self.collector.close()
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


def test_status_tells_of_both_nights_of_what_is_late_and_of_the_disk(nights, capsys):
    """Two days on, its document says what is stale and why, and how much is left."""
    two_days_on = nights.published.started_at + timedelta(hours=48)
    site = replace(nights.site, checks=replace(nights.site.checks, max_data_age="1s"))
    found = health_of(nights.data_dir, site, two_days_on, last=5, token=None)
    assert [run["outcome"] for run in found["runs"]] == ["failed", "published"]
    assert (found["is_stale"], found["age_hours"], found["running"]) == (True, 48.0, None)
    assert {one.name: one.rows for one in nights.published.resources} == {
        name: one["rows"] for name, one in found["resources"].items()
    }
    assert {name for name, one in found["resources"].items() if one["is_change_late"]} == {"claim", "invoice"}
    assert all(one["is_read_late"] for one in found["resources"].values())
    print_status(found)
    assert "\nSTALE: the data is 2.0 d old, where each night should bring new\n" in capsys.readouterr().out
    disk = found["disk"]
    assert disk["sizes"]["warehouse"] == found["generations"][0]["size_bytes"]
    assert disk["sizes"]["logs"] > 0
    assert sum(disk["sizes"].values()) == disk["total_bytes"]
    assert disk["free_bytes"] > 0


def test_status_is_as_plain_on_a_terminal_as_its_owner_wants_it(nights, prospend):
    """The words are the same with colours and without: on a terminal, with NO_COLOR, and in a file."""
    plain = prospend("status", "--data", nights.data_dir).out
    shown = {name: on_a_terminal("status", "--data", nights.data_dir, **environ) for name, environ in TERMINALS.items()}
    assert f"the last run ended with exit code {nights.error.exit_code}" in plain
    assert "no target" in plain
    assert "\x1b[31m" in shown["colours"]
    assert "\x1b" not in shown["none wanted"] + shown["a dumb one"] + plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown["colours"]) == shown["none wanted"] == shown["a dumb one"]


def test_a_run_that_is_under_way_is_told(nights, prospend):
    """By whoever holds the lock."""
    with run_lock(nights.data_dir, "20991127T000000Z", nights.published.started_at):
        told = prospend("status", "--data", nights.data_dir).out
    assert f"under way: 20991127T000000Z, pid {os.getpid()}" in told
    assert "under way" not in prospend("status", "--data", nights.data_dir).out


TERMINALS = {
    "colours": {"TERM": "xterm"},
    "none wanted": {"TERM": "xterm", "NO_COLOR": "1"},
    "a dumb one": {"TERM": "dumb"},
}


def on_a_terminal(*arguments: object, **environ: str) -> str:
    """What a command prints to a terminal; the figures that move are left out."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    with subprocess.Popen(command, stdout=theirs, stdin=theirs, env={"PATH": os.environ["PATH"], **environ}) as process:
        os.close(theirs)
        told = b""
        with suppress(OSError):  # the terminal's other end is closed
            while some := os.read(ours, 65536):
                told += some
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"[\d.,]+ (hours|h|d|days|MB|GB|TB)\b", "#", told.decode())


def test_metrics_of_a_night_that_published(nights):
    """What the report and the warehouse say, whole, and readable for the exporter's user."""
    found, report = nights.metrics, nights.published
    assert (found["last_run_outcome", "published"], found["last_run_exit_code",]) == (1, 0)
    assert found["data_timestamp_seconds",] == report.started_at.timestamp()
    assert found["last_success_timestamp_seconds",] == report.finished_at.timestamp()
    assert {name: found["resource_rows", name] for name in (one.name for one in report.resources)} == {
        one.name: one.rows for one in report.resources
    }
    assert found["last_run_calls",] == found["calls_used", "month"] == report.calls_used
    assert found["token_expiry_timestamp_seconds",] == report.token.expires_at.timestamp()
    assert found["disk_bytes", "snapshots"] > 0
    assert nights.metrics_file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in nights.metrics_file.parent.iterdir() if "prom" in path.name] == ["prospend.prom"]


def test_metrics_of_a_night_that_failed(nights):
    """How it failed is told, and the data of the night before grows old beside it."""
    found = samples_of(nights.metrics_file.read_text())
    assert (found["last_run_outcome", "failed"], found["last_run_exit_code",]) == (1, nights.error.exit_code)
    assert found["last_run_ended_timestamp_seconds",] > nights.published.finished_at.timestamp()
    kept = ("data_timestamp_seconds", "last_success_timestamp_seconds", "token_expiry_timestamp_seconds")
    assert {name: found[name,] for name in kept} == {name: nights.metrics[name,] for name in kept}


def test_a_trace_of_a_night_that_failed(nights):
    """Sent where the environment says: the run, and the stage in which it failed."""
    _, spans = nights.collector.spans
    assert set(spans) == {"run", "extract"}
    assert spans["extract"].parent_span_id == spans["run"].span_id
    assert all(span.status.code == 2 for span in spans.values())
    assert nights.collector.points["prospend.run.exit_code", "failed"] == nights.error.exit_code


def test_a_night_fails_neither_for_a_log_nor_for_metrics_nor_for_a_collector(site, sandbox, monkeypatch):
    """Each is told once, and the night is published."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    site.storage.data_dir.mkdir()
    (site.storage.data_dir / "logs").write_text("in the way")
    site = replace(site, watch=Watch(prometheus_file=site.storage.data_dir / "nowhere" / "x.prom"))
    events, environ = [], {TOKEN_VARIABLE: sandbox.token, "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:1/secret"}
    assert nightly.run(site, observe=events.append, environ=environ).outcome == "published"
    told = [one for one in events if isinstance(one, NotLogged | NotExported)]
    assert [type(one) for one in told] == [NotLogged, NotExported, NotExported, NotExported]
    assert told[1].what.startswith("watch.prometheus_file: ")
    assert told[2].what == "OpenTelemetry: traces: the collector did not take them"
