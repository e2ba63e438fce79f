"""Whether amounts came through exactly: what was served next to what each contestant stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

Measure = tuple[str, str, str]  # list, list inside its records, amount


@dataclass(frozen=True)
class Amount:
    """One column of amounts: how it is stored, the sum of its values each taken as the decimal it shows, their number.

    `own_sum` is what a reader gets who simply adds the column up, where its type can be added.
    """

    stored_as: str
    total: Decimal
    count: int
    own_sum: Decimal | None = None


def judged(served: Mapping[Measure, Amount], stored: Mapping[Measure, Amount]) -> str:
    """One phrase for all columns of amounts of a contestant; the worst thing first."""
    kinds = ", ".join(sorted({shown_type(one.stored_as) for one in stored.values()}))
    lost = sum(one.count for one in served.values()) - sum(
        stored[measure].count for measure in served if measure in stored
    )
    if lost:
        return f"**{abs(lost):,} amounts {'missing' if lost > 0 else 'too many'}** ({kinds})"
    wrong = sum(stored[measure].total != one.total for measure, one in served.items())
    if wrong:
        return f"**{wrong} of {len(served)} sums differ** ({kinds})"
    if all(one.stored_as.startswith("DECIMAL") for one in stored.values()):
        return f"exact ({kinds})"
    if kinds == "text":
        return "digits kept, as JSON text"
    off = max((abs(one.own_sum - served[measure].total) for measure, one in stored.items() if one.own_sum is not None))
    return f"float ({kinds}): digits kept, `sum()` off by up to {off:.1e}" if off else f"float ({kinds}): digits kept"


def shown_type(stored_as: str) -> str:
    """A type as people know it."""
    return "text" if stored_as in ("VARCHAR", "JSON") else stored_as
