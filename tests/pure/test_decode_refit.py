"""Rows that an earlier catalogue typed, in today's form: what was unknown then is typed now, to the last digit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decode import decode_pages, is_todays, lacks_columns, refit, snapshot_schema
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


def refitted(table: pa.Table, resource: Resource) -> pa.Table:
    return refit(table, resource).table


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
    assert refitted(before, NOW).to_pylist() == wanted.to_pylist()
    assert refitted(before, NOW).schema.names == snapshot_schema(NOW).names
    assert not lacks_columns(wanted.schema, NOW)


@settings(deadline=None)
@given(st.decimals(min_value=-(10**14), max_value=10**14, places=4, allow_nan=False).filter(lambda d: abs(d) < 10**14))
def test_amounts_come_out_of_the_json_to_the_last_digit(amount: Decimal):
    """No amount passes a float on its way from `_extra` into its column."""
    record = b'{"id":"1","fee":%b}' % f"{amount:f}".encode()
    (row,) = refitted(decoded(WITHOUT_FEE, record), NOW).to_pylist()
    assert row["fee"] == amount
    assert row["_extra"] is None


@pytest.mark.parametrize("value", [b'"much"', b"0.00001", b"[1]", b"1e30"])
def test_a_value_that_does_not_fit_stays_where_it_is(value: bytes):
    """The other new columns of the row are filled; nothing sent is lost, and nothing stood in a column before."""
    record = b'{"id":"1","fee":%b,"paidAt":"2026-01-02T03:04:05Z"}' % value
    table, lost = refit(decoded(catalogue(without=("fee", "paidAt")), record), NOW)
    (row,) = table.to_pylist()
    assert (row["fee"], row["paidAt"]) == (None, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert row["_extra"] == f'{{"fee":{value.decode()}}}'
    assert not lost


def retyped(*pairs: tuple[str, str]) -> Resource:
    """Today's thing with something else in its text."""
    text = _TODAY
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return parse_catalogue(text, "test")["thing"]


FEE_TEXT = ('fee = { type = "money"', 'fee = { type = "text"')
COST_TEXT = ('cost = { type = "money"', 'cost = { type = "text"')
RATE_INTEGER = ('rate = { type = "decimal(9,4)"', 'rate = { type = "integer"')
RATE_NARROW = ('rate = { type = "decimal(9,4)"', 'rate = { type = "decimal(5,1)"')
FEE_RENAMED = ('fee = { type = "money", evidence = "documented", aliases = ["charge"]', 'cost = { type = "money", evidence = "documented", aliases = ["fee", "charge"]')  # fmt: skip
STEPS_GONE = (_TODAY[_TODAY.index("steps = "):].rstrip(), "")  # fmt: skip
CITY_GONE = ('city = { type = "text", evidence = "documented", about = "city" }, ', "")
PLAIN = (
    b'{"id":"1","fee":99999999999999.9999,"paidAt":"2026-01-02T03:04:05Z","colour":"red"}',
    b'{"id":"2","fee":7,"address":{"city":"Perth","rate":10},"steps":[{"name":"a","cost":0.1},null,{"name":"b","by":"x"}]}',
    b'{"id":"3","fee":null,"address":{},"steps":null}',
)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((FEE_TEXT,), id="an amount is a text now"),
        pytest.param((COST_TEXT,), id="in the elements of a list"),
        pytest.param((RATE_INTEGER,), id="in an object"),
        pytest.param((CITY_GONE, RATE_INTEGER), id="every field of an object"),
        pytest.param((RATE_NARROW,), id="fewer digits"),
        pytest.param((CITY_GONE,), id="a field of an object is gone"),
        pytest.param((FEE_TEXT, COST_TEXT, RATE_INTEGER), id="several at once"),
    ],
)
@pytest.mark.parametrize("is_back", [False, True], ids=["there", "back"])
def test_rows_of_other_types_are_as_if_they_had_been_typed_today(change: tuple[tuple[str, str], ...], is_back: bool):
    """A column's type changes, or it goes: what was stored comes to the same rows as what was sent, either way."""
    before, after = (retyped(*change), NOW) if is_back else (NOW, retyped(*change))
    stored, wanted = decoded(before, *PLAIN), decoded(after, *PLAIN)
    assert not is_todays(stored.schema, after)
    assert not lacks_columns(wanted.schema, after)
    found, lost = refit(stored, after)
    assert is_todays(found.schema, after)
    assert as_read(found) == as_read(wanted)
    assert not lost


def test_a_column_of_another_name_takes_over_what_its_alias_held():
    """Renamed in the catalogue, the old name an alias: not one value is lost."""
    after = retyped(FEE_RENAMED)
    assert as_read(refitted(decoded(NOW, *PLAIN), after)) == as_read(decoded(after, *PLAIN))


def as_read(table: pa.Table) -> list[dict[str, object]]:
    """The rows, with what the catalogue does not know as a value: its fields may stand in another order."""
    return [
        row | {"_extra": row["_extra"] and json.loads(row["_extra"], parse_float=Decimal)} for row in table.to_pylist()
    ]


def test_a_list_that_is_no_table_any_more_is_kept_as_it_was():
    """With all that its elements held, what their `_extra` had among it."""
    *_, row, _ = refitted(decoded(NOW, *PLAIN), retyped(STEPS_GONE)).to_pylist()
    assert json.loads(row["_extra"], parse_float=str) == {"steps": [{"name": "a", "cost": "0.1"}, None, {"name": "b", "by": "x"}]}  # fmt: skip


def test_a_value_that_its_new_type_cannot_hold_stays_in_extra():
    """Nothing is rounded and nothing lost: the column is NULL there."""
    table, lost = refit(decoded(NOW, b'{"id":"1","address":{"rate":10.0875}}'), retyped(RATE_NARROW))
    (row,) = table.to_pylist()
    assert (row["address"], row["_extra"]) == ({"city": None, "rate": None}, '{"address.rate":10.0875}')
    assert lost == {"address.rate": 1}


FEE_NARROW = ('fee = { type = "money"', 'fee = { type = "decimal(9,1)"')
COST_NARROW = ('cost = { type = "money"', 'cost = { type = "decimal(3,1)"')
FEE_RENAMED_NARROW = (FEE_RENAMED[0], FEE_RENAMED[1].replace("money", "decimal(9,1)"))
FEE_GONE = (_TODAY[_TODAY.index("fee = "):_TODAY.index("paidAt = ")], "")  # fmt: skip
STORED = (
    b'{"id":"1","fee":1.25,"address":{"rate":0.1},"steps":[{"cost":0.25},{"cost":0.5},null,{"cost":100}]}',
    b'{"id":"2","fee":1.50,"address":{"rate":0.0101}}',
    b'{"id":"3","fee":-0.01,"steps":[{}]}',
    b'{"id":"4"}',
)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        pytest.param((FEE_NARROW,), {"fee": 2}, id="fewer digits"),
        pytest.param((COST_NARROW,), {"steps[].cost": 2}, id="in the elements of a list"),
        pytest.param((FEE_NARROW, RATE_NARROW), {"fee": 2, "address.rate": 1}, id="in an object, and several at once"),
        pytest.param((FEE_RENAMED_NARROW,), {"cost": 2}, id="renamed as well: told by today's name"),
        pytest.param((FEE_GONE,), {}, id="the catalogue wants no column of it"),
        pytest.param((FEE_TEXT, COST_TEXT), {}, id="a text holds every number"),
    ],
)
def test_values_that_leave_their_column_are_counted_by_field(change: tuple[tuple[str, str], ...], lost: dict[str, int]):
    """Those that a column held and the one that takes over does not; a NULL is no value, and 1.50 has one decimal."""
    assert refit(decoded(NOW, *STORED), retyped(*change)).lost == lost


@pytest.mark.parametrize(
    ("kind", "written"),
    [("timestamp", "2026-01-02T03:04:05.678901Z"), ("date", "2026-01-02"), ("boolean", "true"), ("integer", "-7")],
)
def test_every_kind_of_value_becomes_the_text_it_was_sent_as(kind: str, written: str):
    """A column that turns out to hold any text: times in UTC, days, flags and numbers as the source writes them."""
    raw = f'"{written}"' if kind in ("timestamp", "date") else written
    before = retyped(('paidAt = { type = "timestamp"', f'paidAt = {{ type = "{kind}"'))
    after = retyped(('paidAt = { type = "timestamp"', 'paidAt = { type = "text"'))
    (row,) = refitted(decoded(before, f'{{"id":"1","paidAt":{raw}}}'.encode()), after).to_pylist()
    assert (row["paidAt"], row["_extra"]) == (written, None)


def test_a_type_that_no_catalogue_gives_is_refused():
    """A float was never ours: taking it for an amount would make up digits."""
    table = decoded(NOW, b'{"id":"1"}')
    place = table.schema.get_field_index("fee")
    with pytest.raises(ValueError, match="no catalogue"):
        refitted(table.set_column(place, "fee", pa.array([0.1])), NOW)


def test_no_rows_are_no_rows():
    """An empty part gets its columns as well."""
    empty = decoded(catalogue(without=("fee", "rate", "cost")))
    assert refitted(empty, NOW).num_rows == 0
    assert refitted(empty, NOW).schema.names == snapshot_schema(NOW).names
