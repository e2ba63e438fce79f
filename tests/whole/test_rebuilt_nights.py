"""A warehouse made again from the snapshots is the one that grew night by night; `make soak` has a month of them."""

from __future__ import annotations

from pathlib import Path

from drifting import drifting_nights


def test_a_rebuild_is_what_the_nights_had_made(authority: Path):
    """With drift, deletions and quarantined records in the books: every table equal, row by row."""
    with drifting_nights(authority, 7, seed=3) as nights:
        assert nights.counted("SELECT count(*) FROM meta.quarantine") > 0
        assert nights.counted("SELECT count(*) FROM meta.schema_change") > 0
        assert nights.deleted() > 0
        assert nights.counted("SELECT count(DISTINCT _run_id) FROM past.claim") > 3
        rebuilt = nights.rebuilt()
    assert (rebuilt.run_count, rebuilt.differs) == (nights.nights, ())
