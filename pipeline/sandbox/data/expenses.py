"""Expenses as columns under their claims, and their JSON.

Only what decides order, filters and structure is kept; everything else about a row is drawn again when it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from pipeline.sandbox.data import names
from pipeline.sandbox.data.claims import MILEAGE, Claims, Counted
from pipeline.sandbox.data.coding import FREE, FULL, JPY, USD, converted, included_tax, make_types, ranges, rates
from pipeline.sandbox.data.draw import Draws, Ints
from pipeline.sandbox.data.lifecycle import NONE
from pipeline.sandbox.data.lines import line_order
from pipeline.sandbox.data.text import texts

FIRST_ID: Final = 5_000_001
TYPES: Final = make_types(
    (
        ("Flights", "FLT", "6-1110", 12_000, 190_000, FULL),
        ("Accommodation", "ACC", "6-1120", 14_000, 140_000, FULL),
        ("Meals", "MEA", "6-1130", 900, 18_000, FULL),
        ("Taxi and Ride Share", "TXI", "6-1140", 1_200, 12_000, FULL),
        ("Parking and Tolls", "PRK", "6-1150", 400, 6_000, FULL),
        ("Fuel", "FUE", "6-1160", 3_000, 16_000, FULL),
        ("Entertainment", "ENT", "6-1310", 3_000, 150_000, FULL),
        ("Software Subscriptions", "SUB", "6-1410", 1_500, 90_000, FULL),
        ("Telephone", "TEL", "6-1420", 2_000, 15_000, FULL),
        ("Training", "TRN", "6-1510", 8_000, 250_000, FULL),
        ("Stationery", "STA", "6-1610", 500, 25_000, FULL),
        ("Bank and Government Fees", "FEE", "6-1710", 250, 9_000, FREE),
        ("Mileage", "MIL", "6-1810", 0, 0, FREE),
    )
)
_TYPE_WEIGHTS: Final = (9, 9, 20, 14, 10, 9, 6, 6, 4, 3, 7, 3)
ENTERTAINMENT, MILEAGE_TYPE = 6, 12
CENTS_PER_KM: Final = 88
_COUNT_WEIGHTS: Final = (1, 27, 25, 17, 11, 7, 5, 3, 2, 2, 1, 1, 1)
_FOREIGN_WEIGHTS: Final = (8, 14, 40, 14, 10, 8, 4, 2)
PERSONAL, OMITTED, SPLIT = 1, 2, 4
_AT_ONCE: Final = 1 << 18
RECIPIENTS: Final = texts(
    [
        {"type": kind, "name": f"{names.FIRST_NAMES[(n * 5 + k * 3) % 40]} {names.SURNAMES[(n * 3 + k * 11) % 40]}"}
        for k, kind in enumerate(("employee", "client", "employee", "other")[: n % 4 + 1])
    ]
    for n in range(64)
)


@dataclass(frozen=True, eq=False, slots=True)
class Amounts:
    """Money of expenses: cents in their currency and in the claim's; `tax_kind` is 0 for none, 1 by rate, 2 typed."""

    kind: Ints  # rows of TYPES
    currency: Ints
    gross: Ints
    tax: Ints
    tax_kind: Ints
    home_gross: Ints
    home_tax: Ints

    def of(self, rows: Ints) -> Amounts:
        """The money of some rows, wide enough to calculate with."""
        return Amounts(*(getattr(self, each.name)[rows].astype(np.int64) for each in fields(self)))


@dataclass(frozen=True, eq=False, slots=True)
class Expenses:
    """Columns in table order: neighbours under their claim. `flags` is a sum of PERSONAL, OMITTED, SPLIT."""

    seed: int
    claims: Claims
    claim: Ints
    number: Ints
    updated: Ints
    flags: Ints
    starts: Ints
    money: Amounts

    def company(self, rows: Ints) -> Ints:
        return self.claims.company[self.claim[rows]].astype(np.int64)

    def days(self, rows: Ints) -> Ints:
        """When the money was spent."""
        return _days(Draws(self.seed, "expense"), self.claims, self.claim[rows], self.number[rows])

    def kilometres(self, rows: Ints) -> Ints:
        """Length of the drive, for mileage."""
        return _kilometres(Draws(self.seed, "expense"), self.number[rows])

    def counted(self, claims: Ints) -> Counted:
        """What the expenses of some claims add to their totals: the personal and the omitted add nothing."""
        rows, owner, _ = ranges(self.starts, claims)
        counts = (self.flags[rows] & (PERSONAL | OMITTED)) == 0
        rows = rows[counts]
        return Counted(
            owner[counts],
            *(
                column[rows].astype(np.int64)
                for column in (
                    self.money.currency,
                    self.money.gross,
                    self.money.tax,
                    self.money.home_gross,
                    self.money.home_tax,
                )
            ),
        )


def _days(draws: Draws, claims: Claims, claim: Ints, number: Ints) -> Ints:
    """A day within the claim's period."""
    first, last = claims.period(claim)
    return first + draws.below("day", number, last - first + 1)


def _kilometres(draws: Draws, number: Ints) -> Ints:
    return 5 + draws.skewed("kilometres", number, 600)


def _amounts(draws: Draws, claims: Claims, claim: Ints, number: Ints) -> Amounts:
    """The money of some expenses, by their claims and numbers."""
    company = claims.company[claim].astype(np.int64)
    is_mileage = claims.kind[claim] == MILEAGE
    kind = np.where(is_mileage, MILEAGE_TYPE, draws.weighted("kind", number, _TYPE_WEIGHTS))
    gross = TYPES.low_cents[kind] + draws.skewed("gross", number, TYPES.span_cents[kind])
    gross = np.where(draws.chance("whole dollars", number, 220), (gross // 100 + 1) * 100, gross)
    gross = np.where(is_mileage, _kilometres(draws, number) * CENTS_PER_KM, gross)
    foreign = draws.weighted("currency", number, _FOREIGN_WEIGHTS)
    foreign = np.where(foreign == company, USD, foreign)
    currency = np.where(draws.chance("foreign", number, 110) & ~is_mileage, foreign, company)
    gross = np.where(currency == JPY, (gross // 100 + 1) * 10_000, gross)  # yen have no cents and are many
    full = included_tax(gross, company)
    at_home = currency == company
    by_hand = draws.chance("typed tax", number, np.where(at_home, 60, 300))
    tax_kind = np.where(by_hand & ~is_mileage, 2, np.where(at_home & TYPES.is_taxed[kind], 1, 0))
    typed = np.where(currency == JPY, full // 100 * 100, full * draws.below("tax share", number, 101) // 100)
    tax = np.select([tax_kind == 1, tax_kind == 2], [full, typed], default=0)
    rate = rates(company, currency, _days(draws, claims, claim, number) - claims.moved_days)
    narrow, wide = np.int8, np.int32
    return Amounts(
        kind.astype(narrow),
        currency.astype(narrow),
        gross.astype(wide),
        tax.astype(wide),
        tax_kind.astype(narrow),
        converted(gross, rate).astype(wide),
        converted(tax, rate).astype(wide),
    )


def _all_amounts(draws: Draws, claims: Claims, claim: Ints, number: Ints) -> Amounts:
    """The same for all expenses, some hundred thousand at a time: the steps between take much memory."""
    parts = [
        _amounts(draws, claims, claim[first : first + _AT_ONCE], number[first : first + _AT_ONCE])
        for first in range(0, max(len(number), 1), _AT_ONCE)
    ]
    return Amounts(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Amounts)))


def make_expenses(seed: int, claims: Claims) -> Expenses:
    """The expenses of all claims: about three each, none where a claim has no status yet."""
    draws = Draws(seed, "expense")
    counts = Draws(seed, "claim").weighted("expenses", claims.number, _COUNT_WEIGHTS)
    counts[claims.fate.status == NONE] = 0
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    by_creation = np.zeros(len(counts), dtype=np.int64)
    by_creation[claims.number] = counts
    first_number = (np.cumsum(by_creation) - by_creation)[claims.number]
    claim, place, updated = line_order(draws, first_number, counts, claims.created, claims.fate.updated)
    number = first_number[claim] + place
    flags = (
        PERSONAL * draws.chance("personal", number, 25)
        + OMITTED * draws.chance("omitted", number, 15)
        + SPLIT * (draws.chance("split", number, 60) & (claims.kind[claim] != MILEAGE))
    )
    claim, number = claim.astype(np.int32), number.astype(np.int32)
    money = _all_amounts(draws, claims, claim, number)
    return Expenses(seed, claims, claim, number, updated, flags.astype(np.int8), starts, money)
