"""The sandbox's clock: sound books on every day, a known history, and every kind of change as sources really make it."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import jwt
import pytest

from pipeline.resources import read_catalogue
from pipeline.sandbox.answer import State, answer
from pipeline.sandbox.clock import Clock, Event, Version, violations
from pipeline.sandbox.clock.dice import business_days_until, is_business_day
from pipeline.sandbox.data import make_books
from pipeline.sandbox.data.times import BOOKS_AT
from pipeline.sandbox.model import Reply, Request
from pipeline.sandbox.record_text import record_changer, varied_books
from pipeline.sandbox.routes import make_routes
from pipeline.sandbox.tokens import Entry, Gate
from pipeline.sandbox.variants import Variants

NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
SECRET = bytes(range(32))
TOKEN = jwt.encode({"sub": "a", "iat": 1, "exp": 2_000_000_000, "jti": "t1", "site": "sandbox"}, SECRET)
GATE = Gate(SECRET, {"t1": Entry("t1", "", hashlib.sha256(TOKEN.encode()).hexdigest(), NOW, NOW + timedelta(days=9))})
CATALOGUE = read_catalogue()
EVERYTHING = {
    "includeinactive": "true",
    "includepersonal": "true",
    "includeomitted": "true",
}
CLAIM = "/beta/company/1/claim"


def state_of(clock: Clock) -> State:
    return State(
        books=clock.ledger.books,
        routes=make_routes(CATALOGUE),
        gate=GATE,
        cursor_key=b"k" * 32,
        page_cap=1000,
        overlay=clock.overlay,
    )


def ask(state: State, target: str) -> Reply:
    path, _, query = target.partition("?")
    pairs = tuple(tuple(pair.split("=", 1)) for pair in query.split("&") if pair)
    headers = {"authorization": f"Bearer {TOKEN}"}
    given = answer(Request("GET", target, tuple(path[1:].split("/")), pairs, headers, NOW), state)
    assert isinstance(given, Reply)
    return given


def walk(state: State, target: str, limit: int = 1000) -> list[dict]:
    found, cursor = [], ""
    while cursor is not None:
        mark = "&" if "?" in target else "?"
        given = ask(state, f"{target}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert given.status == 200, (target, given.body)
        body = json.loads(given.body, parse_float=Decimal)
        assert len(body["page"]) == given.served.count
        found += body["page"]
        cursor = body["nextCursor"]
    return found


def path_of(resource: str, context: tuple[str, ...]) -> str:
    path = CATALOGUE[resource].path.replace("{version}", "beta")
    for name, key in zip(CATALOGUE[resource].context_names, context, strict=True):
        path = path.replace(f"{{{name}}}", key)
    return path


def whole(state: State, resource: str, context: tuple[str, ...], limit: int = 1000) -> list[dict]:
    """Everything a list holds, under every flag."""
    filters = {name: EVERYTHING[name.lower()] for name in CATALOGUE[resource].filters if name.lower() in EVERYTHING}
    queries = [filters]
    if "active" in CATALOGUE[resource].filters:
        queries = [{"active": "true"}, {"active": "false"}]
    path = path_of(resource, context)
    return [r for query in queries for r in walk(state, f"{path}?" + "&".join(map("=".join, query.items())), limit)]


def everything_served(state: State, limit: int = 1000) -> dict[str, dict[tuple, list[dict]]]:
    """Every list of every resource, read as a client would, parents first."""
    found: dict[str, dict[tuple, list[dict]]] = {}
    for resource in CATALOGUE:
        contexts = [()]
        if resource.parent is not None:
            parents = found[resource.parent]
            key = CATALOGUE[resource.parent].key
            contexts = [(*context, row[key]) for context, rows in parents.items() for row in rows]
        found[resource.name] = {context: whole(state, resource.name, context, limit) for context in contexts}
    return found


def in_lists(versions: list[Version]) -> dict[tuple, list[dict]]:
    lists = defaultdict(list)
    for version in versions:
        lists[version.context].append(json.loads(version.raw, parse_float=Decimal))
    return lists


@cache
def lived() -> Clock:
    """Small books after sixty days."""
    clock = Clock(make_books(seed=4, claim_count=300), seed=4)
    clock.advance(60)
    return clock


def events(name: str, resource: str | None = None) -> list[Event]:
    found = [e for e in lived().events if e.name == name and resource in (None, e.resource)]
    assert found, f"{name} never happens"
    return found


@cache
def history(resource: str) -> list[Version]:
    return lived().history(resource)


@cache
def by_key(resource: str) -> dict[tuple, list[Version]]:
    found = defaultdict(list)
    for version in history(resource):
        found[version.context, version.key].append(version)
    return found


def around(event: Event) -> tuple[Version | None, Version | None]:
    """The versions of the event's record that end and begin with it."""
    versions = by_key(event.resource)[event.context, event.key]
    before = [v for v in versions if v.visible_to_s == event.at_s]
    after = [v for v in versions if v.visible_from_s == event.at_s]
    return (before[0] if before else None), (after[0] if after else None)


@pytest.mark.slow
def test_a_thousand_days_keep_every_invariant():
    """After each day all it touched is sound; at the end the whole of the books and their history."""
    clock = Clock(make_books(seed=2, claim_count=120), seed=2)
    assert violations(clock) == []
    for _ in range(1000):
        clock.advance()
        assert violations(clock, since_day=clock.days) == []
    assert violations(clock) == []
    assert clock.now == BOOKS_AT + timedelta(days=1000)
    assert len(clock.events) > 10_000


def test_days_one_by_one_equal_days_at_once():
    """1 + 1 is 2: the same events, the same history, the same pages."""
    single, double = (Clock(make_books(seed=6, claim_count=200), seed=6) for _ in range(2))
    for _ in range(14):
        single.advance(1)
    for _ in range(7):
        double.advance(2)
    assert single.events == double.events
    for resource in CATALOGUE.names:
        assert single.history(resource) == double.history(resource)
    assert everything_served(state_of(single)) == everything_served(state_of(double))


def test_another_seed_lives_other_days():
    """The seed decides."""
    first, second = (Clock(make_books(seed=6, claim_count=60), seed=seed) for seed in (6, 7))
    assert first.advance(5) != second.advance(5)


@pytest.mark.parametrize("limit", [7, 1000])
def test_lists_serve_exactly_what_the_oracle_says_after_every_day(limit: int):
    """Thirty days, every list of every resource, in order, nothing else."""
    clock = Clock(make_books(seed=9, claim_count=40), seed=9)
    for _ in range(30 if limit == 1000 else 6):
        clock.advance(1 if limit == 1000 else 5)
        served = everything_served(state_of(clock), limit)
        for resource in CATALOGUE.names:
            wanted = in_lists(clock.as_of(resource, clock.now))
            got = {context: rows for context, rows in served[resource].items() if rows}
            if resource == "supplier":  # active ones and others are two walks
                got = {context: sorted(rows, key=lambda r: r["id"]) for context, rows in got.items()}
                wanted = {context: sorted(rows, key=lambda r: r["id"]) for context, rows in wanted.items()}
            assert got == wanted, (clock.days, resource)


def test_the_past_can_be_asked_for():
    """At the books' end nothing has changed yet; later, each instant has its own records."""
    clock = Clock(make_books(seed=9, claim_count=60), seed=9)
    untouched = {name: [v.raw for v in clock.as_of(name, clock.now)] for name in CATALOGUE.names}
    seen = {}
    for _ in range(10):
        clock.advance()
        seen[clock.now] = {name: [v.raw for v in clock.as_of(name, clock.now)] for name in CATALOGUE.names}
    assert {name: [v.raw for v in clock.as_of(name, BOOKS_AT)] for name in CATALOGUE.names} == untouched
    for at, wanted in seen.items():
        assert {name: [v.raw for v in clock.as_of(name, at)] for name in CATALOGUE.names} == wanted


@pytest.mark.parametrize(("resource", "kind"), [("claim", "claim"), ("invoice", "invoice")])
def test_statuses_move_as_people_move_them(resource: str, kind: str):
    """Each step leads from its status to the next."""
    steps = {
        "submitted": ("NotSubmitted", {"PendingApproval"}),
        "approved": ("PendingApproval", {"PendingApproval", "Approved"}),
        "rejected": ("PendingApproval", {"Rejected"}),
        "revised": ("Rejected", {"NotSubmitted"}),
        "finalised": ("Approved", {"Finalised"}),
        "unfinalised": ("Finalised", {"Approved"}),
    }
    for name, (first, then) in steps.items():
        reached = set()
        for event in events(name, resource):
            before, after = around(event)
            assert before.record["status"] == first
            assert after.record["updatedDate"] > before.record["updatedDate"]
            reached.add(after.record["status"])
        assert reached == then, name


def test_an_unfinalised_document_loses_its_date():
    """The date disappears from the record: reading by that date alone misses the correction."""
    for event in events("unfinalised"):
        before, after = around(event)
        assert before.record["finalisedDate"] is not None
        assert after.record["finalisedDate"] is None


def changed_lines(event: Event) -> list[tuple[Version, Version]]:
    lines = {"claim": "expense", "invoice": "invoice_line"}[event.resource]
    under = (*event.context, event.key)
    pairs = []
    for (context, _), versions in by_key(lines).items():
        if context == under:
            pairs += [(a, b) for a, b in itertools.pairwise(versions) if b.visible_from_s == event.at_s]
    return pairs


@pytest.mark.parametrize("name", ["edited after approval", "line edited"])
def test_an_edited_line_moves_its_document(name: str):
    """Amount of the line, totals and last update of the document."""
    for event in events(name):
        before, after = around(event)
        [(old, new)] = changed_lines(event)
        assert old.record["grossAmount"] != new.record["grossAmount"]
        assert before.record["status"] == after.record["status"]
        assert after.record["updatedDate"] == new.record["updatedDate"] > before.record["updatedDate"]
        if name == "edited after approval":
            assert after.record["status"] in ("Approved", "Finalised")
    totals = {
        str(around(e)[0].record["transactionTotals"] != around(e)[1].record["transactionTotals"]) for e in events(name)
    }
    assert "True" in totals


def test_a_line_can_change_without_its_document():
    """The line is newer than everything the document says of itself: only a full walk, or one of lines, finds it."""
    for event in events("line edited silently"):
        assert around(event) == (None, None), "the document has no new version"
        [(old, new)] = changed_lines(event)
        assert new.record["description"] != old.record["description"]
        document = next(v for v in by_key(event.resource)[event.context, event.key] if v.is_visible_at(event.at_s))
        assert new.record["updatedDate"] > document.record["updatedDate"]


def test_single_lines_and_whole_documents_are_deleted():
    """A deleted document is gone with all that hung under it, by list, by key and by its children's lists."""
    state = state_of(lived())
    for event in events("line deleted"):
        lines = {"claim": "expense", "invoice": "invoice_line"}[event.resource]
        under = (*event.context, event.key)
        gone = [v for v in history(lines) if v.context == under and v.visible_to_s == event.at_s]
        assert len(gone) == 1
    for event in events("deleted"):
        if any(v.visible_to_s is None for v in by_key(event.resource)[event.context, event.key]):
            continue  # it came back
        path = f"{path_of(event.resource, event.context)}/{event.key}"
        assert ask(state, path).status == 404
        assert ask(state, f"{path}/{'expense' if event.resource == 'claim' else 'line'}").status == 404


@pytest.mark.parametrize("age", ["old", "new"])
@pytest.mark.parametrize("resource", ["claim", "invoice"])
def test_deleted_documents_come_back_with_an_old_or_a_new_update(resource: str, age: str):
    """The same key again, with its lines; by its last update only one of the two can be noticed."""
    for event in events(f"back, {age} update", resource):
        versions = by_key(resource)[event.context, event.key]
        place = next(i for i, v in enumerate(versions) if v.visible_from_s == event.at_s)
        before, after = versions[place - 1], versions[place]
        assert before.visible_to_s < after.visible_from_s, "it was away"
        moved = after.record["updatedDate"] > before.record["updatedDate"]
        assert moved == (age == "new")
        if age == "old":
            assert after.raw == before.raw
        lines = {"claim": "expense", "invoice": "invoice_line"}[resource]
        assert any(v.visible_from_s == event.at_s for v in history(lines) if v.context == (*event.context, event.key))


@pytest.mark.parametrize("name", ["committed late", "edited late"])
@pytest.mark.parametrize("resource", ["claim", "invoice"])
def test_late_commits_appear_behind_the_newest_update(resource: str, name: str):
    """Rows newer than it were visible before it was: reading on from the newest time misses it."""
    for event in events(name, resource):
        _, after = around(event)
        newest = max(
            v.record["updatedDate"]
            for v in history(resource)
            if v.context == event.context and v.is_visible_at(event.at_s - 1)
        )
        assert after.record["updatedDate"] < newest


def test_mass_imports_share_one_time():
    """More documents than a page of a hundred."""
    for resource in ("claim", "invoice"):
        sizes = Counter(event.at_s for event in events("imported", resource))
        assert min(sizes.values()) > 100
        for event in events("imported", resource):
            assert datetime.fromisoformat(around(event)[1].record["updatedDate"]).timestamp() == event.at_s


@pytest.mark.parametrize("resource", ["entity", "division", "tax_code", "supplier", "project", "portfolio"])
def test_dimensions_are_disabled_and_enabled(resource: str):
    """The default list leaves a disabled row out; the row itself stays."""

    def is_on(record: dict) -> bool:
        return record.get("status", "active") == "active" and record.get("isActive", record.get("active", True))

    for name, expected in ((f"{resource} disabled", False), (f"{resource} enabled", True)):
        for event in events(name):
            before, after = around(event)
            assert (is_on(before.record), is_on(after.record)) == (not expected, expected)
    state = state_of(lived())
    shown = {row["id"] for company in "12" for row in walk(state, path_of(resource, (company,)))}
    assert shown == {v.key for v in lived().as_of(resource, lived().now) if is_on(v.record)}


def test_suppliers_and_projects_come_and_go():
    """New ones are used by new documents; unused ones are deleted; some return."""
    for resource in ("supplier", "project"):
        came = {event.key for event in events(f"{resource} added")}
        gone = {event.key for event in events(f"{resource} deleted")}
        assert gone <= came
    events("supplier back, old update")
    events("tax_code deleted")
    events("project_wbs deleted")
    new_projects = {event.key for event in events("project added")}
    elements = {v.context[1] for v in history("project_wbs")}
    assert new_projects <= elements


def test_new_documents_have_lines_and_new_ids():
    """No id is ever given twice, and new documents begin unsubmitted."""
    for resource, lines in (("claim", "expense"), ("invoice", "invoice_line")):
        first = int(lived().ledger.books.tables[resource].ids.max())
        for event in events("born", resource):
            before, after = around(event)
            assert before is None
            assert int(event.key) > first
            assert after.record["status"] == "NotSubmitted"
            assert any(v.context == (*event.context, event.key) for v in history(lines))


def test_weekends_are_quiet():
    """Far fewer documents move on Saturdays and Sundays of Sydney, and imports rest."""
    moved = Counter(event.day for event in lived().events if event.name in ("born", "submitted", "approved"))
    busy = [moved[day] for day in range(1, 61) if is_business_day(day)]
    quiet = [moved[day] for day in range(1, 61) if not is_business_day(day)]
    assert len(busy) == business_days_until(60)
    assert sum(quiet) / len(quiet) < sum(busy) / len(busy) / 3
    assert all(is_business_day(event.day) for event in events("imported"))
    assert [is_business_day(day) for day in (1, 3, 4, 5, 6)] == [True, True, False, False, True]


def test_volumes_grow_with_the_books():
    """Between 0.2 and 1 % of claims change on an ordinary business day."""
    clock = Clock(make_books(seed=1, claim_count=20_000), seed=1)
    moved = Counter(e.day for e in clock.advance(4) if e.resource == "claim" and e.name != "imported")
    for day in (1, 2, 3):
        assert 0.002 * 20_000 < moved[day] < 0.01 * 20_000
    assert moved[4] < 0.002 * 20_000


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_pages_of_any_size_hold_the_same_list(limit: int):
    """Merged from the tables and what has changed, without a record twice or left out."""
    state = state_of(lived())
    rows = walk(state, CLAIM, limit)
    wanted = [
        json.loads(v.raw, parse_float=Decimal) for v in lived().as_of("claim", lived().now) if v.context == ("1",)
    ]
    assert rows == wanted


@pytest.mark.parametrize(
    ("path", "query", "holds"),
    [
        (CLAIM, "status=Approved", lambda r: r["status"] == "Approved"),
        (CLAIM, "minUpdatedDate=2026-07-20", lambda r: r["updatedDate"] >= "2026-07-20"),
        (CLAIM, "minUpdatedDate=2026-05-20", lambda r: r["updatedDate"] >= "2026-05-20"),
        (CLAIM, "finalisedDate=2026-07-20", lambda r: (r["finalisedDate"] or "") >= "2026-07-20"),
        (
            "/beta/company/1/invoice",
            "status=Finalised&minUpdatedDate=2026-06-01",
            lambda r: r["status"] == "Finalised" and r["updatedDate"] >= "2026-06-01",
        ),
        (
            "/beta/company/1/project?IncludeInactive=true",
            "costCode=CC11",
            lambda r: r["costCode"] == "CC11",
        ),
        (
            "/beta/company/1/taxCode?includeInactive=true",
            "entityId=50",
            lambda r: "50" in r["entityIds"],
        ),
        (
            "/beta/company/1/taxCode?includeInactive=true",
            "category=CAPITAL",
            lambda r: r["category"] == "CAPITAL",
        ),
        (
            "/beta/company/1/portfolio?includeInactive=true",
            "entityId=10",
            lambda r: r["entityId"] == "10",
        ),
    ],
)
def test_filters_see_what_has_changed(path: str, query: str, holds):
    """Exactly the records of the whole list that pass, in its order, whatever the size of pages."""
    state = state_of(lived())
    everything = walk(state, path)
    wanted = [r for r in everything if holds(r)]
    mark = "&" if "?" in path else "?"
    assert walk(state, f"{path}{mark}{query}", 3) == wanted
    assert 0 < len(wanted) < len(everything)


def test_more_filters_see_what_has_changed():
    """Suppliers' invoices, portfolios' projects by code, hidden lines."""
    state = state_of(lived())
    invoices = walk(state, "/beta/company/1/invoice")
    chosen = next(e for e in events("imported", "invoice"))
    supplier = next(r for r in invoices if r["id"] == chosen.key)["supplier"]["id"]
    assert walk(state, f"/beta/company/1/invoice?supplierId={supplier}", 2) == [
        r for r in invoices if r["supplier"]["id"] == supplier
    ]
    portfolios = walk(state, "/beta/company/1/portfolio?includeInactive=true")
    projects = walk(state, "/beta/company/1/project?IncludeInactive=true")
    for portfolio in portfolios:
        asked = f"/beta/company/1/project?IncludeInactive=true&portfolioCode={portfolio['portfolioCode']}"
        assert walk(state, asked) == [r for r in projects if portfolio["id"] in r["portfolio"]]
        asked = f"/beta/company/1/portfolio?includeInactive=true&portfolioCode={portfolio['portfolioCode']}"
        assert walk(state, asked) == [portfolio]
    hidden = 0
    for event in events("born", "claim"):
        if ask(state, f"/beta/company/{event.context[0]}/claim/{event.key}").status == 404:
            continue
        path = path_of("expense", (*event.context, event.key))
        lines = walk(state, f"{path}?includePersonal=true&includeOmitted=true")
        hidden += sum(r["isPersonal"] or r["isOmitted"] for r in lines)
        assert walk(state, path) == [r for r in lines if not r["isPersonal"] and not r["isOmitted"]]
    assert hidden


def test_every_record_can_be_read_by_its_key():
    """The newest version of it, changed, new or returned; 404 for what is gone."""
    state, gone = state_of(lived()), 0
    for resource in ("claim", "invoice", "expense", "supplier", "project", "tax_code"):
        standing = {(v.context, v.key): v.raw for v in lived().as_of(resource, lived().now)}
        changed = {(v.context, v.key) for v in history(resource) if v.visible_to_s is not None or v.visible_from_s}
        gone += len(changed - standing.keys())
        for context, key in sorted(changed):
            given = ask(state, f"{path_of(resource, context)}/{key}")
            if (context, key) in standing:
                assert (given.status, given.body) == (200, standing[context, key])
                assert given.served.count == 1
            else:
                assert given.status == 404
    assert gone > 5


def test_a_walk_while_the_clock_advances_loses_nothing_that_stays():
    """A day passes between any two pages: what was there all the time is found, and what moves is found again."""
    clock = Clock(make_books(seed=12, claim_count=200), seed=12)
    clock.advance(5)
    began = clock.now
    found, cursor = [], ""
    while cursor is not None:
        asked = f"{CLAIM}?limit=20" + (f"&cursor={cursor}" if cursor else "")
        body = json.loads(ask(state_of(clock), asked).body)
        found += body["page"]
        cursor = body["nextCursor"]
        if len(found) < 400:
            clock.advance()
    order = [(r["updatedDate"], int(r["id"])) for r in found]
    assert order == sorted(order)
    seen = Counter(r["id"] for r in found)
    at_start = {v.key for v in clock.as_of("claim", began) if v.context == ("1",)}
    at_end = {v.key for v in clock.as_of("claim", clock.now) if v.context == ("1",)}
    returned = {e.key for e in clock.events if e.resource == "claim" and e.name.startswith("back")}
    late = {e.key for e in clock.events if e.name == "edited late"}
    assert (at_start & at_end) - returned - late <= seen.keys()
    assert max(seen.values()) > 1, "something moved behind the reader and was read again"


def test_what_is_served_does_not_change_under_a_reader():
    """A state from before an advance goes on answering as it did."""
    clock = Clock(make_books(seed=12, claim_count=100), seed=12)
    clock.advance(3)
    before = state_of(clock)
    pages = walk(before, CLAIM, 10)
    clock.advance(10)
    assert walk(before, CLAIM, 10) == pages
    assert walk(state_of(clock), CLAIM, 10) != pages


def test_books_that_never_moved_have_no_layers():
    """The first page comes straight from the tables."""
    clock = Clock(make_books(seed=1, claim_count=50), seed=1)
    assert clock.overlay.layers == {}
    assert clock.events == ()
    assert clock.now == BOOKS_AT


@pytest.mark.parametrize("days", [0, -1, 4001])
def test_the_clock_does_not_move_back_or_beyond_its_calendar(days: int):
    """And stays where it was."""
    clock = Clock(make_books(seed=1, claim_count=20), seed=1)
    with pytest.raises(ValueError, match="the clock can move"):
        clock.advance(days)
    assert clock.days == 0


@pytest.mark.parametrize("count", [0, 10])
def test_tiny_books_live_too(count: int):
    """With next to nothing in them, nothing fails and nothing is wrong."""
    clock = Clock(make_books(seed=1, claim_count=count), seed=1)
    clock.advance(40)
    assert violations(clock) == []


def test_variants_apply_to_what_changes_too():
    """Seven digits of a second in every record, changed or not, in lists and by key."""
    plain = make_books(seed=3, claim_count=100)
    variants = Variants(seven_digits="on")
    changers = {resource.name: record_changer(resource, variants) for resource in CATALOGUE}
    clock = Clock(plain, 3, changers)
    clock.advance(20)
    state = State(
        books=varied_books(plain, variants, CATALOGUE),
        routes=make_routes(CATALOGUE),
        gate=GATE,
        cursor_key=b"k" * 32,
        page_cap=1000,
        variants=variants,
        overlay=clock.overlay,
    )
    rows = walk(state, CLAIM)
    assert all(r["updatedDate"].endswith(".0000000Z") for r in rows)
    wanted = [json.loads(v.raw, parse_float=Decimal) for v in clock.as_of("claim", clock.now) if v.context == ("1",)]
    assert rows == wanted
    assert violations(clock) == []


def spoiled(resource: str, change) -> list[str]:
    """What is found after one record of sound books was changed by hand."""
    clock = Clock(make_books(seed=5, claim_count=60), seed=5)
    clock.advance(3)
    for version in clock.as_of(resource, clock.now):
        record = version.record
        if change(record):
            clock.ledger.put(resource, version.context, record, int(clock.now.timestamp()))
            clock.ledger.freeze()
            return violations(clock)
    raise AssertionError("nothing to spoil")


def set_to(name: str, value: object, where=lambda record: True):
    def change(record: dict) -> bool:
        if not where(record):
            return False
        record[name] = value
        return True

    return change


def has_totals(record: dict) -> bool:
    return bool(record["transactionTotals"])


def spoil_total(record: dict) -> bool:
    if has_totals(record):
        record["transactionTotals"][0]["grossAmount"] += 1
        record["transactionTotals"][0]["netAmount"] += 1
    return has_totals(record)


@pytest.mark.parametrize(
    ("resource", "change", "says"),
    [
        ("claim", set_to("status", "Approved", lambda r: r["status"] == "Finalised"), "finalisedDate does not fit"),
        ("claim", set_to("status", "Paid", lambda r: r["status"] == "NotSubmitted"), "there is no status Paid"),
        ("claim", set_to("approvedDate", None, lambda r: r["status"] == "Approved"), "approvedDate does not fit"),
        ("claim", set_to("approvers", [], lambda r: r["status"] == "PendingApproval"), "approvers do not fit"),
        ("invoice", set_to("updatedDate", "2020-01-01T00:00:00Z"), "updated before it was created"),
        ("claim", spoil_total, "transactionTotals are not the sums"),
        ("invoice", spoil_total, "transactionTotals are not the sums"),
        ("expense", set_to("taxAmount", Decimal("0.01")), "gross is not net plus tax"),
        ("expense_split", set_to("percentage", 1), "do not add up"),
        ("expense", set_to("splitChildren", ["1:1"]), "parts are not those it names"),
        ("invoice_line", set_to("divisionId", "1"), "there is no division"),
        ("division", set_to("entityId", "1"), "there is no entity"),
        ("invoice", set_to("supplier", {"id": "1", "name": "", "code": ""}), "there is no supplier"),
        ("project", set_to("updatedDate", "2020-01-01T00:00:00Z"), "went back in time"),
    ],
)
def test_the_invariants_find_what_is_wrong(resource: str, change, says: str):
    """Each of them, so that their silence means something."""
    assert any(says in text for text in spoiled(resource, change))


def test_an_illegal_step_is_found():
    """From finalised straight back to pending."""

    def change(record: dict) -> bool:
        if record["status"] != "Finalised":
            return False
        record.update(status="PendingApproval", finalisedDate=None, approvedDate=None)
        record["approvers"][0]["approvedDate"] = None
        return True

    assert any("from Finalised to PendingApproval" in text for text in spoiled("claim", change))


def test_keys_beyond_the_columns_type_are_in_no_long_list():
    """Ids are looked up in the column's own type: what does not fit it is not there."""
    table = make_books(seed=1, claim_count=6000).tables["claim"]
    some = int(table.ids[3000])
    assert table.find(0, str(some)) == 3000
    for stranger in (1 << 31, (1 << 32) - 1, 1 << 32, some + (1 << 32)):
        assert table.find(0, str(stranger)) is None
