"""What was counted in a warehouse, for one night to be compared with the next. Values only; SQL counts them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.model import Blamed, ColumnFill


@dataclass(frozen=True, slots=True)
class StateCount:
    """Rows of one table in one state, by the local month of their period: "2026-05", or "" where they have none.

    `state` is one of the values that the catalogue lists, or "(other)", or "" where the source gave none.
    """

    table: str
    column: str
    state: str
    month: str
    rows: int


@dataclass(frozen=True, slots=True)
class UpdateTimes:
    """The newest update time among the rows of a resource; how many have none, and how many lie in the future."""

    resource: str
    newest: datetime | None
    missing: int = 0
    in_future: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """One night in numbers, deleted rows left out.

    `rows` has one entry a table. `fills` has one a column, and one for each list under the name of its child table: in
    how many rows of the table above the list is not empty. `zone` is the time zone whose months were counted by.
    """

    run_id: str
    rows: tuple[tuple[str, int], ...] = ()
    fills: tuple[ColumnFill, ...] = ()
    states: tuple[StateCount, ...] = ()
    updates: tuple[UpdateTimes, ...] = ()
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Sums:
    """What comparing amounts came to, for one table or one kind of line.

    `compared` counts rows, or documents in one currency; `incomplete` those that could not be compared because an
    amount or a currency is missing. `wrong` is cut off at a limit, `wrong_count` is not. `tie_with_all` counts the
    wrong ones that would be right if the lines that the totals leave out counted. `not_compared` says why nothing was.
    `is_of_changes` tells that only what changed was compared, and what had been wrong before: all else was right.
    """

    name: str
    is_documented: bool
    compared: int = 0
    incomplete: int = 0
    wrong_count: int = 0
    wrong: tuple[Blamed, ...] = ()
    tie_with_all: int = 0
    not_compared: str = ""
    is_of_changes: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """How the rows of one resource moved between the last published night and this one.

    `before` and `after` count the rows that are not deleted. `deleted` were proven deleted this night; `unseen` are all
    keys, the deleted ones among them, that complete walks should have shown and did not. `new` counts the keys that
    the night before did not have; None if they were not compared.
    """

    resource: str
    before: int
    after: int
    deleted: int = 0
    unseen: int = 0
    new: int | None = None

    @property
    def shown(self) -> int:
        """The rows that the source still shows: what is hidden but not proven deleted stands in the warehouse yet."""
        return self.after - max(self.unseen - self.deleted, 0)

    @property
    def gone(self) -> int:
        """How many rows fewer the source shows."""
        return max(self.before - self.shown, 0)
