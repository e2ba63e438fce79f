"""What the workbook asks a warehouse: the marts with their currencies, which rows are shown, the cover's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pipeline.report.reading import MARTS, Connection, Table, quoted, row_count, tables

ROWS_A_SHEET = 100_000
CELLS_A_SHEET = 2_000_000
_SAMPLE_ROWS = 2_000
_CURRENCIES = 100  # that have a number format of their own on one sheet


@dataclass(frozen=True, slots=True)
class Sheet:
    """One mart and what its sheet shows of it.

    `currencies` has the column with the currency of each amount, `row_count` all rows of the mart, `limit` how many of
    them are shown at most, in the order of `by`, a column that tells what is newest, or None. `sample` asks for a few
    rows, to tell how wide columns are.
    """

    table: Table
    currencies: dict[str, str]
    row_count: int
    limit: int
    by: str | None
    query: str
    sample: str

    @property
    def shown(self) -> int:
        """How many rows the sheet shows."""
        return min(self.limit, self.row_count)


@dataclass(frozen=True, slots=True)
class ControlTotal:
    """Exact sums over one table of totals, in one currency."""

    table: str
    currency: str
    count: int
    net: Decimal | None
    tax: Decimal | None
    gross: Decimal | None


def sheets_of(connection: Connection, order: Sequence[str]) -> list[Sheet]:
    """Every mart, those that `order` names in its order and the others after them."""
    keys: dict[str, list[str]] = {}
    currencies: dict[str, dict[str, str]] = {}
    for table, column, is_key, currency in connection.execute(
        "SELECT table_name, column_name, is_key, currency_column FROM meta.data_dictionary "
        "WHERE schema_name = ? AND column_name IS NOT NULL ORDER BY table_name, position",
        [MARTS],
    ).fetchall():
        if is_key:
            keys.setdefault(table, []).append(column)
        if currency:
            currencies.setdefault(table, {})[column] = currency
    place = {name: at for at, name in enumerate(order)}
    found = sorted(tables(connection, (MARTS,)), key=lambda one: (place.get(one.name, len(place)), one.name))
    return [_sheet(connection, one, keys.get(one.name, []), currencies.get(one.name, {})) for one in found]


def data_as_at(connection: Connection) -> datetime:
    """From when on the source was read for what the warehouse shows."""
    ((at,),) = connection.execute("SELECT data_as_at FROM meta.snapshot_info").fetchall()
    assert isinstance(at, datetime)
    return at


def known_currencies(connection: Connection, sheet: Sheet) -> list[str]:
    """The currencies that amounts of a mart have."""
    found: set[str] = set()
    for column in set(sheet.currencies.values()):
        name = quoted(column)
        some = connection.execute(
            f"SELECT DISTINCT {name} FROM {sheet.table.place} WHERE {name} <> '' ORDER BY 1 LIMIT {_CURRENCIES}"  # noqa: S608
        ).fetchall()
        found |= {one for (one,) in some}
    return sorted(found)[:_CURRENCIES]


def control_totals(connection: Connection, run_id: str) -> list[ControlTotal]:
    """What the totals of all documents come to, by currency: they were compared with the pages to the last digit."""
    found = connection.execute(
        "SELECT total.table_name, total.currency, max(total.value_count), "
        "max(total.total) FILTER (total.column_name = 'net_amount'), "
        "max(total.total) FILTER (total.column_name = 'tax_amount'), "
        "max(total.total) FILTER (total.column_name = 'gross_amount') "
        "FROM meta.control_total AS total "
        "WHERE total.run_id = ? AND total.place = 'warehouse' AND total.table_name LIKE '%\\_total' ESCAPE '\\' "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        [run_id],
    ).fetchall()
    return [ControlTotal(*row) for row in found]


def _sheet(connection: Connection, table: Table, key: Sequence[str], currencies: dict[str, str]) -> Sheet:
    """Newest rows first where a mart has a day or a month, unless that alone is its key as in a calendar."""
    limit = max(1, min(ROWS_A_SHEET, CELLS_A_SHEET // len(table.columns)))
    when = [one.name for one in table.columns if one.type == "DATE" or one.type.startswith("TIMESTAMP")]
    by = when[0] if when and list(key) != when[:1] else None
    names = [one.name for one in table.columns]
    newest = [f"{quoted(by)} DESC NULLS LAST"] if by else []
    order = ", ".join([*newest, *(quoted(name) for name in (key or names) if name != by)])
    count = row_count(connection, table)
    sample = f"SELECT {', '.join(map(quoted, names))} FROM {table.place}"  # noqa: S608 - quoted names
    which = ""
    if count > limit:  # what decides is sorted alone: whole rows of a large mart would not fit into memory
        which = f" WHERE rowid IN (SELECT rowid FROM {table.place} ORDER BY {order} LIMIT {limit})"  # noqa: S608
    return Sheet(
        table, currencies, count, limit, by, f"{sample}{which} ORDER BY {order}", f"{sample} LIMIT {_SAMPLE_ROWS}"
    )
