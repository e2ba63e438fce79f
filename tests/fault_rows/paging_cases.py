"""Faults of paging: cursors, walks without end, cursors that die, lists that are not what was asked for."""

from __future__ import annotations

import json
import shutil

from fault_rows.case import Case, Scene, answers, body, faults

LIST = "/beta/company/1/division"
DIVISIONS = f"path={LIST}"
TEN = {"page_limit": 10}  # the list has four such pages


def leading_on(cursor: object, **more: object):
    """Every page of a list is the same, and says so of what comes next."""
    record = {"id": "1", "entityId": "1", "name": "x", "glCode": "1", "status": "active"}
    return answers(LIST, body(json.dumps({"page": [record], "nextCursor": cursor, **more}).encode()))


def cursor_leading_away(scene: Scene) -> None:
    leading_on(f"https://{scene.foreign}/beta/company/1/division?cursor=2")(scene)


def cursor_leading_home(scene: Scene) -> None:
    leading_on(f"{scene.sandbox.base_url}{LIST}?cursor=2")(scene)


def expired(page: int, *, status: int = 400, times: int | None = None):
    """The source gives up a cursor that leads to this page."""
    limited = f",times={times}" if times else ""
    return faults(f"expired-cursor:{DIVISIONS},page={page},status={status}{limited}", **TEN)


def an_hour_of_100_calls(scene: Scene) -> None:
    shutil.rmtree(scene.data / "state" / "calls")  # what the earlier night called
    scene.set("budget", hourly="100")
    faults(f"endless-pages:{DIVISIONS}")(scene)


BROKEN = {"code": 21, "where": "division · page"}
AWAY = {"code": 22, "what": "an address where a cursor belongs", "where": "division · page 2"}
GIVEN_UP = {"code": 21, "where": "division · page 3", "do": "how long cursors live"}

CASES = (
    # ---- 56, 57: cursors that come again
    Case(56, "the one just used", faults(f"repeated-cursor:{DIVISIONS}", **TEN), 21, "the cursor repeats after 1 page:",
         "division · page 2"),
    *(Case(57, f"{length} in a circle", faults(f"cyclic-cursors:length={length},{DIVISIONS}", **TEN), 21,
           f"the cursor repeats after {length} page", f"division · page {length + 1}") for length in (1, 3)),
    # ---- 58, 59, 60: pages without end
    Case(58, "the same rows", faults(f"endless-pages:records=same,{DIVISIONS}"), **BROKEN, what="no new keys on 3 pages in a row"),
    Case(59, "until the run's deadline", faults(f"endless-pages:{DIVISIONS}", run_deadline_s=1), 30,
         ("time budget of 1 s", "was used up"), "run ", "api.run_deadline_s"),
    Case(59, "until the hour's budget", an_hour_of_100_calls, 42, ("hourly call budget is used up", "limit 100"),
         "division · page", "budget.hourly"),
    Case(60, "more than ten", faults(f"endless-pages:records=none,{DIVISIONS}"), **BROKEN, what="more than 10 empty pages in a row"),
    # ---- 61: what contradicts the cursor
    Case(61, "more without a cursor", leading_on(None, hasMore=True), 21, "'hasMore' contradict", "division · page 1"),
    Case(61, "a cursor without more", leading_on("2", hasMore=False), 21, "'hasMore' contradict", "division · page 1"),
    Case(61, "the cursor under another name", leading_on(None, next="2"), 21, "'next' contradict", "division · page 1"),
    # ---- 62: a cursor that was good
    *(Case(62, f"{status}, always", expired(3, status=status), **GIVEN_UP, what=("on each of 3 tries", str(status)))
      for status in (400, 404, 410, 419)),
    Case(62, "twice, at the last page", expired(4, times=2), 0),
    # ---- 63, 64: a cursor that is none, or leads elsewhere
    Case(63, "a way out", leading_on("../../../../company/2/claim?x=%2e%2e"), **BROKEN, what="the cursor repeats after 1 page"),
    Case(63, "a megabyte", leading_on("x" * 1_000_000), 22, "a cursor of 1,000,000 characters", "division · page 1", calls=30),
    Case(63, "a line break", leading_on("2\r\nHost: elsewhere"), 22, "control characters", "division · page 1",
         unsaid=("Host",)),
    Case(64, "another origin", cursor_leading_away, **AWAY),
    Case(64, "this origin", cursor_leading_home, **AWAY),
    Case(64, "plain HTTP", faults(f"next-plain:{DIVISIONS}", **TEN), **AWAY),
    # ---- 70: what was asked for is not what comes
    Case(70, "a page of 20,000", answers(LIST, body(b'{"page":[%s]}' % b",".join([b"{}"] * 20_000))), 22,
         "a page holds 20,000 records", "division · page 1"),
    # ---- 75: a permission that hides rows
    Case(75, "two of five divisions", faults(f"shrunken-list:{DIVISIONS}"), 41,
         ("shrink_within_limit did not pass", "division: 55 rows before, 41 now (limit 20 % fewer)", "--accept-shrink division",
          "deletions_within_limit did not pass", "14 of 55 rows would be deleted (limit 5 %)"), "check"),
)  # fmt: skip
