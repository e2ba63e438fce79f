"""Half of all requests fails: nights that end early go on from what they kept, until one publishes the whole truth."""

from __future__ import annotations

import pytest
from failing import nights_until_published, thousand_pages, whole_night


@pytest.mark.parametrize("seed", range(2))
def test_half_of_failures_only_takes_more_runs(authority, tmp_path, seed):
    """Five runs at most; each publishes the very tables of an undisturbed night, or nothing, and says to run again."""
    with thousand_pages(authority) as books:
        whole = whole_night(books, tmp_path / "whole")
        assert nights_until_published(books, whole, tmp_path / "data", 0.5, seed, at_once=1) <= 5


def test_the_same_with_many_requests_at_once(authority, tmp_path):
    """Chance decides then: a request fails ten times in a row once in a thousand, and each that does costs a run."""
    with thousand_pages(authority) as books:
        whole = whole_night(books, tmp_path / "whole")
        assert nights_until_published(books, whole, tmp_path / "data", 0.5, 0) <= 12
