"""All cases, in the order of their rows."""

from __future__ import annotations

from fault_rows import (
    body_cases,
    connection_cases,
    drift_cases,
    machine_cases,
    other_cases,
    paging_cases,
    settings_cases,
    status_cases,
    surroundings_cases,
    token_cases,
)
from fault_rows.case import Case

_MODULES = (
    settings_cases,
    token_cases,
    connection_cases,
    status_cases,
    body_cases,
    paging_cases,
    drift_cases,
    machine_cases,
    surroundings_cases,
    other_cases,
)
CASES: tuple[Case, ...] = tuple(
    sorted((case for module in _MODULES for case in module.CASES), key=lambda case: case.row or 1_000)
)
