"""Faults of status: errors, limits, redirects, and a token that dies in the middle of a walk."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from email.utils import format_datetime
from typing import Final

from pipeline.sandbox.answer import error
from pipeline.sandbox.faults.plan import Case
from pipeline.sandbox.model import Reply

_SERVER_ERRORS: Final = (500, 502, 503, 504)


def server_error(case: Case) -> Reply:
    """A 5xx in the form of the documented errors."""
    drawn = case.options.is_drawn("status")
    return _error(case, case.draw.choice(_SERVER_ERRORS) if drawn else case.options.whole("status"))


def request_timeout(case: Case) -> Reply:
    """408, as a gateway sends it."""
    return _error(case, 408)


def limited_for_seconds(case: Case) -> Reply:
    """429 with Retry-After as a number of seconds."""
    return limited(case, str(case.options.whole("after")))


def limited_as(case: Case) -> Reply:
    """A limit under a chosen status, with Retry-After as a number of seconds: some gateways say 403."""
    return limited(case, str(case.options.whole("after")), status=case.options.whole("status"))


def limited_until(case: Case) -> Reply:
    """429 with Retry-After as a date; a negative time lies in the past.

    Source: RFC 9110 10.2.3; a date has whole seconds, so it is rounded up.
    """
    until = case.request.received_at + timedelta(seconds=case.options.whole("after"))
    whole = until.replace(microsecond=0) + timedelta(seconds=1 if until.microsecond else 0)
    return limited(case, format_datetime(whole, usegmt=True))


def limited_absurdly(case: Case) -> Reply:
    """429 with a Retry-After that no one should obey."""
    return limited(case, case.options.text("value"))


def limited_without_word(case: Case) -> Reply:
    """A limit without Retry-After; it may tell how many requests are left."""
    reply = _error(case, case.options.whole("status"))
    left = case.options.text("remaining")
    return _with(reply, "X-RateLimit-Remaining", left) if left else reply


def limited(case: Case, retry_after: str, *, status: int = 429) -> Reply:
    """A limit that says when to come back."""
    return _with(_error(case, status), "Retry-After", retry_after)


def token_revoked(case: Case) -> Reply:
    """401, as for a token that was revoked."""
    return _error(case, 401)


def cursor_expired(case: Case) -> Reply | None:
    """An error for a cursor that was good when it was given out."""
    if not any(name.lower() == "cursor" for name, _ in case.request.query):
        return None
    return _error(case, case.options.whole("status"), "The cursor has expired. Please start again from the first page.")


def redirect(case: Case) -> Reply:
    """A redirect of the same path to another origin."""
    location = elsewhere(case) + case.request.target
    return Reply(case.options.whole("status"), b"", (("Location", location),))


def elsewhere(case: Case) -> str:
    """The origin to lead to: `plain` stands for this server in plain HTTP."""
    origin = case.options.text("origin")
    return f"http://{case.request.headers.get('host', 'localhost')}" if origin == "plain" else origin.rstrip("/")


def _with(reply: Reply, name: str, value: str) -> Reply:
    return dataclasses.replace(reply, headers=(*reply.headers, (name, value)))


def _error(case: Case, status: int, message: str | None = None) -> Reply:
    return error(status, message, shape=case.error_shape)
