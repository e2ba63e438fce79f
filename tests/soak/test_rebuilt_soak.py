"""The same for months, from several seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from drifting import drifting_nights


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_rebuild_is_what_the_nights_had_made(authority: Path, seed: int):
    """Thirty nights with drift, deletions and quarantined records: every table equal, row by row."""
    with drifting_nights(authority, 30, seed) as nights:
        assert nights.counted("SELECT count(*) FROM meta.quarantine") > 0
        assert nights.counted("SELECT count(*) FROM meta.schema_change") > 0
        assert nights.deleted() > 0
        rebuilt = nights.rebuilt()
    assert (rebuilt.run_count, rebuilt.differs) == (30, ())
