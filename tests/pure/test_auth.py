"""The token's form, its passport, and a holder that does not tell."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from pipeline.auth import (
    Passport,
    Secret,
    checked_token,
    passport,
    refuse_expired,
    token_from_environment,
)
from pipeline.errors import TokenError

NOW = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
SIGNING = "0123456789abcdef0123456789abcdef"


def minted(**claims: object) -> Secret:
    return Secret(jwt.encode({"sub": "site", **claims}, SIGNING, algorithm="HS256"))


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        ("abc def", 4),
        ('"abc"', 1),
        ("abc\r\nx", 4),
        ("ab\u200bc", 3),
        ("abc\u2028", 4),
        ("é", 1),
        ("a=b", 3),
        ("\ufeffabc", 1),
    ],
)
def test_a_malformed_token_is_named_by_position_only(raw, position):
    """The message gives the position of the first wrong character and never a character of the token."""
    with pytest.raises(TokenError) as caught:
        checked_token(raw, place="here")
    assert f"position {position} " in caught.value.what
    assert raw not in str(caught.value.lines())


@pytest.mark.parametrize("raw", ["", "\n"])
def test_an_empty_token_is_no_token(raw):
    """Empty is said to be empty."""
    with pytest.raises(TokenError, match="there is no token"):
        checked_token(raw, place="here")


def test_a_copied_bearer_prefix_is_recognised():
    """The commonest mistake gets its own remedy."""
    with pytest.raises(TokenError) as caught:
        checked_token("Bearer abc.def.ghi", place="here")
    assert "without the word Bearer" in caught.value.do


def test_one_trailing_line_break_is_allowed():
    """Files and commands end with one."""
    assert checked_token("abc.def-_~+/==\r\n", place="here").reveal() == "abc.def-_~+/=="


@pytest.mark.parametrize("environ", [{}, {"T": ""}])
def test_a_missing_variable_names_the_variable_and_cron(environ):
    """Under cron the shell's profile is not read: the message says so."""
    with pytest.raises(TokenError) as caught:
        token_from_environment("T", environ)
    assert "T" in caught.value.what
    assert "cron" in caught.value.do


@dataclasses.dataclass
class Holder:
    secret: Secret


def every_way_of_showing(secret: Secret) -> list[str]:
    """Texts made from a secret in the ways programs do; the token is in no local variable here."""
    holder = Holder(secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % (secret,), repr(holder), repr(vars(holder)),
             repr(dataclasses.asdict(holder)), repr(copy.deepcopy(holder)), json.dumps({"a": str(secret)}),
             repr([secret]), repr({"a": secret}), str(getattr(secret, "__dict__", ""))]  # fmt: skip
    try:
        raise ValueError(secret)
    except ValueError as error:
        traced = traceback.TracebackException.from_exception(error, capture_locals=True)
        return [*shown, "".join(traced.format()), repr(error)]


def test_a_secret_tells_nobody(caplog):
    """No way of printing, formatting, copying or writing a secret shows it; only `reveal` does."""
    canary = "canary-token-7f3a"
    secret = Secret(canary)
    logging.getLogger("x").warning("%s %r", secret, Holder(secret))
    shown = [*every_way_of_showing(secret), caplog.text]
    assert not [text for text in shown if canary in text]
    holder = Holder(secret)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(holder, protocol)
    assert secret.reveal() == canary


@pytest.mark.parametrize(
    ("claims", "days_left", "assumed"),
    [
        ({"iat": NOW.timestamp(), "exp": (NOW + timedelta(days=100)).timestamp()}, 100, False),
        ({"iat": NOW.timestamp(), "exp": (NOW + timedelta(days=100)).timestamp() * 1000}, 100, False),
        ({"iat": NOW.timestamp()}, 730, True),
        ({"iat": NOW.timestamp(), "exp": (NOW - timedelta(hours=1)).timestamp()}, -1, False),
        ({"exp": "soon"}, None, False), ({"exp": -5}, None, False), ({"exp": 10**30}, None, False), ({"exp": True}, None, False),
        ({}, None, False),
    ],
)  # fmt: skip
def test_the_passport_reads_what_can_be_read(claims, days_left, assumed):
    """Seconds and milliseconds are read; nonsense is unknown; a missing expiry is assumed from the issue date."""
    found = passport(minted(**claims))
    assert found.days_left(NOW) == days_left
    assert found.is_assumed is assumed


@pytest.mark.parametrize("text", ["not-a-jwt", "a.b.c", "e30.e30.", "." * 50])
def test_a_token_that_is_no_jwt_has_an_empty_passport(text):
    """What cannot be decoded is unknown, never an error."""
    assert passport(Secret(text)) == Passport(None, None)


def test_an_expired_token_is_refused_before_any_request():
    """Only an expiry that the token itself states is trusted enough to stop."""
    with pytest.raises(TokenError, match="expired at 2026-03-01 15:30 UTC"):
        refuse_expired(Passport(None, NOW - timedelta(hours=1)), NOW, place="x")
    refuse_expired(Passport(None, NOW - timedelta(hours=1), is_assumed=True), NOW, place="x")
    refuse_expired(Passport(None, None), NOW, place="x")


def test_a_token_that_ends_before_the_run_is_refused_at_its_start():
    """Within the hour that a run may take: exit 11 before any request; what is only assumed stops nothing."""
    soon = NOW + timedelta(minutes=59)
    with pytest.raises(TokenError, match="expires at 2026-03-01 17:29 UTC, before a run would end"):
        refuse_expired(Passport(None, soon), NOW, place="x", within=timedelta(hours=1))
    refuse_expired(Passport(None, soon), NOW, place="x")
    refuse_expired(Passport(None, NOW + timedelta(minutes=61)), NOW, place="x", within=timedelta(hours=1))
    refuse_expired(Passport(None, soon, is_assumed=True), NOW, place="x", within=timedelta(hours=1))


def test_two_tokens_are_compared_without_being_shown():
    """Equality of content is asked for by name; `==` is identity."""
    one, same, other = Secret("abc"), Secret("abc"), Secret("abd")
    assert one.is_same(same)
    assert not one.is_same(other)
    assert one != same
