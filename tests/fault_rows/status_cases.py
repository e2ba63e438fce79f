"""Faults of the status line and of flow control."""

from __future__ import annotations

from datetime import UTC, datetime

from fault_rows.case import CANARY_PERSON, Case, Scene, answers, body, faults
from pipeline.sandbox import tokens
from pipeline.sandbox.faults import plan
from pipeline.sandbox.model import Close, Repeat, Reply, Script, Send

FIRST = "company · page 1"
LIST = "/beta/company/1/claim"
CLAIMS = f"path={LIST}"


def wrong_signature(scene: Scene) -> None:
    head, payload, _ = scene.sandbox.token.split(".")
    scene.give_token(f"{head}.{payload}.{'A' * 43}")


def revoked(scene: Scene) -> None:
    state = scene.sandbox.settings.state_dir
    made = tokens.new(state, now=datetime.now(UTC))
    tokens.revoke(state, made.entry.id, now=datetime.now(UTC))
    scene.give_token(made.text)


def leading(location: str | None, status: int = 302):
    """A redirect; `{own}` and `{foreign}` are host and port."""

    def answer(scene: Scene) -> Reply:
        if location is None:
            return Reply(status, b"", ())
        own = scene.sandbox.base_url.removeprefix("https://")
        return Reply(status, b"", (("Location", location.format(own=own, foreign=scene.foreign)),))

    return answers("/beta", answer)


def flood(line: bytes, times: int = 10_000_000) -> Script:
    return Script((Repeat(line, times), Close()))


def limited(value: str | None):
    """429 with this Retry-After; the run has half a minute in all."""
    headers = (("Content-Type", "application/json"), *((("Retry-After", value),) if value is not None else ()))
    return answers("/beta", Reply(429, b"{}", headers), run_deadline_s=30)


def tries_of_one_page(scene: Scene) -> None:
    scene.sandbox.faults(plan("server-error:path=/beta/company/1/division"))
    scene.quick(attempts=3, concurrency=1)


AGAIN = {"code": 20, "where": FIRST, "calls": 2}
WAITS = {"code": 20, "where": FIRST, "calls": 1}

CASES = (
    # ---- 26: 401 on the first page
    Case(26, "a wrong signature", wrong_signature, 11, "refused the token (401)", FIRST, "issue a new token", calls=1),
    Case(26, "a revoked token", revoked, 11, "refused the token (401)", FIRST, "issue a new token", calls=1),
    # ---- 27: 401 in the middle of a walk
    *(Case(27, f"from page {page} on", faults(f"revoked-token:resource=division,page={page}", page_limit=10), 11,
           "refused the token (401)", "page", "issue a new token") for page in (1, 2, 3)),
    # ---- 28: 403
    Case(28, "a list", answers("/beta/company/1/supplier", Reply(403, b"{}")), 12, "403", "supplier · page 1",
         "administrator"),
    Case(28, "the first list", answers("/beta/company", Reply(403, b"{}")), 12, "403", FIRST, calls=1),
    # ---- 29: 404 on a list
    Case(29, "a list", answers("/beta/company/1/invoice", Reply(404, b"{}")), 21, ("404", "never means an empty list"), "invoice"),
    Case(29, "gone", answers("/beta/company/1/invoice", Reply(410, b"{}")), 21, "410", "invoice"),
    Case(29, "the whole version", answers("/beta/", Reply(404, b"{}")), 21, "404", FIRST, "site.version", calls=1),
    # ---- 31: what may pass
    *(Case(31, str(status), answers("/beta", Reply(status, b"{}")), **AGAIN,
           what=(f"the source answered {status} (2 times)", "gave up after 2 attempts"))
      for status in (408, 500, 502, 503, 504, 520, 529, 599)),
    # ---- 32: 429 that says when to come back
    Case(32, "an hour", limited("3600"), **WAITS, what="answered 429", do=("run again at", "UTC", "in 3600 s")),
    Case(32, "a minute", limited("60"), **WAITS, what="answered 429", do=("run again at", "in 60 s")),
    Case(32, "a date in the past", limited("Sun, 01 Mar 2020 16:31:00 GMT"), **AGAIN, what="answered 429 (2 times)"),
    Case(32, "negative", limited("-5"), **WAITS, what="answered 429"),
    Case(32, "a billion", limited("1000000000"), **WAITS, what="answered 429"),
    Case(32, "text", limited("soon"), **WAITS, what="answered 429", unsaid=("soon",)),
    # ---- 33: 429 that says nothing
    Case(33, "no word", limited(None), **WAITS, what=("answered 429", "deadline")),
    Case(33, "403 without a word is a missing permission", answers("/beta", Reply(403, b"{}")), 12, "403", FIRST, calls=1),
    # ---- 34: an error object with status 200
    Case(34, "an error instead of a page", answers(LIST, body(b'{"error":{"code":7,"message":"%s"}}' % CANARY_PERSON.encode())), 21,
         "page", "claim · page 1"),
    Case(34, "an error instead of a company", answers("/beta/company", body(b'{"message":"%s"}' % CANARY_PERSON.encode())), 21,
         ("error object with status 200", "message"), FIRST, calls=1),
    Case(34, "an error beside the page", answers(LIST, body(b'{"page":[],"errors":["%s"]}' % CANARY_PERSON.encode())), 21,
         ("error beside the page", "errors"), "claim · page 1"),
    # ---- 35: statuses that carry no data
    *(Case(35, str(status), answers("/beta", Reply(status, b"" if status in (204, 304) else b"{}")), 21, str(status), FIRST, calls=1)
      for status in (201, 204, 206, 304, 418, 999)),
    Case(35, "a flood of 100", answers("/beta", flood(b"HTTP/1.1 100 Continue\r\n\r\n"), request_timeout_s=1, attempts=1), 20,
         "in time", FIRST),
    Case(35, "a flood of 103", answers("/beta", flood(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), request_timeout_s=1,
         attempts=1), 20, "in time", FIRST),
    Case(35, "101", answers("/beta", Script((Send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
         Close()))), 21, "101", FIRST, calls=1),
    # ---- 36: redirects
    *(Case(36, f"to this origin, {status}", leading("https://{own}/beta/company/", status), 21, str(status), FIRST, calls=1)
      for status in (300, 301, 302, 303, 305, 307, 308)),
    Case(36, "to another origin", leading("https://{foreign}/beta/company"), 22, ("another origin", "302"), FIRST, calls=1,
         unsaid=("/beta/company",)),
    Case(36, "to another origin, without a scheme", leading("//{foreign}/x"), 22, "another origin", FIRST, calls=1),
    Case(36, "to plain HTTP", leading("http://{own}/beta/company"), 22, "another origin", FIRST, calls=1),
    Case(36, "to a file", leading("file:///etc/passwd"), 22, "another origin", FIRST, calls=1, unsaid=("passwd",)),
    Case(36, "to a user at another origin", leading("https://{own}@{foreign}/"), 22, "another origin", FIRST, calls=1),
    Case(36, "to a user at this origin", leading("https://me:hunter2@{own}/"), 21, "302", FIRST, calls=1, unsaid=("hunter2",)),
    Case(36, "to itself", leading("/beta/company"), 21, "302", FIRST, calls=1),
    Case(36, "to nowhere", leading(None), 21, "302", FIRST, calls=1),
    Case(36, "to nonsense", leading("https://[::1/"), 22, "another origin", FIRST, calls=1),
    # ---- 37: everything fails for long
    Case(37, "all requests", faults("server-error:status=503", attempts=20, run_deadline_s=2), 20,
         ("answered 503", "the run's deadline"), FIRST),
    # ---- 39: one layer of retries
    Case(39, "three attempts a page", tries_of_one_page, 20, ("answered 503 (3 times)", "gave up after 3 attempts"),
         "division · page 1"),
    # ---- 40: slower and slower
    Case(40, "until the run's deadline", faults("latency-growing:step=0.2", run_deadline_s=2), 30,
         ("time budget of 2 s", "was used up"), "run ", "api.run_deadline_s"),
    Case(40, "until a request's deadline", faults("latency:seconds=3", request_timeout_s=0.5), **AGAIN,
         what="did not answer in time (2 times)"),
)  # fmt: skip
