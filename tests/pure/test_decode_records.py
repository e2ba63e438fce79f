"""Records become rows in order, with nothing dropped in silence: unknown fields, other spellings, strange shapes."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pyarrow as pa
import pytest
from decode_cases import (
    COMPANY,
    CONTEXT,
    FETCHED_AT,
    PART,
    THING,
    decode,
    notes_of,
    page,
    reasons_of,
    record,
)

from pipeline.decode import decode_pages, fingerprint, snapshot_schema
from pipeline.decode.pages import _Sorting
from pipeline.decode.schema import plan_of
from pipeline.errors import SourceContractBroken
from pipeline.resources import read_catalogue

BAD_AMOUNT = "0.123456"
GIVEN = ("_run_id", "_fetched_at", "_page", "_record", "_fingerprint")


def extras(decoded) -> list[str | None]:
    return decoded.table.column("_extra").to_pylist()


# ---- the shape of the table -----------------------------------------------------------------------------------------


def test_no_pages_give_an_empty_table_with_every_column():
    """An empty night has the columns of a full one."""
    for pages in ([], [page()], [page(), page(ordinal=1)]):
        decoded = decode_pages(pages, THING, run_id="run")
        assert decoded.table.schema.equals(snapshot_schema(THING), check_metadata=True)
        assert (decoded.table.num_rows, decoded.quarantined, decoded.notes, decoded.totals) == (0, (), (), ())


@pytest.mark.parametrize("resource", list(read_catalogue()), ids=lambda resource: resource.name)
def test_every_resource_of_the_catalogue_has_a_snapshot_schema(resource):
    """Parents' keys first, the API's own names, then where the row came from."""
    schema = snapshot_schema(resource)
    own = [column.name for column in resource.columns]
    assert schema.names == [*resource.context_names, *own, *GIVEN, "_extra"]
    assert [field.name for field in schema if not field.nullable] == [*resource.context_names, *GIVEN]


def test_the_types_of_a_snapshot_are_exact():
    """Money is a decimal, times are UTC microseconds, an element of a list has its own unknown fields."""
    schema = snapshot_schema(THING)
    money = pa.decimal128(18, 4)
    total = [("grossAmount", money), ("taxAmount", money), ("currencyCode", pa.string())]
    assert {name: schema.field(name).type for name in ("companyId", "rate", "count", "isOpen", "dueOn")} == {
        "companyId": pa.string(),
        "rate": pa.decimal128(18, 8),
        "count": pa.int64(),
        "isOpen": pa.bool_(),
        "dueOn": pa.date32(),
    }
    assert schema.field("changedAt").type == schema.field("_fetched_at").type == pa.timestamp("us", "UTC")
    assert schema.field("totals").type == pa.list_(pa.struct([*total, ("_extra", pa.string())]))
    assert schema.field("class").type == pa.struct(total)
    assert schema.field("tags").type == pa.list_(pa.string())
    assert schema.field("_page").type == schema.field("_record").type == pa.int32()


def test_rows_know_where_they_came_from():
    """Many small pages of many walks are typed together and told apart again, the set-aside records left out."""
    contexts = [(("companyId", "1"), ("thingId", str(n))) for n in range(3)]
    pages = [
        page(b'{"id":"a"}', b'{"id":"b"}', ordinal=7, resource=PART, context=contexts[0]),
        page(ordinal=8, resource=PART, context=contexts[1]),
        page(b'{"id":null}', b'{"id":3}', ordinal=9, resource=PART, context=contexts[2]),
    ]
    decoded = decode_pages(pages, PART, run_id="20260301T123000Z")
    given = {"companyId": "1", "_run_id": "20260301T123000Z", "_fetched_at": FETCHED_AT, "_extra": None}
    assert decoded.table.to_pylist() == [
        given | {"thingId": "0", "id": "a", "_page": 7, "_record": 0, "_fingerprint": fingerprint(b'{"id":"a"}')},
        given | {"thingId": "0", "id": "b", "_page": 7, "_record": 1, "_fingerprint": fingerprint(b'{"id":"b"}')},
        given | {"thingId": "2", "id": "3", "_page": 9, "_record": 1, "_fingerprint": fingerprint(b'{"id":3}')},
    ]
    (bad,) = decoded.quarantined
    assert (bad.resource, bad.context, bad.page, bad.record) == ("part", contexts[2], 9, 0)
    assert (bad.field, bad.reason, bad.raw) == ("id", "key missing", b'{"id":null}')


def test_pages_keep_the_time_each_was_fetched():
    """The time is the page's own, to the microsecond."""
    later = FETCHED_AT + timedelta(microseconds=1)
    pages = [page(record("a")), page(record("b"), ordinal=1)]
    pages[1] = type(pages[1])(pages[1].walk, 1, pages[1].records, later)
    table = decode_pages(pages, THING, run_id="run").table
    assert table.column("_fetched_at").to_pylist() == [FETCHED_AT, later]


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 129, 1000])
def test_one_bad_record_costs_nothing_but_itself(count):
    """Wherever it stands among plain ones, the others are rows in their order."""
    for place in {0, count // 2, count - 1}:
        records = [record(str(i), code=f'"{i}"') for i in range(count)]
        records[place] = record("bad", amount=BAD_AMOUNT)
        decoded = decode(*records)
        assert [bad.record for bad in decoded.quarantined] == [place]
        assert decoded.table.column("_record").to_pylist() == [i for i in range(count) if i != place]
        assert decoded.table.column("id").to_pylist() == [str(i) for i in range(count) if i != place]


def test_every_kind_of_trouble_together_keeps_the_order():
    """Plain, respelled, wider and bad records in turn come out in turn, over several megabytes."""
    kinds = [
        {},
        {"code": "12"},
        {"new": "1.50"},
        {"remark": '"r"'},
        {"amount": BAD_AMOUNT},
        {"changedAt": '"2025-05-01T00:00:00.1234567Z"'},
        {"steps": '[{"newInside":{}}]'},
    ]
    padding = json.dumps("x" * 3000)
    records = [record(str(i), status=padding, **kinds[i % len(kinds)]) for i in range(2100)]
    decoded = decode_pages([page(*records[:1500]), page(*records[1500:], ordinal=1)], THING, run_id="run")
    assert decoded.table.column("id").to_pylist() == [str(i) for i in range(2100) if i % 7 != 4]
    assert [(bad.page * 1500 + bad.record) % 7 for bad in decoded.quarantined] == [4] * 300
    assert notes_of(decoded) == {
        ("changedAt", "precision_reduced"): 300,
        ("new", "unknown_field"): 300,
        ("note", "alias_used"): 300,
        ("status", "unknown_value"): 1800,
        ("steps[].newInside", "unknown_field"): 300,
    }


# ---- unknown fields -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "0.10",
        "1e3",
        '"\\u0041 \\ud83d\\ude00"',
        "null",
        "true",
        '{ "b" : [1.0, {"c":null}] }',
        "[]",
        "1" * 400,
        '{"a":1,"a":2}',
    ],
)
def test_an_unknown_field_is_kept_as_it_was_written(text):
    """Its JSON text is in `_extra`, zeros, spaces and escapes included."""
    plain = decode(record(newField=text))
    careful = decode(record(newField=text, code="12"))
    for decoded in (plain, careful):
        assert extras(decoded) == [f'{{"newField":{text}}}']
        assert notes_of(decoded) == {("newField", "unknown_field"): 1}


def test_unknown_fields_keep_their_order_and_strange_names():
    """Names are JSON as well; one that could carry anything is not repeated in the note."""
    raw = b'{"z":1,"id":"k","a person@x.example":2,"quote\\"d":3,"":4,"\xc3\xb8":5}'
    decoded = decode(raw)
    assert extras(decoded) == ['{"z":1,"a person@x.example":2,"quote\\"d":3,"":4,"ø":5}']
    assert notes_of(decoded) == {("z", "unknown_field"): 1, ("(unusual name)", "unknown_field"): 1}


def test_unknown_fields_inside_an_object_go_to_the_record():
    """Under the path of the field; a field at the top that has that very name is kept beside it."""
    text = '{"taxAmount":1,"newOne":0.10}'
    decoded = decode(record("a", **{"class": text}), record("b", **{"class": text, "class.newOne": "7"}))
    assert extras(decoded) == ['{"class.newOne":0.10}', '{"class.newOne":0.10,"class.newOne":7}']
    assert notes_of(decoded) == {("class.newOne", "unknown_field"): 2, ("(unusual name)", "unknown_field"): 1}


def test_unknown_fields_inside_a_list_stay_with_their_element():
    """Each element has its own `_extra`; a record with several is counted once."""
    decoded = decode(record(steps='[{"name":"a","email":"x"},{"email":null,"fax":1},{"name":"c"}]'))
    (steps,) = decoded.table.column("steps").to_pylist()
    assert [step["_extra"] for step in steps] == ['{"email":"x"}', '{"email":null,"fax":1}', None]
    assert [step["name"] for step in steps] == ["a", None, "c"]
    assert extras(decoded) == [None]
    assert notes_of(decoded) == {("steps[].email", "unknown_field"): 1, ("steps[].fax", "unknown_field"): 1}


@pytest.mark.parametrize("text", ['"x"', "null", "{}"])
def test_a_field_with_the_name_of_ours_is_an_unknown_field(text):
    """A record cannot write into `_extra` or pass for another run."""
    decoded = decode(record("a", _extra=text), record("b", _run_id=text), record("c", steps=f'[{{"_extra":{text}}}]'))
    found = decoded.table.to_pylist()
    assert [row["_extra"] for row in found] == [f'{{"_extra":{text}}}', f'{{"_run_id":{text}}}', None]
    assert [row["_run_id"] for row in found] == ["run"] * 3
    assert found[2]["steps"][0]["_extra"] == f'{{"_extra":{text}}}'


def test_a_name_in_other_letters_is_another_field():
    """Names are compared exactly: nothing is folded."""
    decoded = decode(record(ID='"x"', Code='"y"'))
    assert extras(decoded) == ['{"ID":"x","Code":"y"}']
    assert decoded.table.column("code").to_pylist() == [None]


def test_an_escaped_name_is_the_name_it_means():
    """A name means what it spells, whatever way it is written."""
    assert decode(b'{"\\u0069d":"k","c\\u006fde":12}').table.select(["id", "code"]).to_pylist() == [
        {"id": "k", "code": "12"}
    ]


# ---- other spellings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "note", "extra", "noted"),
    [
        pytest.param({"remark": '"r"'}, "r", None, True, id="alias alone"),
        pytest.param({"note": "null", "remark": '"r"'}, "r", None, True, id="name null"),
        pytest.param({"oldRemark": '"o"', "remark": "null"}, "o", None, True, id="second alias"),
        pytest.param({"remark": "12"}, "12", None, True, id="alias as a number"),
        pytest.param({"note": '"n"', "remark": '"n"'}, "n", None, False, id="both, the same"),
        pytest.param({"note": '"n"', "remark": '"r"'}, "n", '{"remark":"r"}', False, id="both, different"),
        pytest.param({"note": '""', "remark": '"r"'}, "", '{"remark":"r"}', False, id="an empty text is a value"),
        pytest.param({"remark": '"r"', "oldRemark": '"o"'}, "r", '{"oldRemark":"o"}', True, id="two aliases"),
        pytest.param({"remark": "null"}, None, None, False, id="alias null"),
    ],
)
def test_an_older_name_fills_the_column(fields, note, extra, noted):
    """The newer name wins where both have a value; what loses is kept as an unknown field."""
    decoded = decode(record(**fields))
    assert decoded.table.column("note").to_pylist() == [note]
    assert extras(decoded) == [extra]
    assert (("note", "alias_used") in notes_of(decoded)) is noted


def test_an_older_name_inside_a_list_fills_its_column():
    """Money of older answers has `currency` where newer ones have `currencyCode`."""
    decoded = decode(record(totals='[{"grossAmount":1,"currency":"AUD"},{"grossAmount":2,"currency":"NZD"}]'))
    assert [total["currencyCode"] for total in decoded.table.column("totals")[0].as_py()] == ["AUD", "NZD"]
    assert notes_of(decoded) == {("totals[].currencyCode", "alias_used"): 1}
    assert [(total.currency, total.total) for total in decoded.totals] == [("AUD", 1), ("NZD", 2)]


def test_values_outside_the_list_are_stored_and_counted():
    """A new status is data, and worth a note; a missing one is not."""
    decoded = decode(
        record("a", status='"open"'),
        record("b", status='"frozen"', steps='[{"kind":"c"},{"kind":"c"},{"kind":null}]'),
        record("c", status="null"),
        record("d", status='"Open"'),
    )
    assert decoded.table.column("status").to_pylist() == ["open", "frozen", None, "Open"]
    assert notes_of(decoded) == {("status", "unknown_value"): 2, ("steps[].kind", "unknown_value"): 1}


# ---- records that are set aside -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "field", "reason"),
    [
        pytest.param(b'{"code":"1"}', "id", "key missing", id="no key"),
        pytest.param(b"{}", "id", "key missing", id="empty object"),
        pytest.param(b'{"id":null}', "id", "key missing", id="null key"),
        pytest.param(b'{"id":""}', "id", "key missing", id="empty key"),
        pytest.param(b'{"id":{}}', "id", "text wanted, object found", id="object for a key"),
        pytest.param(b"null", "", "record is not an object, null found", id="null"),
        pytest.param(b"1", "", "record is not an object, number found", id="number"),
        pytest.param(b'"{}"', "", "record is not an object, text found", id="text"),
        pytest.param(b"true", "", "record is not an object, boolean found", id="boolean"),
        pytest.param(b'[{"id":"k"}]', "", "record is not an object, array found", id="array"),
        pytest.param(b'{"id":"k","id":"l"}', "id", "duplicate name", id="key twice"),
        pytest.param(b'{"id":"k","code":"1","code":"1"}', "code", "duplicate name", id="a field twice, the same"),
        pytest.param(b'{"id":"k","co\\u0064e":"1","code":null}', "code", "duplicate name", id="twice, once escaped"),
        pytest.param(b'{"id":"k","new":1,"new":1}', "new", "duplicate name", id="an unknown field twice"),
        pytest.param(b'{ "id": "k", "new": 1, "new": 2}', "new", "duplicate name", id="the same, with spaces"),
        pytest.param(b'{"id":"k","code":1,"new":1,"new":1}', "new", "duplicate name", id="the same, the careful way"),
        pytest.param(
            b'{"id":"k","class":{"taxAmount":1,"taxAmount":2}}', "class.taxAmount", "duplicate name", id="in an object"
        ),
        pytest.param(b'{"id":"k","steps":[{"x":1,"x":1}]}', "steps[].x", "duplicate name", id="unknown, in a list"),
        pytest.param(
            b'{"id":"k","steps":[{},{"name":"1","name":"1"}]}', "steps[].name", "duplicate name", id="in a list"
        ),
        pytest.param(
            b'{"id":"k","a b":1,"a b":1}', "(unusual name)", "duplicate name", id="name not fit for a message"
        ),
        pytest.param(b'{"id":"k"', "", "record is not JSON", id="cut"),
        pytest.param(b"", "", "record is not an object, nothing found", id="nothing"),
        pytest.param(b'{"id":"k","new":"a\nb"}', "", "record is not JSON", id="line break in a text"),
        pytest.param(b'{"id":"k","amount":NaN}', "", "record is not JSON", id="NaN"),
        pytest.param(b'{"id":"k","new":' + b"[" * 90_000 + b"]" * 90_000 + b"}", "", "nested too deeply", id="deep"),
    ],
)
def test_a_record_that_is_no_record_is_set_aside(raw, field, reason):
    """First, last or alone: it is quarantined as sent and its neighbours are rows."""
    assert reasons_of(decode(raw)) == [(0, field, reason)]
    first = decode(raw, record("a"), record("b"))
    last = decode(record("a"), record("b"), raw)
    assert (reasons_of(first), reasons_of(last)) == ([(0, field, reason)], [(2, field, reason)])
    for decoded in (first, last):
        assert decoded.table.column("id").to_pylist() == ["a", "b"]
        assert decoded.quarantined[0].raw == raw


@pytest.mark.parametrize("count", [1, 2, 70])
def test_nulls_for_records_do_not_end_the_program(count):
    """Arrow's reader crashes on a null in the first row; here it is a record that does not fit."""
    decoded = decode(*[b"null"] * count)
    assert decoded.table.num_rows == 0
    assert len(decoded.quarantined) == count


def test_what_only_arrow_refuses_is_set_aside_alone():
    """Should the reader ever refuse what the careful look lets pass, a record is lost to quarantine, not the page."""
    plan = plan_of(THING)
    place = plan.sent.get_field_index("code")
    narrow = {name: getattr(plan, name).set(place, pa.field("code", pa.int64())) for name in ("sent", "rewritten")}
    sorting = _Sorting(dataclasses.replace(plan, **narrow))
    sorting.add([record("a"), record("b", code='"1"'), record("c")], 10)
    assert {place: (misfit.field, misfit.reason) for place, misfit in sorting.misfits.items()} == {
        11: ("", "would not be stored as sent")
    }
    assert pa.concat_tables(sorting.tables).column("id").to_pylist() == ["a", "c"]


def test_notes_speak_of_accepted_records_only():
    """What a quarantined record would have had to note is in its own line, not in the counts."""
    decoded = decode(
        record("a", new="1", status='"odd"'),
        record("b", new="1", other="2", status='"odd"', amount=BAD_AMOUNT, changedAt='"2025-05-01T00:00:00.1234567Z"'),
    )
    assert notes_of(decoded) == {("new", "unknown_field"): 1, ("status", "unknown_value"): 1}


# ---- other parents --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['"1"', "1", "null"])
def test_a_record_may_repeat_its_parent(text):
    """As text or number; it is no unknown field, and null says nothing."""
    decoded = decode(record("a", companyId=text), record("b"))
    assert decoded.table.column("companyId").to_pylist() == ["1", "1"]
    assert (reasons_of(decoded), notes_of(decoded), extras(decoded)) == ([], {}, [None, None])


@pytest.mark.parametrize("text", ['"2"', "2", '""', '"01"', "1.0", "true"])
@pytest.mark.parametrize("beside", [{}, {"code": "7"}, {"amount": BAD_AMOUNT}], ids=["plain", "respelled", "bad"])
def test_a_record_of_another_parent_stops_everything(text, beside):
    """Another company's data is never stored, not even among the quarantined; the message has no id."""
    records = [record(str(i)) for i in range(99)] + [record("z", companyId=text, **beside)]
    pages = [page(record("a")), page(*records, ordinal=4)]
    with pytest.raises(SourceContractBroken) as caught:
        decode_pages(pages, THING, run_id="run")
    assert "the companyId in a record is not the one asked for: it belongs to another parent" in caught.value.what
    assert caught.value.where == "thing, page 4, record 99"


def test_every_parent_is_compared():
    """Each page with its own walk's keys."""
    own, other = ((*CONTEXT, ("thingId", "7")), (*CONTEXT, ("thingId", "8")))
    seven, eight = b'{"id":"a","thingId":"7","companyId":"1"}', b'{"id":"a","thingId":8}'
    fine = [page(seven, resource=PART, context=own), page(eight, ordinal=1, resource=PART, context=other)]
    assert decode_pages(fine, PART, run_id="run").table.column("thingId").to_pylist() == ["7", "8"]
    with pytest.raises(SourceContractBroken, match="thingId"):
        decode_pages([page(eight, resource=PART, context=own)], PART, run_id="run")


def test_a_parent_that_cannot_be_compared_does_not_fit():
    """An object for a parent's key is neither the same nor another."""
    assert reasons_of(decode(record(companyId="{}"))) == [(0, "companyId", "text wanted, object found")]


def test_a_key_of_its_own_is_no_parent():
    """The company's companyId is its key, sent as a number by older answers."""
    decoded = decode(b'{"companyId":1,"name":"n"}', b'{"companyId":"2"}', resource=COMPANY, context=())
    assert decoded.table.column("companyId").to_pylist() == ["1", "2"]
