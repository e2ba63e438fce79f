"""Survival over many seeds: a fifth of all requests fails a client, half of them whole nights."""

from __future__ import annotations

import time

import pytest
from failing import Survived, nights_until_published, survived, thousand_pages, whole_night, whole_of

SHARE = 0.2
MOST_MINUTES = 180
BEGAN_S = time.monotonic()


@pytest.fixture
def in_time():
    """Leaves out what is left when the soak has had its time; the last line says how much that was."""
    if time.monotonic() - BEGAN_S > 60 * MOST_MINUTES:
        pytest.skip(f"the {MOST_MINUTES} minutes of this soak are over")


@pytest.fixture(scope="module")
def books(authority):
    """One sandbox for all seeds."""
    with thousand_pages(authority) as running:
        yield running


@pytest.fixture(scope="module")
def whole(books):
    """What is read where nothing fails."""
    return whole_of(books)


@pytest.fixture(scope="module")
def tables(books, tmp_path_factory):
    """What one undisturbed night publishes."""
    return whole_night(books, tmp_path_factory.mktemp("whole") / "data")


@pytest.fixture(scope="module")
def told(request):
    """Prints a line past the capture of output."""

    def tell(text: str) -> None:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text}")

    return tell


@pytest.fixture(scope="module")
def seeds_survived(told):
    """Over all seeds: retries cost what the failures make inevitable, and not five percent more."""
    each: list[Survived] = []
    yield each
    if each:
        pages, requests = sum(one.pages for one in each), sum(one.requests for one in each)
        told(
            f"{len(each)} seeds: {pages:,} pages in {requests:,} requests, {requests / pages:.3f} a page, at most "
            f"{max(one.most_attempts for one in each)}; {sum(one.held for one in each):,} moments to come back kept"
        )
        assert requests / pages <= 1 / (1 - SHARE) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_a_fifth_of_failures_loses_nothing(in_time, books, whole, seeds_survived, seed):
    """A thousand pages: complete, equal to the books, at most ten attempts a page, no request too early."""
    seeds_survived.append(survived(books, whole, SHARE, seed))


@pytest.fixture(scope="module")
def runs_needed(told):
    """Over all seeds: of a hundred, ninety-nine need no more than five runs."""
    each: list[int] = []
    yield each
    if each:
        told(f"{len(each)} seeds, runs until published: { ({n: each.count(n) for n in sorted(set(each))}) }")
        assert sum(runs <= 5 for runs in each) >= 0.99 * len(each)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_half_of_failures_only_takes_more_runs(in_time, books, tables, runs_needed, tmp_path, seed):
    """A thousand pages: each run publishes the tables of an undisturbed night, or nothing, and says to run again."""
    runs_needed.append(nights_until_published(books, tables, tmp_path / "data", 0.5, seed))
