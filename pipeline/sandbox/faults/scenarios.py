"""The table of all faults: name, one line, options and whom each hits.

The command line's list and the tests are made from this table alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.sandbox.faults import bodies, connections, framing, paging, refusals, timing
from pipeline.sandbox.faults.plan import Case, Option, Scenario, Where
from pipeline.sandbox.model import Answer

_TEN_GB: Final = 10_000_000_000
_MIXED: Final = (
    refusals.server_error,
    refusals.limited_for_seconds,
    framing.reset,
    framing.cut_body,
    timing.late,
)


def _mixed(case: Case) -> Answer | None:
    """One of five common failures, drawn by the seed."""
    return case.draw.choice(_MIXED)(case)


def _at(default: int | None, what: str) -> Option:
    return Option(
        "at",
        int,
        default,
        f"bytes of {what} that are sent; negative counts from its end",
        least=-math.inf,
        may_be_drawn=True,
    )


def _seconds(default: float, what: str = "how long to wait") -> Option:
    return Option("seconds", float, default, what)


def _bytes(default: int) -> Option:
    return Option("bytes", int, default, "size of the body after decompression, about", least=1)


def _by(default: int) -> Option:
    return Option("by", int, default, "how many bytes the length is off", least=1)


def _after(default: int, least: float = 0) -> Option:
    return Option("after", int, default, "seconds from now in Retry-After", least=least, most=1e9)


def _origin(default: str) -> Option:
    return Option("origin", str, default, "scheme and host to lead to; `plain` is this server without TLS")


_REDIRECT_STATUS: Final = Option("status", int, 302, "status of the redirect", least=300, most=399)
_LIMIT_STATUS: Final = Option("status", int, 429, "the status; some gateways limit with 403", least=400, most=499)
_FOREIGN: Final = "https://elsewhere.invalid"
_BODY, _PACKED = "the body", "the compressed body"

_TABLE: Final = (
    Scenario("latency", "the sound answer, late by a fixed time", timing.late, options=(_seconds(1.0),)),
    Scenario(
        "latency-growing",
        "each late answer waits a step longer than the one before",
        timing.later_and_later,
        options=(
            _seconds(0.1, "the first wait"),
            Option("step", float, 0.1, "seconds more each time"),
            Option("most", float, 60.0, "the longest wait in seconds"),
        ),
    ),
    Scenario(
        "latency-jittered",
        "the sound answer, late by a drawn time",
        timing.unsteady,
        options=(_seconds(0.0, "the shortest wait"), Option("most", float, 2.0, "the longest wait in seconds")),
    ),
    Scenario(
        "slow-body",
        "the head at once, then the body one byte a second",
        timing.drip,
        options=(_seconds(1.0, "pause after each few bytes"), Option("bytes", int, 1, "bytes between pauses", least=1)),
    ),
    Scenario(
        "silence",
        "some bytes of the answer, then nothing for ten minutes",
        timing.silent,
        options=(_at(0, "the answer"), _seconds(600.0)),
    ),
    Scenario(
        "server-error",
        "a 5xx",
        refusals.server_error,
        options=(
            Option(
                "status",
                int,
                503,
                "the status; `drawn` is one of 500, 502, 503, 504",
                least=500,
                most=599,
                may_be_drawn=True,
            ),
        ),
    ),
    Scenario("request-timeout", "408", refusals.request_timeout),
    Scenario("rate-limit", "429 with Retry-After in seconds", refusals.limited_as, options=(_after(1), _LIMIT_STATUS)),
    Scenario("rate-limit-date", "429 with Retry-After as a date", refusals.limited_until, options=(_after(2),)),
    Scenario(
        "rate-limit-past",
        "429 with a Retry-After date that is long past",
        refusals.limited_until,
        options=(_after(-86_400, -math.inf),),
    ),
    Scenario(
        "rate-limit-absurd",
        "429 with a Retry-After that no one should obey",
        refusals.limited_absurdly,
        options=(Option("value", str, "99999999999999999999", "what Retry-After says"),),
    ),
    Scenario(
        "rate-limit-bare",
        "429 without Retry-After",
        refusals.limited_without_word,
        options=(
            _LIMIT_STATUS,
            Option("remaining", str, "", "what X-RateLimit-Remaining says; nothing leaves it out"),
        ),
    ),
    Scenario("reset", "the connection is reset", framing.reset, options=(_at(0, "the answer"),)),
    Scenario("cut-body", "the body ends before its promised length", framing.cut_body, options=(_at(-1, _BODY),)),
    Scenario("cut-chunks", "a chunked body without its last chunk", framing.cut_chunks, options=(_at(-1, _BODY),)),
    Scenario("cut-gzip", "truncated gzip in a sound frame", framing.cut_gzip, options=(_at(-9, _PACKED),)),
    Scenario("length-too-long", "Content-Length promises more than comes", framing.length_too_long, options=(_by(10),)),
    Scenario("length-too-short", "more comes than Content-Length says", framing.length_too_short, options=(_by(10),)),
    Scenario("two-lengths", "two Content-Length headers that disagree", framing.two_lengths),
    Scenario(
        "unframed-body",
        "neither length nor chunks: the end of the connection ends the body",
        framing.unframed,
        options=(
            Option(
                "most", int, _TEN_GB, "bytes of the body that are sent; negative counts from its end", least=-math.inf
            ),
        ),
    ),
    Scenario("empty-body", "200 without a body", bodies.empty),
    Scenario(
        "html",
        "a sign-in page instead of JSON",
        bodies.html,
        options=(Option("type", str, "text/html; charset=utf-8", "the Content-Type"),),
    ),
    Scenario("invalid-utf8", "a string with bytes that are no UTF-8", bodies.invalid_utf8),
    Scenario(
        "duplicate-names",
        "one object with the same name twice",
        bodies.duplicate_names,
        options=(Option("within", str, "record", "where", ("record", "envelope")),),
    ),
    Scenario(
        "nan",
        "NaN in place of a number",
        bodies.not_a_number,
        options=(Option("value", str, "NaN", "what", ("NaN", "Infinity", "-Infinity", "1e400")),),
    ),
    Scenario(
        "deep-nesting",
        "200,000 arrays in each other",
        bodies.deep_nesting,
        options=(Option("depth", int, 200_000, "how deep", least=1),),
    ),
    Scenario(
        "endless-pages",
        "always one more page, under a new cursor",
        paging.endless,
        options=(Option("records", str, "new", "new, always the same, or none", ("new", "same", "none")),),
    ),
    Scenario("repeated-cursor", "the next cursor is the one just used", paging.repeated, where=Where(page=2)),
    Scenario(
        "cyclic-cursors",
        "cursors begin again: a walk goes in a circle",
        paging.cyclic,
        options=(Option("length", int, 3, "different cursors in the circle", least=1),),
    ),
    Scenario(
        "expired-cursor",
        "a cursor that was good has expired",
        refusals.cursor_expired,
        options=(Option("status", int, 400, "the status", least=400, most=499),),
        where=Where(page=3),
    ),
    Scenario(
        "redirect-foreign",
        "a redirect to another HTTPS origin",
        refusals.redirect,
        options=(_origin(_FOREIGN), _REDIRECT_STATUS),
    ),
    Scenario(
        "redirect-plain",
        "a redirect to plain HTTP",
        refusals.redirect,
        options=(_origin("plain"), _REDIRECT_STATUS),
    ),
    Scenario(
        "next-foreign", "the next cursor is an address elsewhere", paging.next_elsewhere, options=(_origin(_FOREIGN),)
    ),
    Scenario(
        "next-plain", "the next cursor is an address in plain HTTP", paging.next_elsewhere, options=(_origin("plain"),)
    ),
    Scenario("other-tenant", "the records of another company", paging.other_tenant),
    Scenario(
        "shrunken-list",
        "a share of the records is not there",
        paging.shrunken,
        options=(Option("hidden", float, 0.4, "share of the records that is hidden", most=1),),
    ),
    Scenario(
        "misplaced-records",
        "a list ends with records that changed first; lower bounds hide them",
        paging.misplaced,
        options=(Option("count", int, 10, "so many records of each list", least=1, most=1000),),
    ),
    Scenario(
        "revoked-token",
        "the token is refused from one page on",
        refusals.token_revoked,
        where=Where(page=3),
        stays=True,
    ),
    Scenario(
        "huge-body",
        "a body of 10 GB",
        framing.huge_body,
        options=(_bytes(_TEN_GB), Option("framing", str, "length", "how", ("length", "chunked", "close"))),
    ),
    Scenario("gzip-bomb", "10 MB of gzip that inflate to 10 GB", framing.gzip_bomb, options=(_bytes(_TEN_GB),)),
    Scenario(
        "mix",
        "a fifth of all requests fail: 5xx, 429, reset, cut or slow",
        _mixed,
        options=(
            Option(
                "status",
                int,
                None,
                "status of the 5xx; drawn from 500, 502, 503, 504 if not given",
                least=500,
                most=599,
                may_be_drawn=True,
            ),
            _after(1),
            _at(None, "a cut or reset answer"),
            _seconds(0.1, "how long slow answers wait"),
        ),
        where=Where(share=0.2),
    ),
    Scenario("tls-reset", "a reset instead of a handshake", on_connection=connections.reset),
    Scenario(
        "tls-stall",
        "a handshake that is never answered",
        on_connection=connections.stall,
        options=(_seconds(600.0, "until the connection ends"),),
    ),
    Scenario("tls-plain", "plain HTTP where TLS should begin", on_connection=connections.plain_http),
    Scenario("tls-old", "nothing newer than TLS 1.1", on_connection=connections.old_protocol),
    Scenario("tls-wrong-name", "a certificate for another host", on_connection=connections.wrong_name),
    Scenario("tls-expired", "a certificate that expired yesterday", on_connection=connections.expired),
    Scenario("tls-self-signed", "a certificate that no authority signed", on_connection=connections.self_signed),
)
SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType({scenario.name: scenario for scenario in _TABLE})
