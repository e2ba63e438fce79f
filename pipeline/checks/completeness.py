"""Whether all that was served is there, once, to the last digit: pages = Parquet = warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.checks.verdicts import verdict
from pipeline.model import CheckResult, ControlTotal, TokenState

QUARANTINE_SMALL = "quarantine_within_limit"


@dataclass(frozen=True, slots=True)
class ResourceCounts:
    """The rows of one resource at each place they pass.

    records (served in pages) = quarantined + parquet rows; parquet rows = superseded + warehouse rows.
    """

    resource: str
    records: int
    quarantined: int
    parquet_rows: int
    superseded: int
    warehouse_rows: int


@dataclass(frozen=True, slots=True)
class KeyProblems:
    """Rows of one warehouse table whose key is missing or not unique."""

    table: str
    null_keys: int
    duplicate_keys: int


def judge(
    *,
    counts: Sequence[ResourceCounts],
    roots: Sequence[str],
    element_counts: Mapping[str, int],
    page_totals: Sequence[ControlTotal],
    parquet_totals: Sequence[ControlTotal],
    loaded_totals: Sequence[ControlTotal],
    loaded_rows: Mapping[str, int],
    key_problems: Sequence[KeyProblems],
    max_quarantined_percent: float,
) -> tuple[CheckResult, ...]:
    """The verdicts without which nothing is ever published.

    Args:
        counts: one a resource.
        roots: resources without a parent: if one of them is empty, nothing was there to be read.
        element_counts: by child table, the list elements in the parts.
        page_totals: from the pages' JSON text, accepted records only.
        parquet_totals: from the parts as they lie on disk.
        loaded_totals: from the warehouse, with rows that a newer version of the same record replaced added back.
        loaded_rows: rows of every warehouse table.
        key_problems: only tables that have any.
        max_quarantined_percent: of a resource's records.
    """
    return (
        roots_not_empty(counts, roots),
        rows_complete(counts),
        totals_equal("money_pages_equal_parquet", page_totals, parquet_totals),
        totals_equal("money_parquet_equals_warehouse", parquet_totals, loaded_totals),
        elements_complete(counts, element_counts, loaded_rows),
        keys_sound(key_problems),
        quarantine_small(counts, max_quarantined_percent),
    )


def rows_complete(counts: Iterable[ResourceCounts]) -> CheckResult:
    """Every record served stands in exactly one row or one quarantine entry, or was replaced by a newer version."""
    wrong = [
        f"{one.resource}: {one.records} served, {one.quarantined} quarantined, {one.parquet_rows} in Parquet, "
        f"{one.superseded} superseded, {one.warehouse_rows} in the warehouse"
        for one in counts
        if one.records != one.quarantined + one.parquet_rows or one.parquet_rows != one.superseded + one.warehouse_rows
    ]
    total = sum(one.records for one in counts)
    return verdict("rows_pages_equal_parquet_equal_warehouse", wrong, f"{total:,} records accounted for")


def roots_not_empty(counts: Iterable[ResourceCounts], roots: Sequence[str]) -> CheckResult:
    """The source showed something at all: a token that sees no company would publish empty tables."""
    wrong = [f"{one.resource}: none was served" for one in counts if one.resource in roots and not one.records]
    return verdict("something_was_served", wrong, f"{', '.join(roots)} served")


def elements_complete(
    counts: Iterable[ResourceCounts], in_parquet: Mapping[str, int], loaded: Mapping[str, int]
) -> CheckResult:
    """Every element of every list is a row of its child table, but for those of superseded records."""
    has_superseded = any(one.superseded for one in counts)
    wrong = [
        f"{table}: {count} in Parquet, {loaded.get(table, 0)} in the warehouse"
        for table, count in sorted(in_parquet.items())
        if loaded.get(table, 0) > count or (loaded.get(table, 0) != count and not has_superseded)
    ]
    return verdict("list_elements_parquet_equal_warehouse", wrong, f"{sum(in_parquet.values()):,} elements")


def token_lasts(token: TokenState) -> CheckResult:
    """Advisory: the token is good for longer than the site wants to be warned before."""
    detail = "its expiry is not known" if token.days_left is None else f"{token.days_left} days left"
    if token.warning is not None:
        detail = f"{token.warning}; `prospend token show --renewal` tells how"
    return CheckResult("token_lasts", required=False, passed=token.warning is None, detail=detail)


def advice_given(advice: Sequence[str]) -> CheckResult:
    """Advisory: the session met nothing that a person should know, such as a clock that is minutes off."""
    return verdict("nothing_to_know", advice, "nothing unusual met while reading", required=False)


def totals_equal(name: str, left: Iterable[ControlTotal], right: Iterable[ControlTotal]) -> CheckResult:
    """Both sides hold the same amounts, to the last digit, for every column and currency."""
    before, after = _by_key(left), _by_key(right)
    wrong = []
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if one is None or other is None or (one.value_count, one.total) != (other.value_count, other.total):
            wrong.append(f"{'.'.join(key[1:3])} {key[3] or 'no currency'}: {_shown(one)} against {_shown(other)}")
    return verdict(name, wrong, f"{len(before)} totals equal")


def keys_sound(problems: Iterable[KeyProblems]) -> CheckResult:
    """No key is missing and none stands twice."""
    wrong = [f"{one.table}: {one.null_keys} missing, {one.duplicate_keys} not unique" for one in problems]
    return verdict("keys_unique_and_present", wrong, "all keys unique and present")


def quarantine_small(counts: Iterable[ResourceCounts], max_percent: float) -> CheckResult:
    """No resource lost more of its records to quarantine than the site allows."""
    wrong = [
        f"{one.resource}: {one.quarantined} of {one.records} records did not fit (limit {max_percent:g} %)"
        for one in counts
        if one.quarantined * 100 > max_percent * one.records
    ]
    found = sum(one.quarantined for one in counts)
    return verdict(QUARANTINE_SMALL, wrong, f"{found} records in quarantine")


def _by_key(totals: Iterable[ControlTotal]) -> Mapping[tuple[str, str, str, str], ControlTotal]:
    return {(one.resource, one.table, one.column, one.currency): one for one in totals}


def _shown(total: ControlTotal | None) -> str:
    return "nothing" if total is None else f"{total.total:f} in {total.value_count} values"
