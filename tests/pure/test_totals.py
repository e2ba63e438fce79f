"""Money is added exactly, by currency, from the text and from the table alike."""

from __future__ import annotations

from decimal import Decimal, getcontext, localcontext

import pyarrow as pa
import pytest
from decode_cases import SOME, THING, decode, record
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import snapshot_schema
from pipeline.errors import SourceContractBroken
from pipeline.model import ControlTotal
from pipeline.resources import read_catalogue
from pipeline.totals import add_totals, record_totals, table_totals


def total(column: str, currency: str, count: int, amount: str, table: str = "thing") -> ControlTotal:
    return ControlTotal("thing", table, column, currency, count, Decimal(amount))


RECORDS = (
    record("a", amount="0.1", fee='"0.2"', currencyCode='"AUD"'),
    record("b", amount="0.2", fee="null", currencyCode='"AUD"'),
    record("c", amount="-5", currencyCode='"NZD"'),
    record("d", amount="7", fee="null", charge="0.5", currencyCode="null"),
    record("e", amount="1e1"),
    record("f", amount="1", currencyCode='""'),
    record("g", amount="2.5", currencyCode="36"),
    record("h", rate="9", **{"class": '{"grossAmount":3,"currencyCode":"\\u0041UD"}'}),
    record("i", totals='[{"grossAmount":1.0001,"currencyCode":"AUD"},null,{"grossAmount":2,"currency":"AUD"},{}]'),
    record("k", fee="1", charge='["not money"]', currencyCode='"EUR"', currency="{}", total='{"taxAmount":"5"}'),
    record("l", sums='[{"taxAmount":4,"currencyCode":"EUR","currency":[]}]', **{"class": "null"}, total="null"),
    record("j", totals='[{"taxAmount":1,"currencyCode":null,"currency":"EUR"}]', **{"class": "null"}),
)
TOTALS = (
    total("amount", "", 3, "18"),
    total("amount", "36", 1, "2.5"),
    total("amount", "AUD", 2, "0.3"),
    total("amount", "NZD", 1, "-5"),
    total("class_gross_amount", "AUD", 1, "3"),
    total("class_tax_amount", "", 1, "5"),
    total("fee", "", 1, "0.5"),
    total("fee", "AUD", 1, "0.2"),
    total("fee", "EUR", 1, "1"),
    total("gross_amount", "AUD", 2, "3.0001", "thing_total"),
    total("tax_amount", "EUR", 2, "5", "thing_total"),
)


def test_every_amount_is_added_under_its_currency():
    """Nulls do not count, no currency is an empty one, rates are not money, older names count where newer are empty."""
    decoded = decode(*RECORDS)
    assert decoded.quarantined == ()
    assert record_totals(RECORDS, THING) == TOTALS
    assert table_totals(decoded.table, THING) == TOTALS
    assert decoded.totals == TOTALS


def test_totals_come_at_the_scale_of_their_column():
    """A sum prints the same whichever way it was made."""
    ways = record_totals(RECORDS, THING), table_totals(decode(*RECORDS).table, THING)
    assert {str(one.total) for one in ways[0]} == {str(one.total) for one in ways[1]}
    assert {one.total.as_tuple().exponent for way in ways for one in way} == {-4}


def test_only_accepted_records_are_totalled():
    """A record that is set aside adds nothing."""
    decoded = decode(record("a", amount="1"), record("b", amount="2", count="0.5"), record("c", amount="0.00001"))
    assert decoded.totals == (total("amount", "", 1, "1"),)


def test_a_sum_may_outgrow_its_column():
    """Thousands of the largest amount add up to more digits than the column holds, and than Decimal's default keeps."""
    largest, count = "99999999999999.9999", 3000
    records = [record(str(i), amount=largest) for i in range(count)]
    expected = (total("amount", "", count, "299999999999999999.7000"),)
    assert record_totals(records, THING) == table_totals(decode(*records).table, THING) == expected
    huge = Decimal("9" * 26 + ".9999")
    parts = [[ControlTotal("thing", "thing", "amount", "", 1, huge)]] * 5
    assert add_totals(*parts)[0].total == Decimal("4" + "9" * 26 + ".9995")


def test_exact_sums_leave_the_surroundings_alone():
    """Neither is the caller's arithmetic changed, nor does it change the sums."""
    with localcontext(prec=3):
        assert record_totals(RECORDS, THING) == TOTALS
        assert add_totals(TOTALS, TOTALS)[2].total == Decimal("0.6")
        assert getcontext().prec == 3


def test_many_records_are_added_as_few_are():
    """More records than are read together."""
    records = [record(str(i), amount="0.01", currencyCode='"AUD"' if i % 2 else '"NZD"') for i in range(3001)]
    expected = (total("amount", "AUD", 1500, "15"), total("amount", "NZD", 1501, "15.01"))
    assert record_totals(iter(records), THING) == expected


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_a_table_in_pieces_has_the_totals_of_the_whole(pieces):
    """Chunks, slices and filtered rows count once and only what is in them."""
    table = decode(*RECORDS).table
    parts = [table.slice(start, pieces) for start in range(0, len(RECORDS), pieces)]
    assert table_totals(pa.concat_tables(parts), THING) == TOTALS
    assert add_totals(*(table_totals(part, THING) for part in parts)) == TOTALS


@pytest.mark.parametrize("resource", list(read_catalogue()), ids=lambda resource: resource.name)
def test_nothing_adds_up_to_no_totals(resource):
    """Every resource of the catalogue can be totalled, with money or without."""
    assert record_totals([], resource) == record_totals([b'{"id":"1"}'], resource) == ()
    assert table_totals(snapshot_schema(resource).empty_table(), resource) == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'{"amount":"x"}',
        b'{"amount":"NaN"}',
        b'{"amount":1e-9}',
        b'{"amount":1e900}',
        b'{"amount":1e-900}',
        b'{"amount":{}}',
        b'{"totals":1}',
        b'{"a":"\xff',
    ],
)
def test_a_record_without_readable_amounts_is_no_accepted_record(raw):
    """Adding what decoding would not accept stops, instead of leaving something out."""
    with pytest.raises(SourceContractBroken, match="amounts of an accepted record"):
        record_totals([raw], THING)


totals = st.lists(
    st.builds(
        ControlTotal,
        resource=st.sampled_from("ab"),
        table=st.just("t"),
        column=st.sampled_from("xy"),
        currency=st.sampled_from(["", "AUD"]),
        value_count=st.integers(0, 9),
        total=st.decimals(-(10**14), 10**14, places=4),
    )
)


@SOME
@given(st.lists(totals, max_size=4))
def test_adding_totals_does_not_depend_on_their_order(many):
    """However they are grouped and ordered, sums and counts are the same and sorted."""
    flat = [one for some in many for one in some]
    added = add_totals(*many)
    assert added == add_totals(flat) == add_totals(reversed(flat)) == add_totals(added)
    assert list(added) == sorted(added)
    assert sum(one.value_count for one in added) == sum(one.value_count for one in flat)
    with localcontext(prec=60):
        assert sum(one.total for one in added) == sum(one.total for one in flat)
