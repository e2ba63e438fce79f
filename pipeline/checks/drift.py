"""Whether the source still sends what the catalogue says: unknown fields, fields gone, other types, new values.

What each of these leads to stands in ARCHITECTURE.md, "Drift".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from pipeline.checks.figures import Figures
from pipeline.checks.verdicts import verdict
from pipeline.model import Blamed, CheckResult, ColumnFill, Note, Quarantined

# From so many rows on, a column that was filled in at least this share of them does not become empty by itself.
_ENOUGH_ROWS, _GOOD_PERCENT = 10, 50
# In a night that reads only what changed: so many values would have been expected.
_EXPECTED_VALUES = 20


def fields_known(notes: Iterable[Note]) -> CheckResult:
    """Advisory: the source sent no field that the catalogue does not know."""
    wrong = [f"{n.resource}.{n.field} ({n.record_count} records)" for n in notes if n.kind == "unknown_field"]
    return verdict("fields_known", wrong, "no unknown fields", required=False)


def values_as_sent(notes: Iterable[Note]) -> CheckResult:
    """Advisory: no time lost digits beyond microseconds, and every enumeration held a known value."""
    told = {"precision_reduced": "digits beyond microseconds dropped", "unknown_value": "value not in the catalogue"}
    wrong = [f"{n.resource}.{n.field}: {told[n.kind]} ({n.record_count} records)" for n in notes if n.kind in told]
    return verdict("values_as_documented", wrong, "all values as documented", required=False)


def types_as_declared(quarantined: Iterable[Quarantined]) -> CheckResult:
    """Advisory: no field came as another type. How many records may be set aside for it is another check's business."""
    counts = Counter((one.resource, one.field, one.reason) for one in quarantined)
    wrong = [
        f"{resource}{f'.{field}' if field else ''}: {reason} ({count} records)"
        for (resource, field, reason), count in counts.most_common()
    ]
    return verdict("types_as_declared", wrong, "all types as declared", required=False)


def fields_sent(
    read: Iterable[ColumnFill],
    before: Figures | None,
    *,
    resource_of: Mapping[str, str],
    in_full: Collection[str],
    notes: Iterable[Note],
) -> tuple[CheckResult, CheckResult]:
    """No column that was well filled is empty in everything that was read: the source dropped or renamed its field.

    Required for resources that were read in full; where only changes were read, an empty column may be a matter of
    which records changed, and is told.

    Args:
        read: of this night's parts.
        before: of the last published night.
        resource_of: by table, the resource it belongs to.
        in_full: the resources of which every record was read.
        notes: tell which fields the catalogue does not know, one of which may be the new name.
    """
    earlier = {(one.table, one.column): one for one in before.fills} if before else {}
    unknown: dict[str, list[str]] = {}
    for note in notes:
        if note.kind == "unknown_field":
            unknown.setdefault(note.resource, []).append(note.field)
    found: tuple[list[Blamed], list[Blamed]] = ([], [])
    for one in read:
        other = earlier.get((one.table, one.column))
        resource = resource_of.get(one.table, one.table)
        if other is None or one.filled or not other.filled:
            continue
        is_full = resource in in_full
        if _is_vanished(one, other, is_full=is_full):
            hint = f"; new there: {', '.join(unknown[resource][:3])}" if resource in unknown else ""
            detail = (
                f"{one.table}.{one.column}: filled in {other.filled:,} of {other.rows:,} rows before, in none of the "
                f"{one.rows:,} read now{hint}"
            )
            found[0 if is_full else 1].append(Blamed(resource, (), detail))
    advice = (
        "; if the source no longer has it, take the column out of the catalogue, or name fields_sent in checks.advisory"
    )
    fine = "no field vanished" if before else "no earlier night to compare with"
    required = [f"{one.detail}{advice}" for one in found[0]]
    return (
        verdict("fields_sent", required, fine, blamed=found[0]),
        verdict("fields_sent_in_changes", [one.detail for one in found[1]], fine, required=False, blamed=found[1]),
    )


def _is_vanished(now: ColumnFill, before: ColumnFill, *, is_full: bool) -> bool:
    if is_full and min(now.rows, before.rows) >= _ENOUGH_ROWS and before.filled * 100 >= _GOOD_PERCENT * before.rows:
        return True
    return not is_full and now.rows * before.filled >= _EXPECTED_VALUES * before.rows
