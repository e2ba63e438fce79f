"""What money is spent on and how it is coded: expense types, tax, currencies and rates, dimensions of a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.sandbox.data.dimensions import Dimensions
from pipeline.sandbox.data.draw import Draws, Ints, Mask
from pipeline.sandbox.data.text import Choice, Choices, Value, raw_texts, record, take, texts
from pipeline.sandbox.data.times import month_of
from pipeline.sandbox.data.values import money

CURRENCIES: Final = ("AUD", "NZD", "USD", "GBP", "EUR", "SGD", "JPY", "FJD")
CURRENCY_COUNT: Final = len(CURRENCIES)
CURRENCY_TEXTS: Final = raw_texts(f'"{code}"' for code in CURRENCIES)
USD, JPY = CURRENCIES.index("USD"), CURRENCIES.index("JPY")
RATE_SCALE: Final = 1_000_000
# Units of the company's currency for one unit of each currency, in millionths: plausible, of no date.
_BASE_RATES: Final = (
    (1_000_000, 920_000, 1_530_000, 1_960_000, 1_680_000, 1_150_000, 10_200, 670_000),
    (1_090_000, 1_000_000, 1_670_000, 2_130_000, 1_820_000, 1_250_000, 11_100, 730_000),
)
_MONTH_COUNT: Final = 12 * 17


def _rates() -> Ints:
    """By company, currency and month since January 2023: the base, moved by up to four per cent."""
    base = np.array(_BASE_RATES, dtype=np.int64)[:, :, None]
    months = np.arange(_MONTH_COUNT, dtype=np.int64)[None, None, :]
    kind = np.arange(CURRENCY_COUNT, dtype=np.int64)[None, :, None]
    drift = (months * (7 + kind) * 13) % 81 - 40
    return np.where(base == RATE_SCALE, base, base * (1000 + drift) // 1000)


_RATES: Final = _rates()
_RATE_TEXTS: Final = raw_texts(
    f"{rate // RATE_SCALE}.{rate % RATE_SCALE:06d}".rstrip("0").rstrip(".") for rate in _RATES.ravel().tolist()
)
FREE, FULL = 0, 1


@dataclass(frozen=True, slots=True)
class Types:
    """Expense types as columns: names, codes and general-ledger codes as JSON texts, price range, whether taxed."""

    names: Choices
    codes: Choices
    gl_codes: Choices
    descriptions: Choices
    low_cents: Ints
    span_cents: Ints
    is_taxed: Mask

    def fields(self, kind: Ints, draws: Draws, numbers: Ints) -> dict[str, Value]:
        """The first fields of a line, after its id."""
        wording = kind * len(_WORDINGS) + draws.below("description", numbers, len(_WORDINGS))
        return {
            "code": (take(self.codes, kind),),
            "name": (take(self.names, kind),),
            "description": (take(self.descriptions, wording),),
        }


_WORDINGS: Final = (
    "",
    ", head office",
    ", site visit",
    ", see receipt",
    " (café side)",
    ', "urgent"',
    ", part 1/2",
    "",
)


def make_types(rows: tuple[tuple[str, str, str, int, int, int], ...]) -> Types:
    """Columns from (name, code, general-ledger code, lowest and highest cents, FREE or FULL)."""
    return Types(
        names=texts(row[0] for row in rows),
        codes=texts(row[1] for row in rows),
        gl_codes=texts(row[2] for row in rows),
        descriptions=texts(
            row[0] + wording if place else "" for row in rows for place, wording in enumerate(_WORDINGS)
        ),
        low_cents=np.array([row[3] for row in rows], dtype=np.int64),
        span_cents=np.array([row[4] - row[3] for row in rows], dtype=np.int64),
        is_taxed=np.array([row[5] == FULL for row in rows]),
    )


def rates(company: Ints, currency: Ints, day: Ints) -> Ints:
    """Millionths of the company's currency for one unit, by currency and day."""
    found: Ints = _RATES.ravel()[(company * CURRENCY_COUNT + currency) * _MONTH_COUNT + month_of(day)]
    return found


def rate_texts(company: Ints, currency: Ints, day: Ints) -> Choice:
    """The same as JSON numbers."""
    return take(_RATE_TEXTS, (company * CURRENCY_COUNT + currency) * _MONTH_COUNT + month_of(day))


def converted(cents: Ints, rate: Ints) -> Ints:
    """Cents in the company's currency, half a cent rounded up."""
    return (cents * rate + RATE_SCALE // 2) // RATE_SCALE


def included_tax(gross: Ints, company: Ints) -> Ints:
    """The GST inside a gross amount: one eleventh in Australia, three twenty-thirds in New Zealand, rounded."""
    size = np.abs(gross)
    tax = np.where(company == 0, (2 * size + 11) // 22, (6 * size + 23) // 46)
    signed: Ints = np.sign(gross) * tax
    return signed


def amount_fields(gross: Ints, tax: Ints, currency: Choice) -> dict[str, Value]:
    """The four fields of a money object: net is always gross less tax."""
    return {
        "grossAmount": money(gross),
        "netAmount": money(gross - tax),
        "taxAmount": money(tax),
        "currencyCode": (currency,),
    }


def money_object(gross: Ints, tax: Ints, currency: Choice) -> Value:
    """A money object by itself."""
    return record(amount_fields(gross, tax, currency))


class Coder:
    """Codes lines to cost centres, projects and tax codes."""

    def __init__(self, dimensions: Dimensions) -> None:
        self._dimensions = dimensions
        self._divisions = raw_texts(f'"{each}"' for each in dimensions.divisions.ids)
        self._entities = raw_texts(f'"{each}"' for each in dimensions.division_entity)
        # One more at the end: no project.
        self._projects = texts((*dimensions.projects.ids, None))
        self._portfolios = texts((*dimensions.project_portfolio, None))
        self._tax_codes = raw_texts(f'"{each}"' for each in dimensions.tax_codes.ids)

    def fields(self, draws: Draws, numbers: Ints, company: Ints, division: Ints) -> dict[str, Value]:
        """Entity, division, project and portfolio: mostly the given division, sometimes another; mostly no project."""
        other = self._dimensions.divisions.draw(draws, "division", numbers, company)
        chosen = np.where(draws.chance("other division", numbers, 120), other, division)
        drawn = self._dimensions.projects.draw(draws, "project", numbers, company)
        project = np.where(draws.chance("has project", numbers, 250), drawn, len(self._projects) - 1)
        return {
            "entityId": (take(self._entities, chosen),),
            "divisionId": (take(self._divisions, chosen),),
            "projectId": (take(self._projects, project),),
            "portfolioId": (take(self._portfolios, project),),
        }

    def tax_code(self, company: Ints, tax_kind: Ints) -> Value:
        """0 is free of tax, 1 is GST, 2 is typed by hand."""
        place = np.array([1, 0, 2], dtype=np.int64)[tax_kind]
        return (take(self._tax_codes, self._dimensions.tax_codes.first[company] + place),)


def ranges(starts: Ints, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """The children of some rows, one after another; the place in `rows` of each child's parent; children a row."""
    first = starts[rows].astype(np.int64)
    counts = starts[rows + 1].astype(np.int64) - first
    owner = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
    children = np.arange(len(owner), dtype=np.int64) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return children, owner, counts
