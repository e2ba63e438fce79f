"""What moved since the last published night: rows that are gone, keys, counts by state, missing values, age."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from pipeline.checks.figures import Figures, Shift, StateCount, UpdateTimes
from pipeline.checks.verdicts import verdict
from pipeline.model import CheckResult, ColumnFill

# A share of fewer rows says nothing.
_ENOUGH_ROWS = 20
# Clocks differ, and the source may be a little ahead of the time it gave.
FUTURE_AFTER = timedelta(hours=1)


def shrink_small(shifts: Iterable[Shift], max_percent: float, accepted: Collection[str]) -> CheckResult:
    """No resource shows so much less than in the last published night: rows may be hidden, not deleted."""
    shifts = tuple(shifts)
    wrong = [
        f"{one.resource}: {one.before:,} rows before, {one.shown:,} now (limit {max_percent:g} % fewer); "
        f"{_accept(one.resource)}"
        for one in shifts
        if one.resource not in accepted and is_too_much(one.gone, one.before, max_percent)
    ]
    fine = f"{sum(one.gone for one in shifts):,} of {sum(one.before for one in shifts):,} rows gone"
    return verdict("shrink_within_limit", wrong, _compared(shifts, fine), numbers=_moved(shifts, "gone"))


def deletions_small(shifts: Iterable[Shift], max_percent: float, accepted: Collection[str]) -> CheckResult:
    """No resource lost more of its rows to proven deletion in one night than the site allows."""
    shifts = tuple(shifts)
    wrong = [
        f"{one.resource}: {one.deleted:,} of {one.before:,} rows would be deleted (limit {max_percent:g} %); "
        f"{_accept(one.resource)}"
        for one in shifts
        if one.resource not in accepted and is_too_much(one.deleted, one.before, max_percent)
    ]
    fine = f"{sum(one.deleted for one in shifts):,} of {sum(one.before for one in shifts):,} rows deleted"
    return verdict("deletions_within_limit", wrong, _compared(shifts, fine), numbers=_moved(shifts, "deleted"))


def keys_overlap(shifts: Iterable[Shift], min_percent: float, accepted: Collection[str]) -> CheckResult:
    """The keys are those of the night before: ids that were given out anew would otherwise look like new rows.

    Compared with the smaller of the two nights, so that growth and an accepted fall are no difference.
    """
    compared = [one for one in shifts if one.new is not None and min(one.before, one.shown) > 1]
    wrong = [
        f"{one.resource}: {kept:,} of {of:,} keys are those of the night before (limit {min_percent:g} %); "
        f"{_accept(one.resource)}"
        for one in compared
        for kept, of in [(max(one.shown - (one.new or 0), 0), min(one.before, one.shown))]
        if one.resource not in accepted and kept * 100 < min_percent * of
    ]
    return verdict("keys_overlap", wrong, _compared(compared, f"the keys of {len(compared)} resources go on"))


def states_told(now: Figures, before: Figures | None, closed_until: date | None) -> CheckResult:
    """Advisory: no count of rows by state moved in a closed month; what moved in the others is told.

    A month is that of the document's period in the site's time zone; counts by another zone's are not compared.
    """
    if before is not None and before.zone != now.zone:
        told = f"counted by months of {now.zone}, the night before by those of {before.zone}: not compared"
        return verdict("status_counts", [], told, required=False, numbers=[("counts", len(now.states))])
    moved = _moved_states(now.states, before.states if before else now.states)
    last_closed = f"{closed_until:%Y-%m}" if closed_until else ""
    closed = [text for month, text in moved if month and month < _after(closed_until, last_closed)]
    open_ = [text for _, text in moved]
    fine = "; ".join(open_[:8]) + (f"; and {len(open_) - 8} more" if len(open_) > 8 else "")
    counted = len(now.states)
    numbers = (("counts", counted), ("moved", len(moved)), ("moved_in_closed_months", len(closed)))
    nothing = f"{counted} counts, none moved" if before else _FIRST
    return verdict("status_counts", closed, fine or nothing, required=False, numbers=numbers)


def null_rates_steady(now: Figures, before: Figures | None, max_points: float) -> CheckResult:
    """Advisory: no column is much emptier or much fuller than in the last night."""
    earlier = {(one.table, one.column): one for one in before.fills} if before else {}
    wrong, compared = [], 0
    for one in now.fills:
        other = earlier.get((one.table, one.column))
        if other is None or min(one.rows, other.rows) < _ENOUGH_ROWS:
            continue
        compared += 1
        was, is_now = _missing_percent(other), _missing_percent(one)
        if abs(is_now - was) > max_points:
            wrong.append(f"{one.table}.{one.column}: {was:.0f} % missing before, {is_now:.0f} % now")
    fine = f"{compared} columns steady" if before else _FIRST
    return verdict("null_rates_steady", wrong, fine, required=False, numbers=[("compared", compared)])


def data_fresh(
    updates: Iterable[UpdateTimes], documents: Collection[str], max_age: timedelta | None, now: datetime
) -> CheckResult:
    """Advisory: something was changed lately in each kind of document; the ages of all others are only told."""
    ages = {one.resource: now - one.newest for one in updates if one.newest is not None}
    wrong = [
        f"{resource}: nothing was changed for {_days(age)} (limit {_days(max_age)})"
        for resource, age in ages.items()
        if max_age is not None and resource in documents and age > max_age
    ]
    youngest = min(ages.values(), default=None)
    fine = "no update times" if youngest is None else f"the newest change is {_days(max(youngest, timedelta()))} old"
    numbers = [(f"{resource}_hours", round(age.total_seconds() / 3600, 1)) for resource, age in ages.items()]
    return verdict("data_fresh", wrong, fine, required=False, numbers=numbers)


def update_times_plausible(updates: Iterable[UpdateTimes]) -> CheckResult:
    """Advisory: every row has an update time, and none lies in the future, which no later change would pass."""
    updates = tuple(updates)
    wrong = [f"{one.resource}: {one.in_future:,} rows were changed in the future" for one in updates if one.in_future]
    wrong += [
        f"{one.resource}: {one.missing:,} rows have no update time"
        for one in updates
        if one.missing and one.newest is not None  # a list that never gives one is read in full every night
    ]
    numbers = [("in_future", sum(one.in_future for one in updates)), ("missing", sum(one.missing for one in updates))]
    return verdict("update_times_plausible", wrong, "all update times plausible", required=False, numbers=numbers)


_FIRST = "no earlier night to compare with"


def is_too_much(gone: int, before: int, max_percent: float) -> bool:
    """Whether so many rows of those before are more than may go in one night.

    One row may always go, unless it was the last or the site allows none at all: small lists would cry wolf.
    """
    is_single = gone == 1 and max_percent > 0 and before > 1
    return gone * 100 > max_percent * before and not is_single


def _accept(resource: str) -> str:
    return f"if the source really has no more: prospend run --accept-shrink {resource}"


def _compared(shifts: Sequence[Shift], fine: str) -> str:
    return fine if shifts else _FIRST


def _moved(shifts: Iterable[Shift], what: str) -> list[tuple[str, int | float]]:
    return [
        (f"{one.resource}_{side}", count)
        for one in shifts
        for side, count in (("before", one.before), ("after", one.shown), (what, getattr(one, what)))
        if getattr(one, what)
    ]


def _moved_states(now: Iterable[StateCount], before: Iterable[StateCount]) -> list[tuple[str, str]]:
    """(month, what moved in words) for every count that differs."""
    after, earlier = _by_state(now), _by_state(before)
    return [
        (
            key[3],
            f"{key[0]}.{key[1]} {key[2] or 'none'}{f' {key[3]}' if key[3] else ''}: {was:,} before, {is_now:,} now",
        )
        for key in sorted(after.keys() | earlier.keys())
        for was, is_now in [(earlier.get(key, 0), after.get(key, 0))]
        if was != is_now
    ]


def _by_state(counts: Iterable[StateCount]) -> Mapping[tuple[str, str, str, str], int]:
    return {(one.table, one.column, one.state, one.month): one.rows for one in counts}


def _after(closed_until: date | None, last_closed: str) -> str:
    """The first month that is open, wholly or in part."""
    if closed_until is None:
        return ""
    is_whole = (closed_until + timedelta(days=1)).day == 1
    return f"{last_closed}~" if is_whole else last_closed


def _missing_percent(fill: ColumnFill) -> float:
    return 100.0 * (fill.rows - fill.filled) / fill.rows


def _days(age: timedelta | None) -> str:
    if age is None:
        return "no limit"
    hours = age.total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"
