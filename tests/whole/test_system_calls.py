"""The calls that change files, one by one: killed there or failing there, a run leaves nothing that needs repair."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import NO_PAGE, ground
from power import unsafe
from striking import some_points, strike_each
from tracing import IS_POSSIBLE, Call

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_POSSIBLE, reason="system calls are followed on Linux on x86-64 only"),
]
ONE_AT_A_TIME = "concurrency = 1"
DATA = "/data"
AN_ORDER = [
    Call("openat", ("/data/staging/1/claim/part",)),
    Call("write", ("/data/staging/1/claim/part",)),
    Call("fsync", ("/data/staging/1/claim/part",)),
    Call("fsync", ("/data/staging/1/claim",)),
    Call("rename", ("/data/staging/1/claim", "/data/snapshots/claim/run=1")),
    Call("fsync", ("/data/snapshots/claim",)),
    Call("openat", ("/data/warehouse/.building-1.duckdb",)),
    Call("pwrite64", ("/data/warehouse/.building-1.duckdb",)),
    Call("fsync", ("/data/warehouse/.building-1.duckdb",)),
    Call("rename", ("/data/warehouse/.building-1.duckdb", "/data/warehouse/1.duckdb")),
    Call("fsync", ("/data/warehouse",)),
    Call("symlink", ("/data/.warehouse.duckdb.next",)),
    Call("fsync", ("/data",)),
    Call("rename", ("/data/.warehouse.duckdb.next", "/data/warehouse.duckdb")),
    Call("fsync", ("/data",)),
]
NEEDED = [2, 3, 5, 8, 10, 14]  # the syncs whose loss a power loss would show; the link aside is only tidy


def test_a_night_syncs_before_and_after_each_rename(authority: Path):
    """Power loss: whatever is renamed was synced, its new name is synced, and the pointer leads to safe bytes only."""
    with ground(authority, api=ONE_AT_A_TIME) as place:
        for is_full in (True, True, False):
            done = place.run_traced(is_full=is_full)
            assert done.code == 0, done.err
            assert unsafe(done.calls, str(place.data_dir)) == []
            assert {"write", "pwrite64", "fsync", "rename", "symlink"} <= {call.name for call in done.calls}


@pytest.mark.parametrize("left_out", NEEDED)
def test_a_missing_sync_is_found(left_out: int):
    """The order check itself: without any one of the syncs of the protocol it names what could be lost."""
    assert unsafe(AN_ORDER, DATA) == []
    assert unsafe([*AN_ORDER[:left_out], *AN_ORDER[left_out + 1 :]], DATA) != []


def test_a_strike_at_each_kind_of_call_needs_no_repair(authority: Path):
    """Killed, disk full (30), device broken (40) or access refused (31), once at each kind of call from lock to record."""
    with ground(authority, api=ONE_AT_A_TIME) as place:
        assert place.run().code == 0
        points = some_points(place.run_traced(is_full=True).calls, str(place.data_dir), seed=1)
        struck = strike_each(place, points, seed=1, is_full=True)
    assert struck.wrong == []
    assert struck.count >= 0.9 * len(points)


def test_a_strike_at_each_kind_of_call_for_a_report_needs_no_repair(authority: Path):
    """The same from publication on, where marts and a workbook are wanted: the night is out, and its report follows."""
    with ground(authority, api=ONE_AT_A_TIME, report=NO_PAGE) as place:
        assert place.run().code == 0
        calls = place.run_traced().calls
        points = some_points(calls, str(place.data_dir), seed=1, below="/reports/")
        struck = strike_each(place, points, seed=1, is_full=False)
    assert struck.wrong == []
    assert struck.count >= 0.9 * len(points) > 0
