"""The same for five hundred publishes."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import ground
from publishing import published_before_readers

NIGHTS = 500


@pytest.mark.slow
def test_readers_see_whole_nights_in_order(authority: Path):
    """Every opening by three processes shows exactly one published night, and none that is older than the one before."""
    with ground(authority) as place:
        saw = published_before_readers(place, NIGHTS)
    assert saw.wrong() == []
    assert len(saw.published) == NIGHTS + 1
    assert saw.openings >= 3 * NIGHTS
