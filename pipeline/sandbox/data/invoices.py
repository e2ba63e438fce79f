"""Supplier invoices and their lines as columns; what their amounts are. Their JSON is made in `invoice_text`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from pipeline.sandbox.data import lifecycle
from pipeline.sandbox.data.claims import Counted, in_order, picked
from pipeline.sandbox.data.coding import FREE, FULL, USD, make_types, ranges
from pipeline.sandbox.data.dimensions import Dimensions
from pipeline.sandbox.data.draw import Draws, Ints
from pipeline.sandbox.data.lifecycle import NONE, Fate
from pipeline.sandbox.data.lines import line_order
from pipeline.sandbox.data.table import sort_key
from pipeline.sandbox.data.times import DAY_S, creation_times

FIRST_ID: Final = 20_000_001
FIRST_LINE_ID: Final = 40_000_001
TYPES: Final = make_types(
    (
        ("Freight", "FRT", "5-1210", 4_500, 160_000, FULL),
        ("Professional Services", "PRO", "6-2110", 12_000, 32_000, FULL),
        ("Software Licences", "LIC", "6-1420", 1_900, 240_000, FULL),
        ("Materials", "MAT", "5-1110", 250, 45_000, FULL),
        ("Plant Hire", "HIR", "5-1310", 9_000, 38_000, FULL),
        ("Cleaning", "CLN", "6-2210", 8_000, 60_000, FULL),
        ("Utilities", "UTL", "6-2310", 6_000, 320_000, FULL),
        ("Repairs and Maintenance", "REP", "6-2410", 9_500, 21_000, FULL),
        ("Insurance", "INS", "6-2510", 40_000, 900_000, FREE),
        ("Council Rates", "RAT", "6-2610", 30_000, 280_000, FREE),
        ("Stationery", "STA", "6-1610", 400, 9_000, FULL),
    )
)
_TYPE_WEIGHTS: Final = (16, 12, 12, 20, 8, 8, 7, 8, 2, 2, 5)
_BY_THE_HOUR: Final = np.array([name in (1, 4, 7) for name in range(len(_TYPE_WEIGHTS))])
_BY_THE_PIECE: Final = np.array([name in (2, 3, 10) for name in range(len(_TYPE_WEIGHTS))])
_COUNT_WEIGHTS: Final = (1, 29, 28, 18, 10, 6, 4, 2, 1, 1)
OMITTED, SPLIT = 2, 4
_AT_ONCE: Final = 1 << 18


@dataclass(frozen=True, eq=False, slots=True)
class Invoices:
    """Columns in table order; `number` is the place in order of creation. `supplier` is a row of `Dimensions`."""

    number: Ints
    company: Ints
    created: Ints
    supplier: Ints
    currency: Ints
    fate: Fate
    starts: Ints


@dataclass(frozen=True, eq=False, slots=True)
class LineAmounts:
    """Quarter units, cents a unit, and the line's cents; net is units times price, tax is on top."""

    kind: Ints  # rows of TYPES
    quarters: Ints
    unit_price: Ints
    gross: Ints
    tax: Ints
    tax_kind: Ints

    def of(self, rows: Ints) -> LineAmounts:
        """The money of some rows, wide enough to calculate with."""
        return LineAmounts(*(getattr(self, each.name)[rows].astype(np.int64) for each in fields(self)))


@dataclass(frozen=True, eq=False, slots=True)
class Lines:
    """Columns in table order: neighbours under their invoice. `flags` is a sum of OMITTED, SPLIT."""

    seed: int
    invoices: Invoices
    invoice: Ints
    number: Ints
    updated: Ints
    flags: Ints
    starts: Ints
    money: LineAmounts

    def company(self, rows: Ints) -> Ints:
        return self.invoices.company[self.invoice[rows]].astype(np.int64)

    def counted(self, invoices: Ints) -> Counted:
        """What the lines of some invoices add to their totals: the omitted add nothing."""
        rows, owner, _ = ranges(self.starts, invoices)
        counts = (self.flags[rows] & OMITTED) == 0
        rows = rows[counts]
        currency = self.invoices.currency[self.invoice[rows]].astype(np.int64)
        gross, tax = self.money.gross[rows].astype(np.int64), self.money.tax[rows].astype(np.int64)
        return Counted(owner[counts], currency, gross, tax, gross, tax)


def _amounts(draws: Draws, invoices: Invoices, invoice: Ints, number: Ints) -> LineAmounts:
    """The money of some lines, in their invoice's currency; a credit note has negative units."""
    kind = draws.weighted("kind", number, _TYPE_WEIGHTS)
    company = invoices.company[invoice].astype(np.int64)
    quarters = np.where(_BY_THE_PIECE[kind], 4 + 4 * draws.skewed("pieces", number, 40), 4)
    by_the_hour = _BY_THE_HOUR[kind]
    quarters = np.where(by_the_hour, 1 + draws.below("hours", number, 160), quarters)
    credit = draws.chance("credit note", invoices.number[invoice], 15)
    quarters = np.where(credit, -quarters, quarters)
    price = TYPES.low_cents[kind] + draws.skewed("price", number, TYPES.span_cents[kind])
    whole = by_the_hour | draws.chance("whole dollars", number, 300)
    price = np.where(whole, (price // 100 + 1) * 100, price)
    net = quarters * price // 4  # exact: a price by the quarter hour is in whole dollars
    size = np.abs(net)
    full = np.sign(net) * np.where(company == 0, (size + 5) // 10, (3 * size + 10) // 20)
    at_home = invoices.currency[invoice] == company
    typed = draws.chance("typed tax", number, 50) & at_home
    tax_kind = np.where(typed, 2, np.where(at_home & TYPES.is_taxed[kind], 1, 0))
    share = np.sign(full) * (np.abs(full) * draws.below("tax share", number, 101) // 100)
    tax = np.select([tax_kind == 1, tax_kind == 2], [full, share], default=0)
    narrow, wide = np.int8, np.int32
    return LineAmounts(
        kind.astype(narrow),
        quarters.astype(np.int16),
        price.astype(wide),
        (net + tax).astype(wide),
        tax.astype(wide),
        tax_kind.astype(narrow),
    )


def _all_amounts(draws: Draws, invoices: Invoices, invoice: Ints, number: Ints) -> LineAmounts:
    """The same for all lines, some hundred thousand at a time: the steps between take much memory."""
    parts = [
        _amounts(draws, invoices, invoice[first : first + _AT_ONCE], number[first : first + _AT_ONCE])
        for first in range(0, max(len(number), 1), _AT_ONCE)
    ]
    return LineAmounts(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(LineAmounts)))


def make_invoices(seed: int, count: int, dimensions: Dimensions, moved_days: int = 0) -> Invoices:
    """The columns of `count` invoices, sorted by company, last update and id; four in five are Australian."""
    rows = np.arange(count, dtype=np.int64)
    draws = Draws(seed, "invoice")
    created = creation_times(draws, rows, count)
    company = draws.chance("company", rows, 200).astype(np.int64)
    supplier = dimensions.suppliers.draw(draws, "supplier", rows, company)
    fate = lifecycle.decide(draws, rows, created).moved(moved_days * DAY_S)
    order, starts = in_order(company, sort_key(fate.updated, rows))
    return Invoices(
        number=order.astype(np.int32),
        company=company[order].astype(np.int8),
        created=(created + moved_days * DAY_S)[order].astype(np.int32),
        supplier=supplier[order].astype(np.int16),
        currency=np.where(dimensions.supplier_is_foreign[supplier], USD, company)[order].astype(np.int8),
        fate=picked(fate, order, np.dtype(np.int32)),
        starts=starts,
    )


def make_lines(seed: int, invoices: Invoices) -> Lines:
    """The lines of all invoices: about three each, none where an invoice has no status yet."""
    draws = Draws(seed, "line")
    counts = Draws(seed, "invoice").weighted("lines", invoices.number, _COUNT_WEIGHTS)
    counts[invoices.fate.status == NONE] = 0
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    by_creation = np.zeros(len(counts), dtype=np.int64)
    by_creation[invoices.number] = counts
    first_number = (np.cumsum(by_creation) - by_creation)[invoices.number]
    invoice, place, updated = line_order(draws, first_number, counts, invoices.created, invoices.fate.updated)
    number = first_number[invoice] + place
    flags = OMITTED * draws.chance("omitted", number, 20) + SPLIT * draws.chance("split", number, 90)
    invoice, number = invoice.astype(np.int32), number.astype(np.int32)
    money = _all_amounts(draws, invoices, invoice, number)
    return Lines(seed, invoices, invoice, number, updated, flags.astype(np.int8), starts, money)
