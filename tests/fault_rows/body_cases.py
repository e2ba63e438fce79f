"""Faults of the body: its length, its packing, its text, its numbers, and what it holds."""

from __future__ import annotations

import gzip
import zlib

from fault_rows.case import CANARY_PERSON, Case, answers, body, faults
from pipeline.sandbox.model import Repeat, Reply, Script, Send

LIST = "/beta/company/1/division"
PAGE_ONE = "division · page 1"
DIVISIONS = f"path={LIST}"
PERSON = CANARY_PERSON.encode()
SOUND = b'{"page":[{"id":"1","entityId":"1","name":"%s","glCode":"1","status":"active"}],"nextCursor":null}' % PERSON
GZIP = ("Content-Encoding", "gzip")
BROKEN = {"code": 21, "where": PAGE_ONE}
CUT = {"code": 20, "where": PAGE_ONE}


def sent(raw: bytes, kind: str = "application/json", *more: tuple[str, str], **api: object):
    """This body in place of a list."""
    return answers(LIST, body(raw, kind, *more), **api)


def named(name: bytes):
    """A page with one record whose name is written so, as JSON."""
    return sent(SOUND.replace(b'"%s"' % PERSON, name))


def added(resource: str, *records: bytes):
    """Records that the source sends beside its own."""
    return lambda scene: scene.sandbox.inject(resource, ("1",), records)


def claim(amount: bytes, *, key: bytes = b'"bad-1"', extra: bytes = b"") -> bytes:
    money = b'{"grossAmount":%s,"netAmount":1,"taxAmount":0,"currencyCode":"AUD"}' % amount
    return (
        b'{"id":%s,"companyId":"1","claimantName":"%s","status":"Finalised","claimCurrencyTotals":[%s],'
        b'"updatedDate":"2026-06-30T00:00:00Z"%s}' % (key, PERSON, money, extra)
    )


def tax_code(rate: bytes) -> bytes:
    return b'{"id":"bad-%d","name":"%s","code":"X","taxRate":%s,"status":"active"}' % (len(rate), PERSON, rate)


def long_text(size: int) -> Script:
    """A sound page but for the length of one text."""
    before, after = SOUND.split(PERSON)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(before) + size + len(after)}\r\n\r\n"
    piece = b"x" * 100_000
    return Script((Send(head.encode() + before), Repeat(piece, size // len(piece)), Send(after)), status=200)


def division(key: bytes) -> bytes:
    return b'{%s"entityId":"1","name":"%s","glCode":"1","status":"active"}' % (key, PERSON)


# A record that does not fit is set aside, and the night refused when a resource has more than one in a hundred.
REFUSED = {"code": 41, "what": ("quarantine_within_limit did not pass", "did not fit (limit 1 %)"), "where": "check"}

CASES = (
    # ---- 41: shorter than it says
    Case(41, "less than its length", faults(f"cut-body:{DIVISIONS},at=40"), **CUT, what=("cut off (2 times)", "2 attempts")),
    Case(41, "more promised than sent", faults(f"length-too-long:{DIVISIONS}"), **CUT, what="cut off (2 times)"),
    Case(41, "chunks without an end", faults(f"cut-chunks:{DIVISIONS}"), **CUT, what="cut off (2 times)"),
    Case(41, "a reset in the middle", faults(f"reset:{DIVISIONS},at=-10"), **CUT, what="gave up after 2 attempts"),
    Case(41, "a reset before it", faults(f"reset:{DIVISIONS},at=0"), **CUT, what="closed the connection (2 times)"),
    Case(41, "longer than it says", faults(f"length-too-short:{DIVISIONS}"), **BROKEN, what="not valid HTTP"),
    Case(41, "two lengths", faults(f"two-lengths:{DIVISIONS}"), **BROKEN, what="not valid HTTP"),
    # ---- 42: nothing says where it ends
    Case(42, "cut", faults(f"unframed-body:{DIVISIONS},most=-10"), **BROKEN, what="unframed body"),
    Case(42, "whole", faults(f"unframed-body:{DIVISIONS}"), **BROKEN, what="unframed body"),
    # ---- 43: packed, cut, in a sound frame
    *(Case(43, f"cut at {at}", faults(f"cut-gzip:{DIVISIONS},at={at}"), **CUT,
           what=("compressed answer is incomplete (2 times)", "gave up")) for at in (1, 12, -9, -1)),
    Case(43, "bytes behind its end", sent(gzip.compress(SOUND) + b"x", "application/json", GZIP), **CUT,
         what="compressed answer is incomplete"),
    Case(43, "a wrong checksum", sent(gzip.compress(SOUND)[:-8] + b"\0" * 8, "application/json", GZIP), **CUT,
         what="compressed answer is damaged"),
    # ---- 44: too large
    Case(44, "10 GB", faults(f"huge-body:{DIVISIONS}", max_body_mb=1), 22, "larger than 1,048,576 bytes", PAGE_ONE, "api.max_body_mb"),
    Case(44, "10 GB in chunks", faults(f"huge-body:framing=chunked,{DIVISIONS}", max_body_mb=1), 22, "larger than", PAGE_ONE),
    Case(44, "a gzip bomb", faults(f"gzip-bomb:{DIVISIONS}"), 22, "inflates more than 200 times", PAGE_ONE),
    Case(44, "a byte at a time", faults(f"slow-body:{DIVISIONS}", run_deadline_s=2), 30, "time budget", "run "),
    # ---- 45: packed otherwise than it says
    Case(45, "plain, called gzip", sent(SOUND, "application/json", GZIP), **BROKEN, what="not gzip, though it says so"),
    Case(45, "brotli", sent(SOUND, "application/json", ("Content-Encoding", "br")), **BROKEN, what="coding 'br'"),
    Case(45, "deflate", sent(zlib.compress(SOUND), "application/json", ("Content-Encoding", "deflate")), **BROKEN,
         what="coding 'deflate'"),
    Case(45, "packed twice", sent(gzip.compress(gzip.compress(SOUND)), "application/json", ("Content-Encoding", "gzip, gzip")),
         **BROKEN, what="content coding of another kind"),
    Case(45, "packed twice, said once", sent(gzip.compress(gzip.compress(SOUND)), "application/json", GZIP), **BROKEN,
         what="not valid UTF-8"),
    Case(45, "gzip that is not said", sent(gzip.compress(SOUND)), **BROKEN, what="not valid UTF-8 at byte 1"),
    # ---- 46: empty
    Case(46, "no byte", faults(f"empty-body:{DIVISIONS}"), **BROKEN, what="never means an empty list"),
    Case(46, "white space", sent(b" \r\n"), **BROKEN, what="empty"),
    Case(46, "nothing, packed", sent(gzip.compress(b""), "application/json", GZIP), **BROKEN, what="empty"),
    # ---- 47: another type
    Case(47, "HTML called JSON", sent(b"<html>%s</html>" % PERSON), **BROKEN, what="HTML or XML, not JSON"),
    Case(47, "XML called JSON", sent(b'<?xml version="1.0"?><a/>'), **BROKEN, what="HTML or XML, not JSON"),
    Case(47, "JSON called text", sent(SOUND, "text/plain"), **BROKEN, what=("text/plain", "instead of JSON")),
    Case(47, "JSON called nothing", answers(LIST, lambda _: Reply(200, SOUND, ())), **BROKEN, what="instead of JSON"),
    Case(47, "plain text called JSON", sent(b"Service busy, %s" % PERSON), **BROKEN, what="not JSON"),
    # ---- 48: not UTF-8
    Case(48, "an invalid byte", faults(f"invalid-utf8:{DIVISIONS}"), **BROKEN, what="not valid UTF-8 at byte"),
    Case(48, "byte order mark", sent(b"\xef\xbb\xbf" + SOUND), **BROKEN, what="byte order mark"),
    Case(48, "Latin-1", named(b'"M\xfcller"'), **BROKEN, what="not valid UTF-8 at byte"),
    Case(48, "UTF-16", sent(SOUND.decode().encode("utf-16")), **BROKEN, what="not valid UTF-8 at byte 0"),
    # ---- 49: nesting
    Case(49, "200,000 arrays", faults(f"deep-nesting:{DIVISIONS}"), **BROKEN, what="nested too deeply"),
    Case(49, "200,000 objects in a record", named(b'{"a":' * 200_000 + b"1" + b"}" * 200_000), **BROKEN, what="nested too deeply"),
    # ---- 50: numbers
    *(Case(50, value, faults(f"nan:{DIVISIONS},value={value}"), **BROKEN, what="not JSON") for value in ("NaN", "Infinity", "-Infinity")),
    Case(50, "5,000 digits and 1e400", added("tax_code", tax_code(b"9" * 5000), tax_code(b"1e400")), **REFUSED),
    # ---- 51: a name twice
    Case(51, "in the envelope", faults(f"duplicate-names:within=envelope,{DIVISIONS}"), **BROKEN, what="name twice"),
    Case(51, "in a record", added("claim", claim(b"1", extra=b',"status":"Approved"')), **REFUSED),
    # ---- 52: text that cannot be kept
    Case(52, "half a surrogate pair", added("division", division(b'"id":"\\ud800",')), **REFUSED),
    Case(52, "100 MB", answers(LIST, long_text(100_000_000)), 22, "larger than 67,108,864 bytes", PAGE_ONE),
    # ---- 53: another page's or company's body
    Case(53, "another company's records", faults("other-tenant:resource=claim"), 21, "belongs to another parent", "claim, page"),
    Case(53, "a record that names another company", added("claim", claim(b"1").replace(b'"companyId":"1"', b'"companyId":"2"')),
         21, "belongs to another parent", "claim, page"),
    # ---- 54: no page in the envelope
    Case(54, "missing", sent(b'{"nextCursor":null}'), **BROKEN, what="'page' is missing (found nextCursor)"),
    Case(54, "null", sent(b'{"page":null}'), **BROKEN, what="'page' must be an array, null found"),
    Case(54, "an object", sent(b'{"page":{"0":{}}}'), **BROKEN, what="'page' must be an array, object found"),
    Case(54, "renamed", sent(SOUND.replace(b'"page"', b'"items"')), **BROKEN, what="'page' is missing (found items, nextCursor)"),
    Case(54, "an array", sent(b"[%s]" % SOUND), **BROKEN, what="array found"),
    Case(54, "null for all", sent(b"null"), **BROKEN, what="null found"),
    # ---- 55: a record without a key
    *(Case(55, name, added("division", division(key)), **REFUSED)
      for name, key in (("no key", b""), ("null", b'"id":null,'), ("empty", b'"id":"",'), ("an object", b'"id":{},'))),
)  # fmt: skip
