"""What moved since the last night: when it refuses, when it is told, and how a true fall is let through."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.checks import (
    Figures,
    Shift,
    StateCount,
    UpdateTimes,
    data_fresh,
    deletions_small,
    keys_overlap,
    null_rates_steady,
    shrink_small,
    states_told,
    update_times_plausible,
)
from pipeline.model import ColumnFill

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shift", "passed"),
    [
        (Shift("claim", 100, 100), True),
        (Shift("claim", 100, 150), True),
        (Shift("claim", 100, 80), True),
        (Shift("claim", 100, 79), False),
        (Shift("claim", 3, 2), True),
        (Shift("claim", 3, 1), False),
        (Shift("claim", 1, 0), False),
        (Shift("claim", 0, 0), True),
        (Shift("claim", 0, 9), True),
        (Shift("claim", 100, 100, unseen=40), False),
        (Shift("claim", 100, 90, deleted=10, unseen=10), True),
        (Shift("claim", 100, 90, deleted=10, unseen=21), False),
        (Shift("claim", 100, 140, unseen=40, new=40), True),
    ],
    ids=[
        "as before", "grown", "at the limit", "beyond it", "one of few", "two of few", "the last one", "never any",
        "first ones", "hidden, not deleted", "deleted", "deleted and hidden", "hidden and as many new",
    ],
)  # fmt: skip
def test_a_resource_that_shows_much_less_refuses_the_night(shift, passed):
    """Beyond 20 percent fewer rows, hidden ones included; one row may go, but never the last."""
    result = shrink_small([shift], 20, ())
    assert (result.required, result.passed) == (True, passed)


def test_a_refusal_says_the_numbers_and_how_to_accept_them():
    """A person compares two numbers with the source and knows the command; the numbers are kept as such."""
    result = shrink_small([Shift("claim", 1030, 618), Shift("entity", 5, 5)], 20, ())
    assert "claim: 1,030 rows before, 618 now (limit 20 % fewer)" in result.detail
    assert "prospend run --accept-shrink claim" in result.detail
    assert result.numbers == (("claim_before", 1030), ("claim_after", 618), ("claim_gone", 412))


def test_an_accepted_fall_passes_for_that_resource_alone():
    """What a person has looked at goes through; what also fell and was not named does not."""
    shifts = [Shift("claim", 100, 1, deleted=99, new=0), Shift("entity", 100, 1, deleted=99, new=1)]
    for check in (shrink_small, deletions_small, keys_overlap):
        both, one = check(shifts, 60, {"claim", "entity"}), check(shifts, 60, {"claim"})
        assert both.passed, check
        assert one.passed is (check is keys_overlap), check
        assert "claim" not in one.detail


def test_without_a_limit_to_spare_one_row_is_too_many():
    """A site that sets 0 means none at all."""
    assert not shrink_small([Shift("claim", 100, 99)], 0, ()).passed
    assert not deletions_small([Shift("claim", 100, 99, deleted=1)], 0, ()).passed


@pytest.mark.parametrize(("deleted", "passed"), [(0, True), (5, True), (6, False)])
def test_many_proven_deletions_refuse_the_night(deleted, passed):
    """Even proof for each of them: somebody may have removed half a year by mistake."""
    result = deletions_small([Shift("claim", 100, 100 - deleted, deleted=deleted)], 5, ())
    assert (result.required, result.passed) == (True, passed)


def test_rows_that_came_back_do_not_hide_deletions():
    """As many new rows as deleted ones leave the count as it was; the deletions are counted by themselves."""
    assert not deletions_small([Shift("claim", 100, 100, deleted=50, new=50)], 5, ()).passed


@pytest.mark.parametrize(
    ("shift", "passed"),
    [
        (Shift("claim", 100, 100, new=0), True),
        (Shift("claim", 100, 100, new=50), True),
        (Shift("claim", 100, 100, new=51), False),
        (Shift("claim", 100, 1000, new=900), True),
        (Shift("claim", 100, 40, deleted=60, new=0), True),
        (Shift("claim", 100, 200, new=200), False),
        (Shift("claim", 100, 200, unseen=100, new=100), False),
        (Shift("claim", 100, 100), True),
        (Shift("claim", 1, 1, new=1), True),
    ],
    ids=[
        "all go on",
        "half",
        "less",
        "grown",
        "fallen",
        "new ids",
        "new ids, old ones hidden",
        "not compared",
        "one row",
    ],
)
def test_ids_given_out_anew_refuse_the_night(shift, passed):
    """Compared with the smaller night: growth is none, and a fall that was accepted is none."""
    result = keys_overlap([shift], 50, ())
    assert (result.required, result.passed) == (True, passed)


def state(month: str, rows: int, name: str = "Finalised") -> StateCount:
    return StateCount("claim", "status", name, month, rows)


def test_what_moved_between_states_is_told():
    """Each count that differs stands with both numbers; that something moved is nothing amiss."""
    before = Figures("a", states=(state("2026-05", 7), state("", 3, "Approved"), state("", 1, "")))
    now = Figures("b", states=(state("2026-05", 7), state("2026-06", 2), state("", 1, "Approved"), state("", 1, "")))
    result = states_told(now, before, None)
    assert result.detail == ("claim.status Approved: 3 before, 1 now; claim.status Finalised 2026-06: 0 before, 2 now")
    assert (result.required, result.passed) == (False, True)
    assert result.numbers == (("counts", 4), ("moved", 2), ("moved_in_closed_months", 0))


def test_counts_by_the_months_of_two_zones_are_not_compared():
    """After the site's time zone was corrected every month's end would seem to have moved."""
    before, now = (
        Figures(zone, states=(state("2026-05", n),), zone=zone) for n, zone in ((7, "UTC"), (6, "Asia/Tokyo"))
    )
    result = states_told(now, before, date(2026, 5, 31))
    assert result.passed
    assert result.detail == "counted by months of Asia/Tokyo, the night before by those of UTC: not compared"


@pytest.mark.parametrize(
    ("closed_until", "passed"),
    [
        (None, True),
        (date(2026, 4, 30), True),
        (date(2026, 5, 30), True),
        (date(2026, 5, 31), False),
        (date(2026, 6, 15), False),
    ],
)
def test_a_count_that_moved_in_a_closed_month_is_amiss(closed_until, passed):
    """A month is closed once its last day is."""
    before, now = Figures("a", states=(state("2026-05", 7),)), Figures("b", states=(state("2026-05", 6),))
    result = states_told(now, before, closed_until)
    assert (result.required, result.passed) == (False, passed)


def fill(rows: int, filled: int, column: str = "notes") -> ColumnFill:
    return ColumnFill("claim", column, rows, filled)


@pytest.mark.parametrize(
    ("before", "now", "passed"),
    [
        (fill(100, 90), fill(100, 70), True),
        (fill(100, 90), fill(100, 69), False),
        (fill(100, 0), fill(100, 21), False),
        (fill(19, 19), fill(100, 0), True),
        (fill(100, 90, "other"), fill(100, 0), True),
    ],
    ids=["at the limit", "emptier", "fuller", "too few before", "a new column"],
)
def test_a_column_that_is_much_emptier_is_told(before, now, passed):
    """More than 20 percentage points, either way, where both nights have rows enough to compare."""
    result = null_rates_steady(Figures("b", fills=(now,)), Figures("a", fills=(before,)), 20)
    assert (result.required, result.passed) == (False, passed)


def test_a_column_is_told_by_name_and_both_shares():
    """Which column, how it was, how it is."""
    result = null_rates_steady(Figures("b", fills=(fill(200, 50),)), Figures("a", fills=(fill(100, 90),)), 20)
    assert result.detail == "claim.notes: 10 % missing before, 75 % now"


@pytest.mark.parametrize(
    ("newest", "max_age", "passed"),
    [
        (NOW - timedelta(days=3), timedelta(days=3), True),
        (NOW - timedelta(days=3, seconds=1), timedelta(days=3), False),
        (NOW - timedelta(days=300), None, True),
        (None, timedelta(days=3), True),
        (NOW + timedelta(days=1), timedelta(days=3), True),
    ],
)
def test_documents_that_nobody_changed_for_long_are_told(newest, max_age, passed):
    """Only documents count, and only with a limit: suppliers and projects may rest for months."""
    updates = [UpdateTimes("claim", newest), UpdateTimes("supplier", NOW - timedelta(days=900))]
    result = data_fresh(updates, ["claim"], max_age, NOW)
    assert (result.required, result.passed) == (False, passed)


@pytest.mark.parametrize(
    ("updates", "passed"),
    [
        (UpdateTimes("claim", NOW), True),
        (UpdateTimes("claim", NOW, in_future=1), False),
        (UpdateTimes("claim", NOW, missing=1), False),
        (UpdateTimes("claim", None, missing=9), True),
    ],
    ids=["sound", "future", "missing in some", "never sent"],
)
def test_update_times_that_cannot_be_are_told(updates, passed):
    """A time in the future or a missing one hides later changes from a night that reads only what changed."""
    assert update_times_plausible([updates]).passed is passed


def test_the_first_night_has_nothing_to_be_compared_with():
    """No earlier night: every comparison passes and says so, instead of reading as compared."""
    figures = Figures("a", states=(state("2026-05", 7),), fills=(fill(100, 0),))
    results = (
        shrink_small((), 20, ()),
        deletions_small((), 5, ()),
        keys_overlap((), 50, ()),
        states_told(figures, None, date(2026, 12, 31)),
        null_rates_steady(figures, None, 0),
    )
    assert {(one.passed, one.detail) for one in results} == {(True, "no earlier night to compare with")}
