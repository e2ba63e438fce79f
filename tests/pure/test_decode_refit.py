"""Rows that an earlier catalogue typed, in today's form: what was unknown then is typed now, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decode import decode_pages, lacks_columns, refit, snapshot_schema
from pipeline.model import Page, Walk
from pipeline.resources import Resource, parse_catalogue

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
_TODAY = """
format = 1
[resource.thing]
path = "/{version}/thing"
key = "id"
order = "inferred"
evidence = "documented"
about = "a thing"
[resource.thing.column]
id = { type = "text", evidence = "documented", about = "key" }
fee = { type = "money", evidence = "documented", aliases = ["charge"], about = "fee" }
paidAt = { type = "timestamp", evidence = "documented", about = "when" }
address = { type = "object", evidence = "documented", about = "address", column = { city = { type = "text", evidence = "documented", about = "city" }, rate = { type = "decimal(9,4)", evidence = "documented", about = "rate" } } }
steps = { type = "list", table = "thing_step", evidence = "documented", about = "steps", column = { name = { type = "text", evidence = "documented", about = "name" }, cost = { type = "money", evidence = "documented", about = "cost" } } }
"""


def catalogue(*, without: tuple[str, ...] = ()) -> Resource:
    """Today's thing, or as it was before some of its columns were known."""
    text = _TODAY
    for name in without:
        if name in ("rate", "cost"):
            before, _, after = text.partition(f", {name} = ")
            text = before + after[after.index("}") + 1 :]
        else:
            text = "\n".join(line for line in text.splitlines() if not line.startswith(f"{name} = "))
    return parse_catalogue(text, "test")["thing"]


NOW = catalogue()
WITHOUT_FEE = catalogue(without=("fee",))


def decoded(resource: Resource, *records: bytes):
    done = decode_pages([Page(Walk("thing"), 0, records, AT)], resource, run_id="r")
    assert not done.quarantined
    return done.table


RECORDS = (
    b'{"id":"1","fee":99999999999999.9999,"paidAt":"2026-01-02T03:04:05.678901Z","colour":"red"}',
    b'{"id":"2","address":{"city":"Perth","rate":10.0875,"zip":"6000"},"steps":[{"name":"a","cost":0.1,"by":"x"},null,{"name":"b"}]}',
    b'{"id":"3","fee":null,"address":null,"steps":null}',
    b'{"id":"4","charge":"7.5","steps":[]}',
    b'{"id":"5","address":{},"steps":[{}]}',
)


@pytest.mark.parametrize(
    "new", [("fee",), ("paidAt",), ("address",), ("steps",), ("rate",), ("cost",), ("fee", "rate", "cost")]
)
def test_a_column_added_later_holds_what_was_sent_before(new: tuple[str, ...]):
    """Rows typed without a column, then refitted, equal rows that were typed with it from the start."""
    before = decoded(catalogue(without=new), *RECORDS)
    assert lacks_columns(before.schema, NOW)
    wanted = decoded(NOW, *RECORDS)
    assert refit(before, NOW).to_pylist() == wanted.to_pylist()
    assert refit(before, NOW).schema.names == snapshot_schema(NOW).names
    assert not lacks_columns(wanted.schema, NOW)


@settings(deadline=None)
@given(st.decimals(min_value=-(10**14), max_value=10**14, places=4, allow_nan=False).filter(lambda d: abs(d) < 10**14))
def test_amounts_come_out_of_the_json_to_the_last_digit(amount: Decimal):
    """No amount passes a float on its way from `_extra` into its column."""
    record = b'{"id":"1","fee":%b}' % f"{amount:f}".encode()
    (row,) = refit(decoded(WITHOUT_FEE, record), NOW).to_pylist()
    assert row["fee"] == amount
    assert row["_extra"] is None


@pytest.mark.parametrize("value", [b'"much"', b"0.00001", b"[1]", b"1e30"])
def test_a_value_that_does_not_fit_stays_where_it_is(value: bytes):
    """The other new columns of the row are filled; nothing sent is lost."""
    record = b'{"id":"1","fee":%b,"paidAt":"2026-01-02T03:04:05Z"}' % value
    (row,) = refit(decoded(catalogue(without=("fee", "paidAt")), record), NOW).to_pylist()
    assert (row["fee"], row["paidAt"]) == (None, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert row["_extra"] == f'{{"fee":{value.decode()}}}'


def test_no_rows_are_no_rows():
    """An empty part gets its columns as well."""
    empty = decoded(catalogue(without=("fee", "rate", "cost")))
    assert refit(empty, NOW).num_rows == 0
    assert refit(empty, NOW).schema.names == snapshot_schema(NOW).names
