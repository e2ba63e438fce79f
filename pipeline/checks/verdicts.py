"""How a verdict is put: a name, whether it held, a few of the differences in words, and what was counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.model import Blamed, CheckResult

_NAMED = 5  # how many differences a detail spells out


def verdict(
    name: str,
    wrong: Sequence[str],
    fine: str,
    *,
    required: bool = True,
    numbers: Iterable[tuple[str, int | float]] = (),
    blamed: Sequence[Blamed] = (),
    blamed_count: int | None = None,
) -> CheckResult:
    """What one check found: it passed if nothing is wrong.

    Args:
        name: of the check.
        wrong: each difference in words.
        fine: what to say when there is none.
        required: whether a difference refuses the publication.
        numbers: what was counted.
        blamed: the rows that are wrong, all of them or the first.
        blamed_count: how many there are, if not all are given.
    """
    detail = "; ".join(wrong[:_NAMED]) or fine
    if len(wrong) > _NAMED:
        detail += f"; and {len(wrong) - _NAMED} more"
    return CheckResult(
        name,
        required=required,
        passed=not wrong,
        detail=detail,
        numbers=tuple(numbers),
        blamed=tuple(blamed),
        blamed_count=len(blamed) if blamed_count is None else blamed_count,
    )


def refusals(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """The required checks that did not pass."""
    return tuple(result for result in results if result.required and not result.passed)


def to_document(result: CheckResult) -> dict[str, Any]:
    """A verdict as a manifest keeps it: everything but the blamed rows, whose number stays."""
    return {
        "name": result.name,
        "required": result.required,
        "passed": result.passed,
        "detail": result.detail,
        "numbers": dict(result.numbers),
        "blamed_count": result.blamed_count,
    }


def from_document(document: Mapping[str, Any]) -> CheckResult:
    """The verdict that a manifest keeps."""
    return CheckResult(
        name=document["name"],
        required=document["required"],
        passed=document["passed"],
        detail=document["detail"],
        numbers=tuple(document.get("numbers", {}).items()),
        blamed_count=document.get("blamed_count", 0),
    )
