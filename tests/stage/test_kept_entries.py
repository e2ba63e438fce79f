"""Where walkers entered lists is kept with the pages: a run that goes on enters there again, and no page counts for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.snapshot import Began, begin, go_on, left_by_earlier

AT = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
PATH, PARAMS = "/beta/company/1/claim", (("minUpdatedDate", "2026-01-01T00:00:00Z"),)


def test_a_chain_of_runs_enters_lists_where_the_first_ones_had(tmp_path):
    """By path and filters; those of the run before, and of the one before that."""
    moments = [AT - timedelta(days=n) for n in (3, 1)]
    kept = begin(tmp_path / "staging" / "20261126T020000Z", Began("20261126T020000Z", AT, "r"), max_bytes=10_000)
    assert kept.entries(PATH, PARAMS) == ()
    kept.enter(PATH, PARAMS, moments[0])
    kept.close()
    for number, run_id in enumerate(("20261126T030000Z", "20261126T040000Z"), 1):
        (left,) = left_by_earlier(tmp_path, run_id)
        assert left.pages == 0
        kept = go_on(left, tmp_path / "staging" / run_id, max_bytes=10_000)
        assert list(kept.entries(PATH, PARAMS)) == moments[:number]
        assert kept.entries(PATH, ()) == kept.entries("/beta/company/2/claim", PARAMS) == ()
        kept.enter(PATH, PARAMS, moments[1])
        kept.close()
