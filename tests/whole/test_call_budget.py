"""Call budgets over whole runs: counted before the call, equal to the server's own count, never exceeded."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys

import pytest

import pipeline
from pipeline.ops.ledger import calls_by_hour, folder_of


def ledger_of(data_dir) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (_, resource), count in calls_by_hour(folder_of(data_dir, "test")).items():
        counts[resource] = counts.get(resource, 0) + count
    return counts


def test_the_ledger_is_what_the_server_saw(prospend, sandbox, site_file, tmp_path):
    """After two runs and a token check, by resource: the ledger equals the server's journal."""
    assert prospend("token", "check", "--config", site_file).code == 0
    for _ in range(2):
        assert prospend("run", "--quiet", "--config", site_file).code == 0
    assert ledger_of(tmp_path / "data") == sandbox.journal.counts.requests_by_resource
    status = json.loads(prospend("status", "--json", "--config", site_file).out)
    assert status["budget"]["month"]["used"] == sandbox.journal.counts.requests


@pytest.mark.parametrize("kind", ["hourly", "monthly"])
def test_a_run_stops_at_its_budget(prospend, sandbox, site_file, tmp_path, kind):
    """Exit 42, the limit less its reserve is used to the last call and not one more, and the next run knows."""
    site_file.write_text(site_file.read_text() + f"[budget]\n{kind} = 100\nreserve_percent = 20\n")
    done = prospend("run", "--quiet", "--config", site_file)
    assert done.code == 42, done.err
    assert f"the {kind} call budget is used up: 80 of 80" in done.lines["WHAT"]
    assert "run again after 20" in done.lines["DO"]
    assert sandbox.journal.counts.requests == 80
    assert prospend("run", "--quiet", "--config", site_file).code == 42
    assert sandbox.journal.counts.requests == 80
    assert not (tmp_path / "data" / "warehouse.duckdb").exists()


def test_kills_do_not_help_to_exceed_a_budget(sandbox, site_file, tmp_path):
    """Runs killed at random moments, one after the other: together they stay within the budget."""
    site_file.write_text(site_file.read_text() + "[budget]\nmonthly = 500\nreserve_percent = 0\n")
    draw = random.Random(7)
    for _ in range(6):
        seen = sandbox.journal.counts.requests
        stop_at = seen + draw.randint(5, 140)
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "run", "--quiet", "--config", str(site_file)],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stderr=subprocess.DEVNULL,
        )
        while sandbox.journal.counts.requests < stop_at and process.poll() is None:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    made, recorded = sandbox.journal.counts.requests, sum(ledger_of(tmp_path / "data").values())
    in_flight = 16 * 6
    assert made <= 500
    assert made <= recorded <= made + in_flight


def test_a_budget_left_is_forecast(prospend, site_file):
    """Status says what is used and left."""
    site_file.write_text(site_file.read_text() + "[budget]\nmonthly = 1000000\n")
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    told = prospend("status", "--config", site_file).out
    assert "left of 1,000,000" in told


def test_a_library_run_counts_too(sandbox, site):
    """The Python door keeps the same ledger."""
    report = pipeline.run(site)
    assert sum(ledger_of(site.storage.data_dir).values()) == report.calls_used == sandbox.journal.counts.requests
