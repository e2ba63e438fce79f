"""A body is split into the records it promises, or refused: nothing is guessed and absence never equals empty."""

from __future__ import annotations

import json

import pytest
from decode_cases import COMPANY, SOME, THING, decode, reasons_of
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import ParentKey, parent_keys, split_envelope
from pipeline.errors import SourceContractBroken

PAGE = b'{"page":[{"id":"1"},{"id":"2"}],"nextCursor":"c"}'


def texts(envelope) -> list[bytes]:
    return [bytes(record) for record in envelope.records]


@pytest.mark.parametrize(
    ("body", "records", "cursor"),
    [
        pytest.param(PAGE, [b'{"id":"1"}', b'{"id":"2"}'], "c", id="compact"),
        pytest.param(b'{"nextCursor": "c", "page": [ {"id": 1} ]}\n', [b'{"id": 1}'], "c", id="cursor first, spaces"),
        pytest.param(b'{"page":[]}', [], None, id="empty page, no cursor"),
        pytest.param(b'{"page":[],"nextCursor":null}', [], None, id="null cursor"),
        pytest.param(b'{"page":[],"nextCursor":""}', [], None, id="empty cursor"),
        pytest.param(b'{"page":[],"nextCursor":"[]"}', [], "[]", id="cursor that looks like the page"),
        pytest.param(b'{"page":[1,"x",null,[]],"total":9}', [b"1", b'"x"', b"null", b"[]"], None, id="no objects"),
        pytest.param(b'{"page":[{"page":1,"page":2}]}', [b'{"page":1,"page":2}'], None, id="its names inside a record"),
        pytest.param(b'{"page":[{"a":0.10}],"error":null,"errors":[]}', [b'{"a":0.10}'], None, id="empty error fields"),
        pytest.param(b'{"page":[],"hasMore":false,"next":null}', [], None, id="no cursor, nor anything else"),
        pytest.param(b'{"page":[],"nextCursor":"c","hasMore":true}', [], "c", id="a cursor, and more"),
        pytest.param('{"page":["ø"]}'.encode(), ['"ø"'.encode()], None, id="not ASCII"),
        pytest.param(b'{"page":["\\ud83d\\ude00"]}', [b'"\\ud83d\\ude00"'], None, id="a surrogate pair"),
    ],
)
def test_an_envelope_gives_its_records_as_sent(body, records, cursor):
    """Records come byte for byte; a null, missing or empty cursor ends the walk."""
    envelope = split_envelope(body)
    assert (texts(envelope), envelope.next_cursor) == (records, cursor)


BROKEN = [
    pytest.param(b"", "empty", id="empty"),
    pytest.param(b" \r\n", "empty", id="white space"),
    pytest.param(b"\xef\xbb\xbf" + PAGE, "byte order mark", id="BOM"),
    pytest.param(b'{"page":["\xff"]}', "not valid UTF-8 at byte 10", id="invalid UTF-8"),
    pytest.param('{"page":["ü"]}'.encode("latin-1"), "not valid UTF-8 at byte 10", id="Latin-1"),
    pytest.param('{"page":[]}'.encode("utf-16"), "not valid UTF-8 at byte 0", id="UTF-16"),
    pytest.param(b"<html>login</html>", "HTML or XML", id="HTML"),
    pytest.param(b"Service busy", "not JSON", id="plain text"),
    pytest.param(PAGE[:-5], "not JSON", id="cut"),
    pytest.param(PAGE + b"x", "not JSON", id="something behind it"),
    pytest.param(PAGE + PAGE, "not JSON", id="two bodies"),
    pytest.param(b'{"page":[NaN]}', "not JSON", id="NaN"),
    pytest.param(b'{"page":[-Infinity]}', "not JSON", id="Infinity"),
    pytest.param(b"null", "object with 'page' wanted, null found", id="null"),
    pytest.param(b'{"page":null}', "'page' must be an array, null found", id="null page"),
    pytest.param(b'{"page":{"0":{}}}', "'page' must be an array, object found", id="object for a page"),
    pytest.param(b'{"page":[],"nextCursor":7}', "'nextCursor' must be text or null, number found", id="numeric cursor"),
    pytest.param(b'{"page":null[]}', "not JSON", id="broken behind a wrong type"),
    pytest.param(
        b'{"page":null,"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "too deeply", id="deep behind a wrong type"
    ),
    pytest.param(b'{"page":[],"nextCursor":{}}', "'nextCursor' must be text or null, object found", id="cursor object"),
    pytest.param(b'{"page":[{}],"page":[{}]}', "a name twice", id="page twice"),
    pytest.param(b'{"page":[{}],"nextCursor":"a","nextCursor":null}', "a name twice", id="cursor twice"),
    pytest.param(b'{"page":[{}],"p\\u0061ge":[]}', "a name twice", id="page twice, once escaped"),
    pytest.param(b'{"page":[],"errors":[{"m":1}]}', "an error beside the page", id="error beside a page"),
    pytest.param(b'{"page":[],"hasMore":true}', "'nextCursor' and 'hasMore' contradict", id="more without a cursor"),
    pytest.param(b'{"page":[],"nextCursor":"","next":"c"}', "'nextCursor' and 'next' contradict", id="renamed cursor"),
    pytest.param(
        b'{"page":[],"nextCursor":"c","HasMore":false}', "and 'HasMore' contradict", id="a cursor, but no more"
    ),
    pytest.param(b'{"page":[],"nextCursor":"\\ud800"}', "half a surrogate pair", id="half a pair in the cursor"),
    pytest.param(b'{"page":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply", id="deep page"),
    pytest.param(b'{"page":[],"x":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001, "nested too deeply", id="deep rest"),
]
# Broken where a page is promised; an array or a single object may be fine elsewhere.
NO_PAGE = [
    pytest.param(b"[]", "object with 'page' wanted, array found", id="bare array"),
    pytest.param(b"{}", "'page' is missing (found nothing)", id="nothing in it"),
    pytest.param(b'{"data":[],"next":1}', "'page' is missing (found data, next)", id="renamed"),
    pytest.param(b'{"code":"X","message":"m"}', "'page' is missing (found code, message)", id="error object"),
    pytest.param(b'{"a person@x.example":1}', "(found (unusual name))", id="a name not fit for a message"),
]


@pytest.mark.parametrize(("body", "message"), [*BROKEN, *NO_PAGE])
def test_a_body_that_breaks_the_envelope_is_refused(body, message):
    """The message says what was found, by type and position, and nothing of the content."""
    with pytest.raises(SourceContractBroken) as caught:
        split_envelope(body)
    assert message in caught.value.what


@pytest.mark.parametrize(("body", "message"), BROKEN)
def test_accepting_any_envelope_is_not_accepting_anything(body, message):
    """What is neither a page, an array nor an object is refused there too, in the same words."""
    with pytest.raises(SourceContractBroken) as caught:
        split_envelope(body, accepts_any=True)
    assert message in caught.value.what


@pytest.mark.parametrize(
    ("body", "records", "cursor"),
    [
        pytest.param(
            b' [{"companyId":1} , {"companyId":"2"}] ', [b'{"companyId":1}', b'{"companyId":"2"}'], None, id="array"
        ),
        pytest.param(b"[]", [], None, id="empty array"),
        pytest.param(b' {"companyId":"1"}\n', [b'{"companyId":"1"}'], None, id="single object"),
        pytest.param(PAGE, [b'{"id":"1"}', b'{"id":"2"}'], "c", id="envelope"),
    ],
)
def test_any_envelope_is_accepted_where_the_catalogue_says_so(body, records, cursor):
    """The list of companies is documented as a page, an array and an object on different pages."""
    envelope = split_envelope(body, accepts_any=True)
    assert (texts(envelope), envelope.next_cursor) == (records, cursor)


@pytest.mark.parametrize("name", ["error", "errors", "message"])
def test_an_error_object_is_not_taken_for_a_company(name):
    """An error sent with status 200 is refused, not stored as a record."""
    with pytest.raises(SourceContractBroken, match=f"error object with status 200 .found code, {name}."):
        split_envelope(json.dumps({"code": "X", name: "m"}).encode(), accepts_any=True)


def test_half_a_surrogate_pair_costs_its_record_and_not_the_page():
    """A text cut in the middle of a pair quarantines one record; an escaped backslash before u is no escape."""
    sent = [
        b'{"id":"1","code":"\\\\ud800"}',
        b'{"id":"2","steps":[{"name":"cut \\uD83D"}]}',
        b'{"id":"3","code":"\\udc00"}',
    ]
    envelope = split_envelope(b'{"page":[' + b", ".join(sent) + b'],"nextCursor":"c"}')
    assert texts(envelope) == sent
    decoded = decode(*envelope.records)
    assert decoded.table.column("code").to_pylist() == ["\\ud800"]
    assert reasons_of(decoded) == [
        (1, "steps[].name", "half a surrogate pair in a text"),
        (2, "code", "half a surrogate pair in a text"),
    ]


@SOME
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_escape_as_anything_but_a_broken_contract(body):
    """Whatever the source sends, the answer is records or one kind of error."""
    for accepts_any in (False, True):
        try:
            split_envelope(body, accepts_any=accepts_any)
        except SourceContractBroken:
            continue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b'{"id":"a","isOpen":true}', ParentKey("a", (True,)), id="text"),
        pytest.param(b'{"isOpen":false,"id":12}', ParentKey("12", (False,)), id="number"),
        pytest.param(b'{"id":0012.50}', None, id="no number"),
        pytest.param(b'{"id":12.50,"isOpen":null}', ParentKey("12.50", (None,)), id="literal kept, null flag"),
        pytest.param(b'{"id":"\\u0061\\"","isOpen":"true"}', ParentKey('a"', (None,)), id="escapes, text for a flag"),
        pytest.param(b'{"id":true}', ParentKey("true", (None,)), id="boolean, missing flag"),
        pytest.param(b'{"id":""}', None, id="empty"),
        pytest.param(b'{"id":null}', None, id="null"),
        pytest.param(b'{"id":["a"]}', None, id="array"),
        pytest.param(b'{"code":"a"}', None, id="missing"),
        pytest.param(b'["id"]', None, id="no object"),
        pytest.param(b'{"id":"\\ud800"}', None, id="half a surrogate pair"),
        pytest.param(b'{"id":"\xff"}', None, id="invalid UTF-8"),
    ],
)
def test_the_key_of_a_parent_is_text(text, expected):
    """Numbers keep their digits; a record without a key hangs nothing under it."""
    assert parent_keys([text], THING, ("isOpen",)) == (expected,)


def test_a_parent_without_a_key_is_the_one_that_is_quarantined():
    """Whatever gets a key here becomes a row, whatever gets none does not."""
    records = [b'{"id":"a"}', b'{"id":""}', b'{"id":3}', b"{}", b"null"]
    keys = [key.key for key in parent_keys(records, THING) if key]
    assert keys == decode(*records).table.column("id").to_pylist() == ["a", "3"]


def test_keys_and_flags_are_found_under_every_spelling():
    """An older name of a field counts where the newer one is missing or null."""
    assert parent_keys(
        [b'{"id":"1","remark":true}', b'{"id":"2","note":null,"oldRemark":false}'], THING, ("note",)
    ) == (
        ParentKey("1", (True,)),
        ParentKey("2", (False,)),
    )
    assert parent_keys([b'{"companyId":1}'], COMPANY) == (ParentKey("1", ()),)
