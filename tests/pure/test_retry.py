"""The table from status to action, and the waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.errors import NotPermitted, RequestRefused, SecurityStop, SourceContractBroken, TokenError
from pipeline.retry import RetryPolicy, exhausted, next_wait_s, refusal, retry_after_s

NOW = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
POLICY = RetryPolicy(attempts=4, first_wait_s=1, longest_wait_s=3, total_s=100)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_what_may_pass_is_tried_again(status):
    """Time-outs, rate limits and server failures get another attempt."""
    assert refusal(status) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused), (401, TokenError), (403, NotPermitted), (404, SourceContractBroken),
        (405, SourceContractBroken), (409, SourceContractBroken), (204, SourceContractBroken), (206, SourceContractBroken),
        (301, SourceContractBroken), (304, SourceContractBroken), (501, SourceContractBroken), (999, SourceContractBroken),
    ],
)  # fmt: skip
def test_every_other_status_stops(status, kind):
    """Only 200 carries data; no other answer is taken for an empty list."""
    assert type(refusal(status)) is kind


def test_a_redirect_to_another_origin_is_a_security_stop():
    """The token goes to one origin."""
    assert isinstance(refusal(302, leads_away=True), SecurityStop)


def test_waits_grow_are_jittered_and_end():
    """Full jitter below a doubling, capped bound; none after the last attempt."""
    bounds = [next_wait_s(POLICY, attempt=n, elapsed_s=0, random=lambda: 1.0, asked_s=None) for n in (1, 2, 3, 4)]
    assert bounds == [1, 2, 3, None]
    assert next_wait_s(POLICY, attempt=3, elapsed_s=0, random=lambda: 0.5, asked_s=None) == 1.5


def test_a_wait_asked_for_is_obeyed_exactly_or_not_at_all():
    """Never earlier than asked; beyond the deadline the run stops and says when to come back."""
    assert next_wait_s(POLICY, attempt=1, elapsed_s=10, random=lambda: 0.1, asked_s=42) == 42
    assert next_wait_s(POLICY, attempt=1, elapsed_s=60, random=lambda: 0.1, asked_s=42) is None
    assert "in 42 s" in exhausted(1, 60, "429", 42).do


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), (" 0 ", 0), ("Sun, 01 Mar 2026 16:31:00 GMT", 60), ("Sun, 01 Mar 2026 16:00:00 GMT", 0),
        ("-5", None), ("1e9", None), ("99999999999", None), ("soon", None), ("", None), (None, None), ("1.5", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value, seconds):
    """RFC 9110: a number or an HTTP date; anything else is as if absent."""
    assert retry_after_s(value, NOW) == seconds
