"""Faults of content: sound HTTP around a body that is not what was promised. Pure.

What is planted into JSON is planted as bytes: most of it could not be written by an encoder.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from pipeline.sandbox.faults.plan import Case
from pipeline.sandbox.model import Reply

_PAGE: Final = b'"page":[{'
_NAME: Final = re.compile(rb'\s*"([^"\\]*)":')
_NUMBER: Final = re.compile(rb":-?\d[^,}\]]*(?=[,}])")
_HTML: Final = b"""<!DOCTYPE html>
<html lang="en"><head><title>Sign in</title></head>
<body><h1>Sign in</h1><form method="post"><input name="user"><input type="password"></form></body></html>
"""


def empty(case: Case) -> Reply:
    """The status and headers of the sound answer, and no body at all."""
    return dataclasses.replace(case.reply, body=b"", served=None)


def html(case: Case) -> Reply:
    """A sign-in page, whatever was asked; with the type of JSON if told so."""
    return Reply(200, _HTML, (("Content-Type", case.options.text("type")),))


def invalid_utf8(case: Case) -> Reply | None:
    """Bytes in a string that are no UTF-8."""
    return _planted(case, b'"note":"\xff\xfe\xc3(\xed\xa0\x80"')


def duplicate_names(case: Case) -> Reply | None:
    """A name twice in one object, with two values: in the first record, or in the envelope."""
    if case.options.text("within") == "envelope":
        return _with_body(case, b'{"page":[],' + case.reply.body[1:]) if _is_page(case) else None
    start = _inside(case.reply.body)
    name = _NAME.match(case.reply.body, start)
    return _planted(case, b'"%b":"0"' % name[1]) if name else None


def not_a_number(case: Case) -> Reply | None:
    """A number that JSON does not have, in place of the first one; in a field of its own if there is none."""
    value = case.options.text("value").encode()
    body, count = _NUMBER.subn(b":" + value, case.reply.body, count=1)
    return _with_body(case, body) if count and case.reply.status == 200 else _planted(case, b'"note":' + value)


def deep_nesting(case: Case) -> Reply | None:
    """Arrays in arrays, properly closed, deeper than any reader's stack."""
    depth = case.options.whole("depth")
    return _planted(case, b'"note":' + b"[" * depth + b"]" * depth)


def _is_page(case: Case) -> bool:
    return case.reply.status == 200 and case.reply.body.startswith(b'{"page":')


def _inside(body: bytes) -> int:
    """Where the first record's fields begin, or those of the whole when there is no record."""
    found = body.find(_PAGE)
    return found + len(_PAGE) if found >= 0 else 1


def _planted(case: Case, member: bytes) -> Reply | None:
    body = case.reply.body
    if case.reply.status != 200 or not body.startswith(b"{"):
        return None
    start = _inside(body)
    comma = b"" if body[start : start + 1] == b"}" else b","
    return _with_body(case, body[:start] + member + comma + body[start:])


def _with_body(case: Case, body: bytes) -> Reply:
    return dataclasses.replace(case.reply, body=body, served=None)
