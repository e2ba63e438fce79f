"""What a token says of itself: read without trust, whatever stands there."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.auth import VALIDITY, Passport, Secret, passport

NOW = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
SIGNING = "0123456789abcdef0123456789abcdef"
IN_100_DAYS = int((NOW + timedelta(days=100)).timestamp())
ISSUED = int((NOW - timedelta(days=630)).timestamp())


def minted(**claims: object) -> Secret:
    return Secret(jwt.encode({"sub": "someone", **claims}, SIGNING, algorithm="HS256"))


def segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forged(payload: bytes, header: bytes = b'{"alg":"HS256","typ":"JWT"}') -> Secret:
    """A token of any bytes: nobody signs it, and nobody who only reads would notice."""
    return Secret(f"{segment(header)}.{segment(payload)}.{segment(b'x' * 32)}")


def test_every_fact_of_a_whole_token_is_read():
    """Algorithm, id, subject, site, issue and expiry; nothing is missing."""
    found = passport(minted(jti="t-7", site="acme", iat=ISSUED, exp=IN_100_DAYS), NOW)
    assert found == Passport(
        issued_at=datetime.fromtimestamp(ISSUED, UTC),
        expires_at=datetime.fromtimestamp(IN_100_DAYS, UTC),
        algorithm="HS256",
        id="t-7",
        subject="someone",
        site="acme",
        site_claim="site",
    )
    assert found.days_left(NOW) == 100


@pytest.mark.parametrize(
    ("claims", "days_left", "assumed"),
    [
        ({"iat": NOW.timestamp(), "exp": (NOW + timedelta(days=100)).timestamp()}, 100, False),
        ({"iat": NOW.timestamp(), "exp": (NOW + timedelta(days=100)).timestamp() * 1000}, 100, False),
        ({"iat": NOW.timestamp()}, 730, True),
        ({"iat": NOW.timestamp() * 1000}, 730, True),
        ({"iat": NOW.timestamp(), "exp": (NOW - timedelta(hours=1)).timestamp()}, -1, False),
        ({"exp": "soon"}, None, False), ({"exp": -5}, None, False), ({"exp": 10**30}, None, False), ({"exp": True}, None, False),
        ({}, None, False),
    ],
)  # fmt: skip
def test_the_passport_reads_what_can_be_read(claims, days_left, assumed):
    """Seconds and milliseconds are read; nonsense is unknown; a missing expiry is assumed from the issue date."""
    found = passport(minted(**claims), NOW)
    assert found.days_left(NOW) == days_left
    assert found.is_assumed is assumed


def test_a_missing_expiry_is_two_years_from_the_issue():
    """The vendor's default; an expiry that is there but means nothing is not replaced by it."""
    found = passport(minted(iat=ISSUED), NOW)
    assert (found.expires_at, found.is_assumed) == (datetime.fromtimestamp(ISSUED, UTC) + VALIDITY, True)
    assert found.missing == ("site", "exp")
    spoilt = passport(minted(iat=ISSUED, exp="never"), NOW)
    assert (spoilt.expires_at, spoilt.is_assumed) == (None, False)
    assert spoilt.unreadable == (("exp", "it is text, not a number"),)


def test_milliseconds_are_recognised_and_said():
    """Both dates, each by name."""
    found = passport(minted(iat=ISSUED * 1000, exp=IN_100_DAYS * 1000), NOW)
    assert found.in_milliseconds == ("iat", "exp")
    assert found.days_left(NOW) == 100


# The payload's text, what is said of `exp`: catalogue row 10, "expiry unreadable".
HOSTILE = {
    "text": ('{"exp":"2028-01-01"}', "it is text, not a number"),
    "digits as text": (f'{{"exp":"{IN_100_DAYS}"}}', "it is text, not a number"),
    "negative": ('{"exp":-5}', "it lies before 2015"),
    "zero": ('{"exp":0}', "it lies before 2015"),
    "minus infinity": ('{"exp":-1e999}', "it lies before 2015"),
    "huge": (f'{{"exp":{10**20}}}', "it lies more than ten years ahead"),
    "infinity": ('{"exp":1e999}', "it lies more than ten years ahead"),
    "the word Infinity": ('{"exp":Infinity}', "it lies more than ten years ahead"),
    "eleven years": (f'{{"exp":{int((NOW + timedelta(days=11 * 366)).timestamp())}}}', "it lies more than ten years ahead"),
    "NaN": ('{"exp":NaN}', "it is not a number"),
    "5,000 digits": (f'{{"exp":{"7" * 5000}}}', "it has more than 25 digits"),
    "5,000 digits below nought": (f'{{"exp":-{"7" * 5000}}}', "it has more than 25 digits"),
    "null": ('{"exp":null}', "it is not a number"),
    "true": ('{"exp":true}', "it is not a number"),
    "list": (f'{{"exp":[{IN_100_DAYS}]}}', "it is not a number"),
    "object": (f'{{"exp":{{"value":{IN_100_DAYS}}}}}', "it is not a number"),
    "twice": (f'{{"exp":{IN_100_DAYS},"exp":{IN_100_DAYS + 1}}}', "it stands twice"),
    "nested": ('{"exp":' + "[" * 900 + "]" * 900 + "}", "it is not a number"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_an_expiry_that_means_nothing_is_unknown_and_said_to_be(name):
    """No payload ends a run or is believed; the other facts are read all the same."""
    payload, reason = HOSTILE[name]
    found = passport(forged(payload[:-1].encode() + f',"iat":{ISSUED},"sub":"someone"}}'.encode()), NOW)
    assert found.expires_at is None
    assert found.days_left(NOW) is None
    assert not found.is_assumed
    assert found.unreadable == (("exp", reason),)
    assert (found.subject, found.issued_at) == ("someone", datetime.fromtimestamp(ISSUED, UTC))


@pytest.mark.parametrize(
    "secret",
    [
        *map(Secret, ["not-a-jwt", "a.b.c", "." * 50, "e30", "....", "eyJhbGciOiJIUzI1NiJ9.eyJ9.x"]),
        forged(b"[]"), forged(b"7"), forged(b'[["exp",1]]'), forged(b"\xff\xfe"), forged(b"{"), forged(b""),
        forged(b'{"exp":' + b"[" * 5000 + b"]" * 5000 + b"}"), forged(b"{}", b"[]"), forged(b"{}", b'{"kid":7}'),
        forged(b"{}", b'{"alg":"HS256","crit":["x"]}'), forged(b"{}", b'{"b64":false}'),
        forged(b"{}", b'{"alg":' + b"7" * 5000 + b"}"), forged(b"{}", b'{"alg":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ],
)  # fmt: skip
def test_a_token_that_is_no_jwt_has_an_empty_passport(secret):
    """What cannot be decoded is unknown, never an error."""
    assert passport(secret, NOW) == Passport(None, None, is_jwt=False)


def test_an_empty_jwt_says_that_everything_is_missing():
    """Each fact by its claim."""
    found = passport(forged(b"{}", b"{}"), NOW)
    assert found == Passport(None, None, missing=("alg", "sub", "site", "iat", "exp"))


@pytest.mark.parametrize(
    ("claims", "site", "claim"),
    [
        ({"site": "acme", "iss": "i", "aud": "a"}, "acme", "site"),
        ({"iss": "https://acme.example", "aud": "a"}, "https://acme.example", "iss"),
        ({"aud": "a"}, "a", "aud"), ({"aud": ["a", "b"]}, "a, b", "aud"), ({"site": 3462}, "3462", "site"),
        ({"site": ""}, None, "site"), ({"site": []}, None, "site"), ({"aud": ["a", 1]}, None, "aud"),
        ({"site": {"name": "x"}}, None, "site"), ({"site": None}, None, "site"), ({"site": True}, None, "site"),
        ({}, None, None),
    ],
)  # fmt: skip
def test_the_site_is_told_by_whatever_claim_tells_it(claims, site, claim):
    """`site` before issuer and audience; what is no text is unreadable, what is not there is missing."""
    found = passport(forged(json.dumps(claims).encode()), NOW)
    assert (found.site, found.site_claim) == (site, claim)
    assert ("site" in found.missing) == (claim is None)
    assert (claim in dict(found.unreadable)) == (claim is not None and site is None)


def test_texts_are_bounded():
    """A token cannot flood a terminal or a report."""
    found = passport(forged(json.dumps({"sub": "x" * 5000, "site": "y" * 100, "jti": "z" * 101}).encode()), NOW)
    assert found.subject == "x" * 99 + "\u2026"
    assert found.site == "y" * 100
    assert found.id is not None
    assert len(found.id) == 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["alg", "iat", "exp", "sub", "site", "iss", "aud", "jti"]), JSON))
def test_no_claims_are_an_error(claims):
    """Whatever JSON stands in whatever claim, there is a passport, and each fact is read, missing or unreadable."""
    raw = json.dumps(claims).encode()
    found = passport(forged(raw, raw), NOW)
    gone = {*found.missing, *dict(found.unreadable)}
    if found.is_jwt:
        assert (found.issued_at is None) == ("iat" in gone)
        assert (found.subject is None) == ("sub" in gone)
        assert (found.expires_at is None) == ("exp" in gone and not found.is_assumed)


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_bytes_are_an_error(payload, header):
    """Nor any bytes at all."""
    assert passport(forged(payload, header), NOW).expires_at is None or payload.startswith(b"{")
