"""The call ledger: on record before the call, over runs, hours and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.budget import Used
from pipeline.errors import BudgetReached
from pipeline.ops.ledger import Ledger, calls_by_hour, folder_of, forget_old, used_now
from pipeline.settings import Budget

NOW = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


def test_calls_are_on_record_over_ledgers(tmp_path):
    """What one run counted the next one finds; resources and hours stay apart."""
    folder = folder_of(tmp_path, "my site")
    for resource in ("claim", "claim", "invoice"):
        ledger = Ledger(folder, Budget(), lambda: NOW)
        ledger.count(resource)
        ledger.close()
    assert calls_by_hour(folder) == {("20261130T23", "claim"): 2, ("20261130T23", "invoice"): 1}
    assert used_now(folder, NOW) == Used(3, 3)


def test_the_hour_and_the_month_turn(tmp_path):
    """A new hour is a new allowance; so is a new month."""
    now = NOW
    ledger = Ledger(tmp_path / "c", Budget(hourly=2, monthly=3, reserve_percent=0), lambda: now)
    ledger.count("a")
    ledger.count("a")
    with pytest.raises(BudgetReached, match="hourly"):
        ledger.count("a")
    now = NOW + timedelta(minutes=1)
    for _ in range(2):
        ledger.count("a")
    with pytest.raises(BudgetReached, match="hourly"):
        ledger.count("a")
    now += timedelta(hours=1)
    ledger.count("a")
    with pytest.raises(BudgetReached, match="monthly"):
        ledger.count("a")
    assert used_now(tmp_path / "c", now) == Used(1, 3)
    ledger.close()


def test_a_refused_call_is_not_on_record(tmp_path):
    """The ledger holds what was made, not what was wished."""
    ledger = Ledger(tmp_path / "c", Budget(hourly=1, reserve_percent=0), lambda: NOW)
    ledger.count("a")
    for _ in range(5):
        with pytest.raises(BudgetReached):
            ledger.count("a")
    assert sum(calls_by_hour(tmp_path / "c").values()) == 1
    ledger.close()


def test_a_kill_loses_no_call(tmp_path):
    """Every call that a killed process had counted is on record."""
    code = (
        "import sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from pipeline.ops.ledger import Ledger\nfrom pipeline.settings import Budget\n"
        "ledger = Ledger(Path(sys.argv[1]), Budget(), lambda: datetime(2026, 11, 30, tzinfo=UTC))\n"
        "while True:\n    ledger.count('claim')\n    sys.stdout.write('x')\n    sys.stdout.flush()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "c")], stdout=subprocess.PIPE)
    said = len(os.read(process.stdout.fileno(), 200))
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    recorded = calls_by_hour(tmp_path / "c")["20261130T00", "claim"]
    assert recorded - (said + len(rest)) in (0, 1)


def test_old_months_are_forgotten(tmp_path):
    """Thirteen months are kept."""
    for stem in ("20251001T00", "20251130T23", "20261130T23"):
        (tmp_path / f"{stem}.log").write_text("claim\n")
    forget_old(tmp_path, NOW)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["20251130T23", "20261130T23"]


def test_two_processes_share_one_budget(tmp_path):
    """A run sees what another process of the site calls meanwhile; together they stay within the hour's calls."""
    ledgers = [Ledger(tmp_path / "c", Budget(hourly=10, reserve_percent=0), lambda: NOW) for _ in range(2)]
    made = 0
    with pytest.raises(BudgetReached, match="10 of 10"):
        for _ in range(20):
            for ledger in ledgers:
                ledger.count("a")
                made += 1
    assert made == 10
    for ledger in ledgers:
        ledger.close()
