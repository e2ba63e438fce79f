"""A walk ends at the source's end marker, or is refused; it never runs in circles and never ends in silence."""

from __future__ import annotations

import pytest

from pipeline.errors import SecurityStop, SourceContractBroken
from pipeline.paginate import EMPTY_PAGES_IN_A_ROW, LIMITS, MOST_PAGES, WalkProgress, next_limit


def test_a_walk_goes_on_while_there_is_a_cursor():
    """A next cursor goes on, none ends; records and pages are counted."""
    walk = WalkProgress()
    assert walk.advance("a", ["1", "2"])
    assert walk.advance("b", ["3"])
    assert not walk.advance(None, ["4"])
    assert (walk.pages, walk.records) == (3, 4)


@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.parametrize("length", [1, 2, 7, 100, 1000])
def test_a_cycle_of_any_length_is_found(length, before):
    """A cursor seen before ends the walk with an error that tells how many pages ago, also when new keys keep coming."""
    walk = WalkProgress()
    for n in range(before + length):
        walk.advance(f"c{n}", [f"k{n}"])
    with pytest.raises(SourceContractBroken, match=f"cursor repeats after {length:,} page"):
        walk.advance(f"c{before}", ["another"])


def test_new_cursors_with_the_same_rows_are_found():
    """Three pages without a new key end the walk."""
    walk = WalkProgress()
    walk.advance("c0", ["1", "2"])
    walk.advance("c1", ["1", "2"])
    walk.advance("c2", ["2", "1"])
    with pytest.raises(SourceContractBroken, match="no new keys"):
        walk.advance("c3", ["1"])


def test_one_new_key_is_enough_to_go_on():
    """Rows that moved to the end are normal while people work."""
    walk = WalkProgress()
    for n in range(50):
        assert walk.advance(f"c{n}", ["same", f"new{n}"])


def test_memory_of_keys_is_bounded_but_recent_repeats_are_still_found():
    """Keys of long ago are forgotten; a repeat within the recent ones is caught."""
    walk = WalkProgress()
    for n in range(200):
        walk.advance(f"c{n}", [f"{n}-{k}" for k in range(1000)])
    assert len(walk.recent) + len(walk.older) <= 102_000
    with pytest.raises(SourceContractBroken, match="no new keys"):
        for n in range(3):
            walk.advance(f"d{n}", [f"199-{k}" for k in range(1000)])


def test_some_empty_pages_are_allowed_but_not_many():
    """An empty page with a next cursor happens; a row of them does not move."""
    walk = WalkProgress()
    for n in range(EMPTY_PAGES_IN_A_ROW):
        assert walk.advance(f"c{n}", [])
    with pytest.raises(SourceContractBroken, match="empty pages"):
        walk.advance("last", [])


def test_no_walk_goes_on_for_ever():
    """New cursors and new keys without end: the cap on pages ends it, if no deadline or budget has before."""
    walk = WalkProgress(pages=MOST_PAGES - 2)
    assert walk.advance("c0", ["1"])
    with pytest.raises(SourceContractBroken, match=f"did not end within {MOST_PAGES:,} pages"):
        walk.advance("c1", ["2"])


@pytest.mark.parametrize("cursor", ["x" * 5000, "a\nb", "a\x00", "\u202e"])
def test_a_cursor_that_cannot_be_one_is_refused(cursor):
    """Length and characters are bounded: a cursor goes into a URL."""
    with pytest.raises(SecurityStop):
        WalkProgress().advance(cursor, ["1"])


def test_page_sizes_fall_to_the_documented_default():
    """A refused page size is followed by the next smaller one, down to 10."""
    sizes = [LIMITS[0]]
    while (smaller := next_limit(sizes[-1])) is not None:
        sizes.append(smaller)
    assert sizes == list(LIMITS)
    assert sizes[-1] == 10
