"""The token's form, and a holder that does not tell."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback

import pytest

from pipeline.auth import Secret, checked_token, token_from_environment
from pipeline.errors import TokenError


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


def test_two_tokens_are_compared_without_being_shown():
    """Equality of content is asked for by name; `==` is identity."""
    one, same, other = Secret("abc"), Secret("abc"), Secret("abd")
    assert one.is_same(same)
    assert not one.is_same(other)
    assert one != same
