"""Every value is stored as sent, or the record is set aside with the field and the reason."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from decode_cases import decode, notes_of, reasons_of, record

NUMBER = "not a finite number of usual size"
OFFSET = "time without UTC offset"
NO_TIME = "no such day, time or offset"
NO_ISO = "not an ISO 8601 time"
YEARS = "outside the years 0001 to 9999"
WHOLE = "not a whole number of 64 bits"
DAY = "not a day as YYYY-MM-DD"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


KEPT = [
    # money: digits from the text, never through a float
    ("amount", "99999999999999.99", Decimal("99999999999999.99")),
    ("amount", "12345678901234.5678", Decimal("12345678901234.5678")),
    ("amount", "-12345678901234.5678", Decimal("-12345678901234.5678")),
    ("amount", "-0.05", Decimal("-0.05")),
    ("amount", "0.1", Decimal("0.1")),
    ("amount", "1143.3", Decimal("1143.3")),
    ("amount", "1e3", Decimal(1000)),
    ("amount", "1E+3", Decimal(1000)),
    ("amount", "12.5e-1", Decimal("1.25")),
    ("amount", "-0", Decimal(0)),
    ("amount", "-0.0", Decimal(0)),
    ("amount", "0e-400", Decimal(0)),
    ("amount", "0", Decimal(0)),
    ("amount", "1.50000000", Decimal("1.5")),
    ("amount", "1." + "0" * 60, Decimal(1)),
    ("amount", "100e-6", Decimal("0.0001")),
    ("amount", '"1143.30"', Decimal("1143.3")),
    ("amount", '"-0.05"', Decimal("-0.05")),
    ("amount", '"1e3"', Decimal(1000)),
    ("amount", '"\\u0031"', Decimal(1)),
    ("amount", "null", None),
    ("rate", "1234567890.12345678", Decimal("1234567890.12345678")),
    ("share", "-0.99", Decimal("-0.99")),
    ("share", "1e-2", Decimal("0.01")),
    ("pieces", "99999", Decimal(99999)),
    ("pieces", "12.0", Decimal(12)),
    # text: byte for byte, numbers and booleans as they were written
    ("code", '"000-000"', "000-000"),
    ("code", '"00012345"', "00012345"),
    ("code", '" two  spaces\\t"', " two  spaces\t"),
    ("code", '"2025-05-01T00:00:00+10:00"', "2025-05-01T00:00:00+10:00"),
    ("code", '"1e3"', "1e3"),
    ("code", '""', ""),
    ("code", "null", None),
    ("code", '"null"', "null"),
    ("code", '"NaN"', "NaN"),
    ("code", '"a\\u0000b"', "a\0b"),
    ("code", '"\\u202eevil\\u2066"', "\u202eevil\u2066"),
    ("code", '"\\ud83d\\ude00 ø 漢"', "😀 ø 漢"),
    ("code", '"\\"\\\\\\/\\n"', '"\\/\n'),
    ("code", "12", "12"),
    ("code", "1.50", "1.50"),
    ("code", "-0", "-0"),
    ("code", "1e3", "1e3"),
    ("code", "12345678901234567890123", "12345678901234567890123"),
    ("code", "true", "true"),
    ("code", "false", "false"),
    # times: to UTC, in microseconds
    ("changedAt", '"2023-11-06T20:18:31Z"', utc(2023, 11, 6, 20, 18, 31)),
    ("changedAt", '"2025-05-01T10:00:00+10:00"', utc(2025, 5, 1)),
    ("changedAt", '"2025-05-01T10:00:00-0330"', utc(2025, 5, 1, 13, 30)),
    ("changedAt", '"2025-05-01T10:00+10"', utc(2025, 5, 1)),
    ("changedAt", '"2025-05-01T10Z"', utc(2025, 5, 1, 10)),
    ("changedAt", '"2025-05-01T00:00:00.5Z"', utc(2025, 5, 1, 0, 0, 0, 500_000)),
    ("changedAt", '"2025-05-01T00:00:00.123456Z"', utc(2025, 5, 1, 0, 0, 0, 123_456)),
    ("changedAt", '"2025-05-01T00:00:00.1234560Z"', utc(2025, 5, 1, 0, 0, 0, 123_456)),
    ("changedAt", '"2025-05-01T00:00:00.1234569Z"', utc(2025, 5, 1, 0, 0, 0, 123_456)),
    ("changedAt", '"2025-05-01T00:00:00.999999999999+10:00"', utc(2025, 4, 30, 14, 0, 0, 999_999)),
    ("changedAt", '"1969-12-31T23:59:59.9999999Z"', utc(1969, 12, 31, 23, 59, 59, 999_999)),
    ("changedAt", '"2025-05-01T00:00:00\\u005a"', utc(2025, 5, 1)),
    ("changedAt", '"0001-01-01T00:00:00Z"', utc(1, 1, 1)),
    ("changedAt", '"1970-01-01T00:00:00Z"', utc(1970, 1, 1)),
    ("changedAt", '"9999-12-31T23:59:59.9999999Z"', utc(9999, 12, 31, 23, 59, 59, 999_999)),
    ("changedAt", '"2024-02-29T00:00:00Z"', utc(2024, 2, 29)),
    ("changedAt", '""', None),
    ("changedAt", "null", None),
    ("dueOn", '"2025-05-01"', date(2025, 5, 1)),
    ("dueOn", '"0001-01-01"', date(1, 1, 1)),
    ("dueOn", '""', None),
    ("dueOn", "null", None),
    ("count", "9223372036854775807", 2**63 - 1),
    ("count", "-9223372036854775808", -(2**63)),
    ("count", "-0", 0),
    ("count", "null", None),
    ("isOpen", "true", True),
    ("isOpen", "false", False),
    ("isOpen", "null", None),
    ("tags", "[]", []),
    ("tags", "null", None),
    ("tags", '["a",null,"",7,true]', ["a", None, "", "7", "true"]),
    ("seenAt", '["2025-05-01T00:00:00Z",null,""]', [utc(2025, 5, 1), None, None]),
    ("seenAt", "[]", []),
    ("totals", "[]", []),
    ("totals", "null", None),
    ("totals", "[null]", [None]),
    ("class", "null", None),
    ("class", "{}", {"grossAmount": None, "taxAmount": None, "currencyCode": None}),
]

REFUSED = [
    ("amount", "0.123456", "amount", "more than 4 decimal places"),
    ("amount", "0.1000000000000000055511151231257827", "amount", "more than 4 decimal places"),
    ("amount", "1e-5", "amount", "more than 4 decimal places"),
    ("amount", '"0.12345"', "amount", "more than 4 decimal places"),
    ("amount", "99999999999999.99995", "amount", "more than 4 decimal places"),
    ("amount", "100000000000000", "amount", "more than 14 digits before the decimal point"),
    ("amount", "1e14", "amount", "more than 14 digits before the decimal point"),
    ("amount", "1e400", "amount", "more than 14 digits before the decimal point"),
    ("amount", "1" * 5000, "amount", "more than 14 digits before the decimal point"),
    ("amount", "1e4294967298", "amount", NUMBER),
    ("amount", '"1e4294967298"', "amount", NUMBER),
    ("amount", '"NaN"', "amount", NUMBER),
    ("amount", '"Infinity"', "amount", NUMBER),
    ("amount", '"12,50"', "amount", NUMBER),
    ("amount", '"$12"', "amount", NUMBER),
    ("amount", '" 12"', "amount", NUMBER),
    ("amount", '"1_0"', "amount", NUMBER),
    ("amount", '"\\u0661"', "amount", NUMBER),
    ("amount", '""', "amount", "number wanted, empty text found"),
    ("share", "1", "share", "more than 0 digits before the decimal point"),
    ("share", "0.005", "share", "more than 2 decimal places"),
    ("pieces", "1.5", "pieces", "more than 0 decimal places"),
    ("pieces", "100000", "pieces", "more than 5 digits before the decimal point"),
    ("seenAt", '["2025-05-01"]', "seenAt[]", OFFSET),
    ("seenAt", '["0000-01-01T00:00:00Z"]', "seenAt[]", NO_TIME),
    ("amount", "true", "amount", "number wanted, boolean found"),
    ("amount", "[1]", "amount", "number wanted, array found"),
    ("amount", "{}", "amount", "number wanted, object found"),
    ("code", "{}", "code", "text wanted, object found"),
    ("code", '["a"]', "code", "text wanted, array found"),
    ("code", '"\\ud800"', "code", "half a surrogate pair in a text"),
    ("code", '"\\udc00\\ud800"', "code", "half a surrogate pair in a text"),
    ("changedAt", '"2025-05-01T00:00:00"', "changedAt", OFFSET),
    ("changedAt", '"2025-05-01"', "changedAt", OFFSET),
    ("changedAt", '"2025-05-01T00"', "changedAt", OFFSET),
    ("changedAt", '"2025-05-01 00:00"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01 00:00:00Z"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01t00:00:00Z"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01T00:00:00z"', "changedAt", NO_ISO),
    ("changedAt", '" 2025-05-01T00:00:00Z"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01T00:00:00Z\\n"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01T00:00:00,5Z"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01T00:00:00.Z"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01T00:00.1234567Z"', "changedAt", NO_ISO),
    ("changedAt", '"20250501T000000Z"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01Z"', "changedAt", NO_ISO),
    ("changedAt", '"01/05/2025"', "changedAt", NO_ISO),
    ("changedAt", '"null"', "changedAt", NO_ISO),
    ("changedAt", '"2025-05-01T00:00:00+10:99"', "changedAt", NO_ISO),
    ("changedAt", '"2025-02-30T00:00:00Z"', "changedAt", NO_TIME),
    ("changedAt", '"2025-02-29T00:00:00Z"', "changedAt", NO_TIME),
    ("changedAt", '"2025-05-01T24:00:00Z"', "changedAt", NO_TIME),
    ("changedAt", '"2016-12-31T23:59:60Z"', "changedAt", NO_TIME),
    ("changedAt", '"0000-00-00T00:00:00Z"', "changedAt", NO_TIME),
    ("changedAt", '"0000-01-01T00:00:00Z"', "changedAt", NO_TIME),
    ("changedAt", '"2025-05-01T00:00:00+25:00"', "changedAt", NO_TIME),
    ("changedAt", '"0001-01-01T00:00:00+10:00"', "changedAt", YEARS),
    ("changedAt", '"9999-12-31T23:59:59-10:00"', "changedAt", YEARS),
    ("changedAt", "1746057600", "changedAt", "text wanted, number found"),
    ("changedAt", "{}", "changedAt", "text wanted, object found"),
    ("dueOn", '"2025-02-30"', "dueOn", DAY),
    ("dueOn", '"0000-01-01"', "dueOn", DAY),
    ("dueOn", '"2025-5-1"', "dueOn", DAY),
    ("dueOn", '"20250501"', "dueOn", DAY),
    ("dueOn", '"2025-05-01T00:00:00Z"', "dueOn", DAY),
    ("dueOn", "20209", "dueOn", "text wanted, number found"),
    ("count", "9223372036854775808", "count", WHOLE),
    ("count", "1.0", "count", WHOLE),
    ("count", "1e2", "count", WHOLE),
    ("count", '"1"', "count", "number wanted, text found"),
    ("count", '""', "count", "number wanted, text found"),
    ("count", "true", "count", "number wanted, boolean found"),
    ("isOpen", '"true"', "isOpen", "boolean wanted, text found"),
    ("isOpen", "1", "isOpen", "boolean wanted, number found"),
    ("isOpen", '""', "isOpen", "boolean wanted, text found"),
    ("tags", '"a"', "tags", "array wanted, text found"),
    ("tags", '["a",["b"]]', "tags[]", "text wanted, array found"),
    ("totals", "{}", "totals", "array wanted, object found"),
    ("totals", '["AUD"]', "totals[]", "object wanted, text found"),
    ("totals", '[{"grossAmount":1},{"grossAmount":"x"}]', "totals[].grossAmount", NUMBER),
    ("totals", '[{"grossAmount":0.00001}]', "totals[].grossAmount", "more than 4 decimal places"),
    ("steps", '[{"doneAt":"2025-05-01T00:00:00"}]', "steps[].doneAt", OFFSET),
    ("class", '"x"', "class", "object wanted, text found"),
    ("class", "[]", "class", "object wanted, array found"),
    ("class", '{"taxAmount":false}', "class.taxAmount", "number wanted, boolean found"),
]


def ids(cases):
    return [f"{case[0]}: {case[1][:40]}" for case in cases]


@pytest.mark.parametrize(("field", "text", "expected"), KEPT, ids=ids(KEPT))
def test_a_value_that_fits_is_stored_as_sent(field, text, expected):
    """The same value comes out alone, beside a field that needs the careful way, and in spaced-out JSON."""
    alone = decode(record(**{field: text}))
    careful = decode(record(**{field: text, "unknown": "1", "note" if field != "note" else "code": "12"}))
    spaced = decode(b'\n{ "id" :\t"k",\r\n  "%b" : %b\n}\n' % (field.encode(), text.encode()))
    for decoded in (alone, careful, spaced):
        assert reasons_of(decoded) == []
        assert decoded.table.column(field).to_pylist() == [expected]


@pytest.mark.parametrize(("field", "text", "path", "reason"), REFUSED, ids=ids(REFUSED))
def test_a_value_that_does_not_fit_sets_its_record_aside(field, text, path, reason):
    """The record is quarantined whole, as sent, with the path of the field and a reason; its neighbours are rows."""
    bad = record("bad", **{field: text})
    decoded = decode(record("a", code='"1"'), bad, record("c", code='"3"'))
    assert reasons_of(decoded) == [(1, path, reason)]
    assert decoded.quarantined[0].raw == bad
    assert decoded.table.column("id").to_pylist() == ["a", "c"]


@pytest.mark.parametrize(("field", "text", "path", "reason"), REFUSED, ids=ids(REFUSED))
def test_a_reason_never_repeats_the_value(field, text, path, reason):
    """What a person reads names fields and types; the value stays in the stored raw record."""
    value = text.strip('"[]{}')
    (bad,) = decode(record(**{field: text})).quarantined
    assert len(value) < 4 or value not in f"{bad.field} {bad.reason} {bad!r}"


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("2025-05-01T00:00:00.1234567Z", True),
        ("2025-05-01T00:00:00.1234560000001Z", True),
        ("2025-05-01T00:00:00.1234560Z", False),
        ("2025-05-01T00:00:00.123456Z", False),
        ("", False),
    ],
)
def test_lost_precision_is_noted_once_a_record(text, noted):
    """Digits beyond microseconds are cut off, and said; zeros lose nothing."""
    written = json.dumps(text)
    steps = f'[{{"doneAt":{written}}},{{"doneAt":{written}}},null]'
    seen = f"[{written},{written}]"
    decoded = decode(
        record("a", changedAt=written), record("b", steps=steps, seenAt=seen), record("c", changedAt=written)
    )
    expected = {("changedAt", "precision_reduced"): 2}
    expected |= {(path, "precision_reduced"): 1 for path in ("seenAt[]", "steps[].doneAt")}
    assert notes_of(decoded) == (expected if noted else {})


def test_an_empty_time_inside_a_list_is_null_and_all_else_stays():
    """Mending times in a list keeps its gaps, its empty lists and its other fields."""
    steps = [
        "null",
        "[]",
        '[null,{"name":"n","doneAt":""}]',
        '[{"doneAt":"2025-05-01T00:00:00.0000001Z","kind":"a"},{}]',
        "null",
    ]
    decoded = decode(*(record(str(i), steps=text) for i, text in enumerate(steps)))
    nothing = {"name": None, "kind": None, "doneAt": None, "_extra": None}
    assert decoded.table.column("steps").to_pylist() == [
        None,
        [],
        [None, {**nothing, "name": "n"}],
        [{**nothing, "kind": "a", "doneAt": utc(2025, 5, 1)}, nothing],
        None,
    ]


@pytest.mark.parametrize("raw", [b'{"id":"\xff"}', b'{"id":"k","unknown":"\xc3"}', b'{"id":"k","\xff":1}'])
def test_bytes_that_are_no_utf8_are_set_aside(raw):
    """Arrow's reader takes any bytes for text; here they are refused, wherever they stand."""
    assert reasons_of(decode(record("a"), raw)) == [(1, "", "not valid UTF-8")]
