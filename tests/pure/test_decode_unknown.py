"""Unknown fields become columns by pasting what is proposed; no proposal tells a value."""

from __future__ import annotations

import json

import pytest
from decode_cases import SOME
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import described, extra_members
from pipeline.resources import Kind, default_path, parse_catalogue, read_catalogue

OWN = read_catalogue()
TEXT = default_path().read_text()


def raw(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def test_extras_are_gathered_by_field():
    """From many rows, each field's values as sent, dotted ways as they are."""
    found = extra_members(['{"mood":0.10,"a.b":1}', '{"mood":null}'])
    assert found == {"mood": [b"0.10", b"null"], "a.b": [b"1"]}


@pytest.mark.parametrize(
    ("field", "values", "types", "written"),
    [
        ("mood", ["sunny", None], "text", "text"),
        ("mood", [1, 2.5], "number", "decimal(18,6)"),
        ("mood", [True], "boolean", "boolean"),
        ("mood", [1, "a"], "number, text", "text"),
        ("mood", [1e300], "number", "text"),
        ("bonusAmount", [1.25], "number", "money"),
        ("bonusAmount", [1.000001], "number", "decimal(18,6)"),
        ("paidDate", ["2026-01-01T00:00:00Z", ""], "text", "timestamp"),
        ("paidDate", ["2026-01-01T00:00:00Z", "soon"], "text", "text"),
        ("mood", [{"sunny": True, "rank": 1}], "object", "object"),
        ("mood", [["a"], ["b", "c"]], "array", "list"),
        ("moods", [[{"a": 1}], [{"b": "x"}]], "array", "list"),
        ("mood", [None], "null", None),
        ("mood", [[]], "array", None),
        ("mood", [{}], "object", None),
        ("mood", [{"a": 1}, 2], "number, object", None),
        ("mood", [[["a"]]], "array", None),
        ("(unusual name)", ["a"], "text", None),
    ],
)
def test_an_unknown_field_has_its_types_and_a_proposed_column(field, values, types, written):
    """The proposal is the narrowest type that all values fit and later ones may; where none fits there is none."""
    found = described(OWN["claim"], field, raw(*values))
    assert found.json_type == types
    assert (found.proposed is not None and f'type = "{written}"' in found.proposed) is (written is not None)


@pytest.mark.parametrize(
    ("resource", "field", "way"),
    [
        ("claim", "mood", ["mood"]),
        ("supplier", "primaryAddress.mood", ["primaryAddress", "mood"]),
        ("invoice", "supplier.mood", ["supplier", "mood"]),
        ("claim", "transactionTotals[].mood", ["transactionTotals", "mood"]),
        ("expense", "claimCurrencyTotal.mood", ["claimCurrencyTotal", "mood"]),
    ],
)
@pytest.mark.parametrize(
    "values", [["a"], [1.5], [{"sunny": True, "deep": {"er": 1}}]], ids=["text", "number", "object"]
)
def test_a_proposal_can_be_pasted_at_the_end_of_the_catalogue(resource, field, way, values):
    """In the resource, in an object, in a shared shape, in the elements of a list: the column stands where it was sent."""
    found = described(OWN[resource], field, raw(*values))
    grown = parse_catalogue(f"{TEXT}\n{found.proposed}", "grown")[resource]
    column = grown.column(way[0])
    for name in way[1:]:
        column = next(one for one in column.columns if one.name == name)
    assert column.evidence == "inferred"


def test_a_proposed_list_has_a_table_of_its_own():
    """A list of plain values or of objects becomes a child table by pasting."""
    for values in ([["a"]], [[{"a": 1, "b": [1]}]]):
        found = described(OWN["claim"], "moods", raw(*values))
        column = parse_catalogue(f"{TEXT}\n{found.proposed}", "grown")["claim"].column("moods")
        assert (column.kind, column.table) == (Kind.LIST, "claim_moods")


def test_what_cannot_be_a_column_is_not_proposed():
    """A list inside an object, and anything inside something that is itself unknown, stay in `_extra`."""
    assert described(OWN["supplier"], "primaryAddress.moods", raw(["a"])).proposed is None
    assert described(OWN["claim"], "unknown.mood", raw("a")).proposed is None
    assert described(OWN["claim"], "status.mood", raw("a")).proposed is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('abAB_"\\\n] =', max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@SOME
@given(st.text('aB1_ .]"[\n', min_size=1, max_size=6), st.lists(JSON, min_size=1, max_size=3))
def test_whatever_is_sent_the_catalogue_stays_sound(name, values):
    """Any name and any value: no failure, and what is proposed parses with the rest."""
    found = described(OWN["claim"], name, raw(*values))
    if found.proposed is not None and not any(one.name.lower() == name.lower() for one in OWN["claim"].columns):
        parse_catalogue(f"{TEXT}\n{found.proposed}", "grown")


def test_no_proposal_tells_a_value():
    """Types only, however deep the value stands."""
    secret = "S3CRET-93"
    for value in (secret, {"a": secret}, [secret], [{"a": secret}], {"a": {"b": secret}}):
        assert secret not in repr(described(OWN["claim"], "mood", raw(value)))
