"""What the tests of the marts found, as verdicts."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.checks.verdicts import verdict
from pipeline.marts import MartFinding
from pipeline.model import CheckResult


def marts_hold(findings: Iterable[MartFinding]) -> tuple[CheckResult, ...]:
    """One verdict for each test of each mart."""
    return tuple(_verdict(one) for one in findings)


def _verdict(found: MartFinding) -> CheckResult:
    rows = "1 row" if found.blamed_count == 1 else f"{found.blamed_count:,} rows"
    wrong = [f"{found.test.about.rstrip('.')}: not so for {rows} of mart.{found.mart}"] if found.blamed_count else []
    return verdict(
        found.name,
        wrong,
        found.test.about,
        required=found.test.is_required,
        blamed=found.blamed,
        blamed_count=found.blamed_count,
    )
