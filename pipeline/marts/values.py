"""What a mart is, what its SQL is given, and what its tests find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pipeline.model import Blamed


@dataclass(frozen=True, slots=True)
class MartTest:
    """A statement about a mart that must hold: its SELECT gives the rows for which it does not, as (key, detail)."""

    name: str
    about: str
    sql: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Mart:
    """One reporting table.

    `grain` names the columns that identify a row, `money` pairs each amount with the column that holds its currency,
    `columns` has every column with its meaning, in order. `is_documented` tells that everything in it rests on
    documented fields of the source.
    """

    name: str
    about: str
    grain: tuple[str, ...]
    money: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...]
    is_documented: bool
    sql: str
    tests: tuple[MartTest, ...] = ()

    @property
    def currency_of(self) -> dict[str, str]:
        """The currency column of each amount."""
        return dict(self.money)


@dataclass(frozen=True, slots=True)
class Reporting:
    """What the marts are made with: the instant and the day of the data, and how the site reports.

    `fiscal_month` is the month in which the fiscal year begins, 1 to 12. `approval_thresholds` are whole amounts in a
    document's own currency; a document is just below one if it is less than `threshold_percent` under it.
    """

    as_at: datetime
    today: date
    timezone: str
    fiscal_month: int
    due_soon_days: int
    approval_thresholds: tuple[int, ...]
    threshold_percent: float
    entertainment_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MartFinding:
    """What one test of a mart found: how many rows are to blame, and the first of them."""

    mart: str
    test: MartTest
    blamed: tuple[Blamed, ...]
    blamed_count: int

    @property
    def name(self) -> str:
        """The name of the check."""
        return check_name(self.mart, self.test)


def check_name(mart: str, test: MartTest) -> str:
    """Under which name a test of a mart stands among the checks."""
    return f"mart.{mart}.{test.name}"
