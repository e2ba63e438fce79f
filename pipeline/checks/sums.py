"""Whether amounts add up: gross = net + tax in every row, and every document = the sum of its lines."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.checks.figures import Sums
from pipeline.model import CheckResult

AMOUNTS, LINES = "amounts_add_up", "lines_add_up"
_NAMED = 3


def sums_right(found: Iterable[Sums]) -> tuple[CheckResult, ...]:
    """A verdict each: required where every amount compared is documented, else advisory.

    An inferred field may mean something else than its name says.
    """
    return tuple(_judged(one) for one in found)


def _judged(found: Sums) -> CheckResult:
    left_out = f", {found.incomplete:,} not compared: an amount or its currency is missing" if found.incomplete else ""
    if found.wrong_count:
        named = ", ".join(f"{one.resource} {'/'.join(one.key)}"[:80] for one in found.wrong[:_NAMED])
        detail = f"{found.wrong_count:,} of {found.compared:,} do not add up, such as {named}{left_out}"
        if found.tie_with_all:
            detail += (
                f"; {found.tie_with_all:,} of them do if the lines left out are counted: if that is so for your site, "
                f"take these flags out of `without` in the catalogue"
            )
    else:
        which = " of what changed" if found.is_of_changes else ""
        detail = found.not_compared or f"{found.compared:,}{which} add up{left_out}"
    return CheckResult(
        found.name,
        required=found.is_documented,
        passed=not found.wrong_count,
        detail=detail,
        numbers=_numbers(found),
        blamed=found.wrong,
        blamed_count=found.wrong_count,
    )


def _numbers(found: Sums) -> tuple[tuple[str, int], ...]:
    counts = (("compared", found.compared), ("incomplete", found.incomplete), ("wrong", found.wrong_count))
    return (*counts, ("skipped", 1)) if found.not_compared else counts
