"""The same two thousand times."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import EVERYTHING, ground, kill_often

KILLS = 2000


@pytest.mark.slow
def test_two_thousand_kills_need_no_repair(authority: Path):
    """After each kill readers have the old night or the new one, whole; a plain run publishes and leaves no debris."""
    with ground(authority, claims=16, report=EVERYTHING) as place:
        tally = kill_often(place, KILLS, seed=KILLS)
    assert tally.wrong == []
    assert tally.kills >= KILLS
    assert tally.after_publishing > 0
