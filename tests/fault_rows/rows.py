"""The catalogue of faults: number, title, what may come of it, what it puts at risk, and where it is proven.

A row is proven by the cases of its number, which the real command is put through (`whole/test_fault_rows.py`), and by the
tests named in `also`. The rule test holds `exits` to what these expect.
"""

from __future__ import annotations

from fault_rows import boundary_rows, machine_rows, reading_rows, surroundings_rows
from fault_rows.row import Row

_MODULES = (boundary_rows, reading_rows, machine_rows, surroundings_rows)
# What is listed here is there in full: a number that is missing from its range fails.
SECTIONS = {name: numbers for module in _MODULES for name, numbers in module.SECTIONS.items()}
ROWS: dict[int, Row] = {number: row for module in _MODULES for number, row in module.ROWS.items()}
