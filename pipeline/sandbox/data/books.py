"""All tables of the books together, reached by resource and parents' keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.sandbox.data.claims import claim_table, make_claims
from pipeline.sandbox.data.coding import Coder
from pipeline.sandbox.data.dimensions import make_dimensions
from pipeline.sandbox.data.draw import Draws, Ints
from pipeline.sandbox.data.expense_text import expense_split_table, expense_table
from pipeline.sandbox.data.expenses import SPLIT, make_expenses
from pipeline.sandbox.data.invoice_text import invoice_table, line_split_table, line_table
from pipeline.sandbox.data.invoices import make_invoices, make_lines
from pipeline.sandbox.data.people import make_people
from pipeline.sandbox.data.splits import make_parts
from pipeline.sandbox.data.table import Shelf, Table, Wanted

_KEPT_SELECTIONS: Final = 16
_LARGE_GROUP: Final = 4096
Filters = tuple[tuple[str, Wanted], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Books:
    """Every table by resource; the newest text made from them and the newest long selections are kept."""

    tables: Mapping[str, Table]
    shelf: Shelf
    moved_days: int = 0
    _selections: OrderedDict[tuple[str, int, Filters], tuple[slice | Ints, Ints]] = field(default_factory=OrderedDict)

    def selection(self, table: Table, group: int, wanted: Filters) -> tuple[slice | Ints, Ints]:
        """The rows of one parent that pass some filters, in order, and their keys."""
        name = (table.name, group, wanted)
        found = self._selections.get(name)
        if found is None:
            rows = table.select(group, dict(wanted))
            found = rows, table.keys[rows]
            if len(found[1]) >= _LARGE_GROUP:
                self._selections[name] = found
                while len(self._selections) > _KEPT_SELECTIONS:
                    self._selections.popitem(last=False)
        else:
            self._selections.move_to_end(name)
        return found


def make_books(seed: int, claim_count: int, moved_days: int = 0) -> Books:
    """Books with this many claims, three expenses each, three invoices for four claims, and their lines.

    With `moved_days`, whole weeks, all of it happened so much later.

    Raises:
        ValueError: a negative number of claims, or more than the ids have room for.
    """
    if not 0 <= claim_count <= 3_000_000:
        raise ValueError(f"the books hold 0 to 3000000 claims, not {claim_count}")
    dimensions = make_dimensions(seed, claim_count, moved_days)
    people = make_people(seed, claim_count, dimensions)
    coder = Coder(dimensions)
    claims = make_claims(seed, claim_count, people, moved_days)
    expenses = make_expenses(seed, claims)
    parts = make_parts(Draws(seed, "expense"), expenses.number, (expenses.flags & SPLIT) > 0)
    invoices = make_invoices(seed, claim_count * 3 // 4, dimensions, moved_days)
    lines = make_lines(seed, invoices)
    line_parts = make_parts(Draws(seed, "line"), lines.number, (lines.flags & SPLIT) > 0)
    tables = (
        *dimensions.tables,
        claim_table(seed, claims, people, expenses.counted),
        expense_table(expenses, parts, people, coder),
        expense_split_table(expenses, parts, people, coder),
        invoice_table(seed, invoices, lines, people, dimensions),
        line_table(lines, line_parts, people, coder),
        line_split_table(lines, line_parts, people, coder),
    )
    return Books({table.name: table for table in tables}, Shelf(), moved_days)
