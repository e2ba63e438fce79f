"""In how many rows a column holds a value is counted as the tables will show it."""

from __future__ import annotations

from decode_cases import THING, decode, record

from pipeline.fills import add_fills, table_fills
from pipeline.model import ColumnFill
from pipeline.tables import tables_of

RECORDS = (
    record("a", amount="1", currencyCode='"AUD"', **{"class": '{"grossAmount":3}'}),
    record("b", amount="null", totals='[{"grossAmount":1,"currencyCode":"AUD"},null,{}]', **{"class": "null"}),
    record("c", totals="[]"),
    record("d", totals="null", **{"class": "{}"}),
)


def test_values_are_counted_at_every_depth():
    """At the top, in objects (an absent object is an absent value), in elements of lists, and lists that are not empty."""
    found = table_fills(decode(*RECORDS).table, THING)
    for fill in (
        ColumnFill("thing", "amount", 4, 1),
        ColumnFill("thing", "class_gross_amount", 4, 1),
        ColumnFill("thing", "thing_total", 4, 1),
        ColumnFill("thing_total", "gross_amount", 3, 1),
    ):
        assert fill in found


def test_every_column_of_every_table_is_counted_once():
    """One entry a column that comes from a field, and one a list; none is left out by accident."""
    found = [(one.table, one.column) for one in table_fills(decode(*RECORDS).table, THING)]
    wanted = [(table.name, column.name) for table in tables_of(THING) for column in table.columns if column.is_own]
    wanted += [("thing", table.name) for table in tables_of(THING) if table.list_field]
    assert sorted(found) == sorted(wanted)


def test_parts_add_up():
    """Two halves are the whole; an empty table has columns without rows."""
    whole = table_fills(decode(*RECORDS).table, THING)
    halves = [table_fills(decode(*half).table, THING) for half in (RECORDS[:1], RECORDS[1:], ())]
    assert add_fills(*halves) == whole
