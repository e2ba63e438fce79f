"""`kill -9` at random moments of the real command: nothing lost, doubled or mixed, nothing left, nothing to repair."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import ground, kill_often

pytestmark = pytest.mark.slow

KILLS = 200


def test_two_hundred_kills_need_no_repair(authority: Path):
    """After each kill readers have the old night or the new one, whole; a plain run publishes and leaves no debris."""
    with ground(authority) as place:
        tally = kill_often(place, KILLS, seed=KILLS)
    assert tally.wrong == []
    assert tally.kills >= KILLS
    assert tally.reruns >= KILLS // 3
