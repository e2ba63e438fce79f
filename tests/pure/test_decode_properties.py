"""For any record: it is stored with the meaning it was sent with, or set aside; never anything else, by either way."""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from decode_cases import SOME, THING, decode, page
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.decode import decode_pages, fingerprint, split_envelope
from pipeline.errors import SourceContractBroken
from pipeline.resources import Column, Kind
from pipeline.totals import record_totals, table_totals


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def parsed(raw: bytes) -> object:
    """JSON with every number as its text: nothing here is shared with the program."""
    return json.loads(raw, parse_int=Number, parse_float=Number)


# ---- what to send ---------------------------------------------------------------------------------------------------

number_texts = st.one_of(
    st.decimals(-(10**15), 10**15, places=4).map(lambda value: f"{value:f}"),
    st.decimals(-100, 100, places=2).map(lambda value: f"{value:f}"),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers(-(2**64), 2**64).map(str),
    st.tuples(st.integers(-9999, 9999), st.integers(-12, 12)).map(lambda parts: f"{parts[0]}e{parts[1]}"),
).map(lambda text: text.replace("E", "e"))
json_strings = st.builds(json.dumps, st.text(max_size=12), ensure_ascii=st.booleans())
times = st.builds(
    lambda instant, minutes, digits: (
        instant.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes))).isoformat()[:19]
        + (f".{digits}" if digits else "")
        + ("Z" if minutes == 0 else f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}")
    ),
    st.datetimes(),
    st.sampled_from([0, 0, 600, 660, -210, 1]),
    st.text("0123456789", max_size=9),
).map(json.dumps)
days = st.dates().map(lambda day: json.dumps(day.isoformat()))
scalars = st.one_of(
    number_texts,
    json_strings,
    times,
    days,
    st.sampled_from(["null", "true", "false", '""', '"AUD"', '"open"', "-0", "0.10"]),
)


def as_object(members: dict[str, str]) -> str:
    return "{" + ",".join(f"{name}:{text}" for name, text in members.items()) + "}"


json_texts = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.dictionaries(json_strings, inner, max_size=3).map(as_object),
    ),
    max_leaves=6,
)


def suited(column: Column) -> st.SearchStrategy[str]:
    """Mostly what the column takes, at times anything."""
    plain = {
        Kind.TEXT: st.one_of(json_strings, number_texts),
        Kind.DECIMAL: st.one_of(number_texts, number_texts.map(json.dumps)),
        Kind.INTEGER: st.integers(-(2**63), 2**63 - 1).map(str),
        Kind.BOOLEAN: st.sampled_from(["true", "false"]),
        Kind.TIMESTAMP: times,
        Kind.DATE: days,
    }
    if column.kind is Kind.OBJECT:
        usual = objects(column.columns)
    elif column.kind is Kind.LIST:
        inner = suited(column.item) if column.item else objects(column.columns)
        usual = st.lists(st.one_of(inner, inner, st.just("null")), max_size=3).map(lambda items: f"[{','.join(items)}]")
    else:
        usual = plain[column.kind]
    return st.one_of(usual, usual, usual, usual, usual, usual, st.just("null"), json_texts)


def objects(columns: tuple[Column, ...], **required: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = {column.name: suited(column) for column in columns if column.name not in required}
    names |= {alias: suited(column) for column in columns for alias in column.aliases}
    names |= {"newOne": json_texts, "_extra": json_texts}
    return st.fixed_dictionaries(required, optional=names).map(
        lambda members: as_object({json.dumps(name): text for name, text in members.items()})
    )


records = objects(THING.columns, id=json_strings).map(str.encode)


# ---- what it means --------------------------------------------------------------------------------------------------


def meaning(value: object, column: Column) -> object:
    """What a value of a column means, worked out from the parsed JSON alone."""
    if value is None:
        return None
    if column.kind is Kind.TEXT:
        return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    if column.kind is Kind.DECIMAL:
        return Decimal(value)
    if column.kind is Kind.INTEGER:
        return int(value)
    if column.kind is Kind.TIMESTAMP:
        return cut(value) if value else None
    if column.kind is Kind.DATE:
        return date.fromisoformat(value) if value else None
    if column.kind is Kind.LIST:
        inner = column.item
        return [meaning(item, inner) if inner else members(item, column.columns, with_extra=True) for item in value]
    return members(value, column.columns, with_extra=False) if column.kind is Kind.OBJECT else value


def cut(text: str) -> datetime:
    """Python's own reading of a time, which cuts fractions to microseconds."""
    return datetime.fromisoformat(text).astimezone(UTC)


def members(value: dict | None, columns: tuple[Column, ...], *, with_extra: bool) -> dict | None:
    if value is None:
        return None
    rest = dict(value)
    found: dict[str, object] = {}
    extra: dict[str, object] = {}
    for column in columns:
        own = rest.pop(column.name, None)
        for alias in column.aliases:
            if own is None:
                own = rest.pop(alias, None)
            elif alias in rest and rest[alias] == own and type(rest[alias]) is type(own):
                del rest[alias]
        found[column.name] = meaning(own, column)
        if column.kind is Kind.OBJECT and own is not None:
            extra |= {f"{column.name}.{name}": item for name, item in unknown(own, column.columns).items()}
    if with_extra:
        found["_extra"] = rest | extra
    return found


def unknown(value: dict, columns: tuple[Column, ...]) -> dict:
    return members(value, columns, with_extra=True)["_extra"]


def said(row: object) -> object:
    """A stored row with its `_extra` parsed, nothing there being the same as none."""
    if isinstance(row, dict):
        return {
            name: (parsed(value.encode()) if value else {}) if name == "_extra" else said(value)
            for name, value in row.items()
        }
    return [said(item) for item in row] if isinstance(row, list) else row


def without_nulls(value: object) -> object:
    """Nulls dropped from unknown fields: whether an older name was null or missing says nothing."""
    if isinstance(value, dict):
        return {
            name: {key: item for key, item in inner.items() if item is not None}
            if name == "_extra"
            else without_nulls(inner)
            for name, inner in value.items()
        }
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


# ---- the properties -------------------------------------------------------------------------------------------------


@SOME
@given(st.lists(records, max_size=4))
def test_what_is_accepted_means_what_was_sent(sent):
    """Every record is a row or set aside; every row says what its record said, field by field."""
    decoded = decode(*sent)
    places = decoded.table.column("_record").to_pylist()
    assert sorted([*places, *(bad.record for bad in decoded.quarantined)]) == list(range(len(sent)))
    own = [column.name for column in THING.columns]
    for row, place in zip(decoded.table.to_pylist(), places, strict=True):
        stored = {name: row[name] for name in (*own, "_extra")}
        expected = members(parsed(sent[place]), THING.columns, with_extra=True)
        assert without_nulls(said(stored)) == without_nulls(expected)


@SOME
@example([b'{"id":"0","fee":0.0000,"charge":[],"totals":[],"sums":1}'])
@given(st.lists(records, max_size=4))
def test_both_ways_of_reading_agree(sent):
    """A record that needs the careful way gives the same row and the same refusal as without that need."""
    quick = decode(*(raw[:-1] + b',"isOpen2":1}' for raw in sent))
    # A number for a text: every record is looked at by itself.
    careful = decode(*(raw[:-1] + b',"companyId":1,"isOpen2":1}' for raw in sent))
    dropped = ["_fingerprint"]  # of the bytes as sent, which differ here
    assert careful.table.drop_columns(dropped).equals(quick.table.drop_columns(dropped))
    assert [(bad.record, bad.field, bad.reason) for bad in careful.quarantined] == [
        (bad.record, bad.field, bad.reason) for bad in quick.quarantined
    ]
    assert (careful.notes, careful.totals) == (quick.notes, quick.totals)


@SOME
@given(st.lists(records, max_size=6))
def test_the_fingerprint_is_of_the_bytes_as_sent(sent):
    """Whichever way a record is read, and whatever is made of it on the way, its fingerprint is of what came."""
    decoded = decode(*sent)
    accepted = [sent[place] for place in decoded.table.column("_record").to_pylist()]
    hashes = [struct.unpack("<q", hashlib.blake2b(bytes(raw), digest_size=8).digest())[0] for raw in accepted]
    assert decoded.table.column("_fingerprint").to_pylist() == hashes == [fingerprint(raw) for raw in accepted]


@SOME
@given(st.lists(records, max_size=6))
def test_company_does_not_change_a_record(sent):
    """Read among others, a record gives the row, or the refusal, it gives alone."""
    together = decode(*sent)
    alone = [decode(raw) for raw in sent]
    dropped = ["_record"]
    assert together.table.drop_columns(dropped).to_pylist() == [
        row for one in alone for row in one.table.drop_columns(dropped).to_pylist()
    ]
    assert [bad.raw for bad in together.quarantined] == [bad.raw for one in alone for bad in one.quarantined]


@SOME
@given(st.lists(records, max_size=6))
def test_totals_of_the_text_and_of_the_table_agree(sent):
    """Two independent ways of adding the accepted records come to the same sums."""
    decoded = decode(*sent)
    accepted = [sent[place] for place in decoded.table.column("_record").to_pylist()]
    assert decoded.totals == record_totals(accepted, THING) == table_totals(decoded.table, THING)


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    """A page with some bytes replaced, removed or put in."""
    inside = b",".join(draw(st.lists(records, max_size=3)))
    body = bytearray(b'{"page":[' + inside + b'],"nextCursor":"c"}')
    pieces = [
        b"",
        b"null",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b":",
        b"\\",
        b"\\ud800",
        b"\xff",
        b"\x00",
        b"\n",
        b"1e999",
        b"NaN",
    ]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        body[start : start + draw(st.integers(0, 4))] = draw(st.sampled_from(pieces))
    return bytes(body)


@SOME
@given(damaged_bodies())
def test_a_damaged_body_is_refused_or_accounted_for(body):
    """It breaks the contract, or every record in it is a row or set aside."""
    try:
        found = split_envelope(body).records
        decoded = decode_pages([page(*found)], THING, run_id="run")
    except SourceContractBroken:
        return
    assert decoded.table.num_rows + len(decoded.quarantined) == len(found)


@SOME
@given(st.lists(st.binary(max_size=30) | json_texts.map(str.encode), max_size=4))
def test_whatever_stands_for_a_record_is_accounted_for(sent):
    """Even what could never be split off a page."""
    try:
        decoded = decode(*sent)
    except SourceContractBroken:
        return
    assert decoded.table.num_rows + len(decoded.quarantined) == len(sent)
