"""What every chapter is given: the answers, how values are written, and which day, periods and currencies are meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.report.page.answers import Answer
from pipeline.report.page.blocks import Writer
from pipeline.report.page.pictures import Pictures

MOST_CURRENCIES = 6


@dataclass(frozen=True, slots=True)
class Subject:
    """The books on their day. `ask` runs one of the page's statements."""

    ask: Callable[[str], Answer]
    write: Writer
    pictures: Pictures
    today: date
    fiscal_year: int
    year_start: date
    quarter: str
    currencies: tuple[str, ...]
    coverage: Mapping[str, int]

    @property
    def month_end(self) -> date:
        """The last day of the newest month that is over."""
        return self.today.replace(day=1) - timedelta(days=1)

    @property
    def has_amounts(self) -> bool:
        """Whether lines come with amounts: their fields are not documented, and may be missing."""
        return bool(self.coverage["with_amount"] and self.coverage["with_currency"] and self.coverage["with_day"])

    def has(self, what: str) -> bool:
        """Whether any line says what it is coded to."""
        return self.coverage[f"with_{what}"] > 0
