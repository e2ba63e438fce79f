"""What the sandbox answers, asked without sockets: paths, filters, pages, cursors, errors, tests' overrides."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import jwt
import pytest

from pipeline.resources import read_catalogue
from pipeline.sandbox.answer import Forced, State, answer, error
from pipeline.sandbox.data import make_books
from pipeline.sandbox.model import Reply, Request
from pipeline.sandbox.oracle import records
from pipeline.sandbox.routes import make_routes
from pipeline.sandbox.tokens import Entry, Gate

NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
SECRET = bytes(range(32))


def signed(**changes: object) -> str:
    claims = {"sub": "a", "iat": 1, "exp": int((NOW + timedelta(days=1)).timestamp()), "jti": "t1", "site": "sandbox"}
    return jwt.encode({k: v for k, v in {**claims, **changes}.items() if v is not None}, SECRET, algorithm="HS256")


def entry(text: str) -> Entry:
    return Entry("t1", "", hashlib.sha256(text.encode()).hexdigest(), NOW, NOW + timedelta(days=1))


@cache
def state() -> State:
    return State(
        books=make_books(seed=3, claim_count=300),
        routes=make_routes(read_catalogue()),
        gate=Gate(SECRET, {"t1": entry(signed())}),
        cursor_key=b"k" * 32,
        page_cap=1000,
    )


def ask(target: str, *, using: State | None = None, method: str = "GET", token: str | None = "good") -> Reply:
    path, _, query = target.partition("?")
    pairs = tuple(tuple(pair.split("=", 1)) for pair in query.split("&") if pair)
    headers = {} if token is None else {"authorization": f"Bearer {signed() if token == 'good' else token}"}
    request = Request(method, target, tuple(path[1:].split("/")), pairs, headers, NOW)
    given = answer(request, using or state())
    assert isinstance(given, Reply)
    return given


def page(target: str, **options: object) -> dict:
    given = ask(target, **options)
    assert given.status == 200, given.body
    return json.loads(given.body)


def ids(target: str, **options: object) -> list[str]:
    return [record["id"] for record in page(target, **options)["page"]]


def walk(target: str, limit: int, **options: object) -> list[dict]:
    found, cursor = [], ""
    while cursor is not None:
        mark = "&" if "?" in target else "?"
        answered = page(f"{target}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else ""), **options)
        found += answered["page"]
        cursor = answered["nextCursor"]
    return found


ALL = "limit=1000"
CLAIM = "/beta/company/1/claim"
INVOICE = "/beta/company/1/invoice"


@pytest.mark.parametrize("resource", read_catalogue().names)
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_walk_gives_what_the_books_hold_in_order(resource: str, limit: int):
    """Following nextCursor to null reads a list whole, whatever the limit: no record twice, none left out."""
    held = records(state(), resource, None, {})
    context = held[0][0]
    path = read_catalogue()[resource].path.replace("{version}", "beta")
    for name, key in zip(read_catalogue()[resource].context_names, context, strict=True):
        path = path.replace(f"{{{name}}}", key)
    wanted = [record for where, record in held if where == context]
    assert json.loads(json.dumps(walk(path, limit))) == json.loads(json.dumps(wanted, default=float))


def test_pages_hold_ten_records_unless_asked_otherwise():
    """The documented default."""
    answered = page(CLAIM)
    assert len(answered["page"]) == 10
    assert isinstance(answered["nextCursor"], str)


def test_a_limit_above_the_cap_is_the_cap():
    """Silently, as the cap is not documented."""
    capped = dataclasses.replace(state(), page_cap=25)
    assert len(page(f"{CLAIM}?limit=100000000", using=capped)["page"]) == 25
    assert len(page(CLAIM, using=dataclasses.replace(state(), page_cap=3))["page"]) == 3


@pytest.mark.parametrize("limit", ["ten", "", "1.5", "-1", "0", "1e3", "٣", "9" * 30])
def test_a_limit_that_is_no_positive_whole_number_gets_400(limit: str):
    """With the documented words."""
    given = ask(f"{CLAIM}?limit={limit}")
    assert given.status == 400
    assert json.loads(given.body)["message"].startswith("Invalid number format - ")


@pytest.mark.parametrize("status", ["None", "NotSubmitted", "PendingApproval", "Approved", "Finalised", "Rejected"])
@pytest.mark.parametrize("path", [CLAIM, INVOICE])
def test_status_leaves_that_status(path: str, status: str):
    """Exactly the records with it, in the order of the whole list."""
    wanted = [r["id"] for r in walk(path, 1000) if r["status"] == status]
    assert [r["id"] for r in walk(f"{path}?status={status}", 3)] == wanted
    if status == "Finalised":
        assert wanted


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (CLAIM, "updatedDate"),
        (INVOICE, "updatedDate"),
        ("/beta/company/1/project?IncludeInactive=true", "updatedDate"),
        ("/beta/company/1/portfolio?includeInactive=true", "updatedDate"),
    ],
)
def test_min_updated_date_is_inclusive(path: str, field: str):
    """From an instant on, and including it; a fraction later excludes it; offsets and plain dates are understood."""
    mark = "&" if "?" in path else "?"
    everything = walk(path, 1000)
    bound = everything[len(everything) // 2][field]
    wanted = [r["id"] for r in everything if r[field] >= bound]
    assert ids(f"{path}{mark}minUpdatedDate={bound}&{ALL}") == wanted
    later = [r["id"] for r in everything if r[field] > bound]
    assert ids(f"{path}{mark}minUpdatedDate={bound[:-1]}.5Z&{ALL}") == later
    shifted = datetime.fromisoformat(bound).astimezone(ZoneInfo("Australia/Sydney"))
    assert ids(f"{path}{mark}minUpdatedDate={shifted.isoformat()}&{ALL}") == wanted
    assert ids(f"{path}{mark}minUpdatedDate={bound[:10]}&{ALL}") == [
        r["id"] for r in everything if r[field] >= f"{bound[:10]}T00:00:00Z"
    ]


def test_finalised_date_means_on_or_after():
    """Only finalised documents, from that day on."""
    everything = walk(CLAIM, 1000)
    day = sorted(r["finalisedDate"] for r in everything if r["finalisedDate"])[50][:10]
    wanted = [r["id"] for r in everything if (r["finalisedDate"] or "") >= day]
    assert ids(f"{CLAIM}?finalisedDate={day}&{ALL}") == wanted
    assert 0 < len(wanted) < len(everything)
    assert ids(f"{CLAIM}?finalisedDate=0001-01-01&{ALL}") == [r["id"] for r in everything if r["finalisedDate"]]
    assert ids(f"{CLAIM}?finalisedDate=9999-12-31&{ALL}") == []


def test_supplier_id_leaves_that_suppliers_invoices():
    """By the supplier's own id."""
    everything = walk(INVOICE, 1000)
    supplier = everything[5]["supplier"]["id"]
    wanted = [r["id"] for r in everything if r["supplier"]["id"] == supplier]
    assert ids(f"{INVOICE}?supplierId={supplier}&{ALL}") == wanted
    assert ids(f"{INVOICE}?supplierId=nobody&{ALL}") == []


@pytest.mark.parametrize("name", ["IncludeInactive", "includeInactive", "includeinactive"])
@pytest.mark.parametrize("kind", ["entity", "division", "taxCode", "project", "portfolio"])
def test_inactive_rows_show_when_asked_for_in_any_case(kind: str, name: str):
    """Left out by default, whichever way the parameter is spelled."""

    def is_active(record: dict) -> bool:
        return record["active"] if "active" in record else record["status"] == "active"

    everything = page(f"/beta/company/1/{kind}?{name}=true&{ALL}")["page"]
    assert not all(is_active(r) for r in everything)
    active = [r for r in everything if is_active(r)]
    assert page(f"/beta/company/1/{kind}?{ALL}")["page"] == active
    assert page(f"/beta/company/1/{kind}?{name}=FALSE&{ALL}")["page"] == active


def test_suppliers_are_the_active_ones_unless_the_others_are_asked_for():
    """The default is true; false gives the others alone."""
    active = page(f"/beta/company/1/supplier?{ALL}")["page"]
    others = page(f"/beta/company/1/supplier?active=false&{ALL}")["page"]
    assert {r["isActive"] for r in active} == {True}
    assert {r["isActive"] for r in others} <= {False}
    assert page(f"/beta/company/1/supplier?active=true&{ALL}")["page"] == active


def test_tax_codes_by_entity_and_category():
    """Both filters, alone and together."""
    everything = page(f"/beta/company/1/taxCode?includeInactive=true&{ALL}")["page"]
    by_entity = [r for r in everything if "50" in r["entityIds"]]
    assert page(f"/beta/company/1/taxCode?includeInactive=true&entityId=50&{ALL}")["page"] == by_entity
    capital = [r for r in everything if r["category"] == "CAPITAL"]
    assert page(f"/beta/company/1/taxCode?category=CAPITAL&{ALL}")["page"] == capital
    assert page(f"/beta/company/1/taxCode?category=CAPITAL&entityId=nothing&{ALL}")["page"] == []
    assert 0 < len(by_entity) < len(everything)


def test_projects_by_portfolio_and_cost_code():
    """A portfolioCode is the code of a portfolio the project belongs to."""
    portfolios = page(f"/beta/company/1/portfolio?includeInactive=true&{ALL}")["page"]
    everything = page(f"/beta/company/1/project?IncludeInactive=true&{ALL}")["page"]
    chosen = next(p for p in portfolios if any(p["id"] in r["portfolio"] for r in everything))
    wanted = [r for r in everything if chosen["id"] in r["portfolio"]]
    code = chosen["portfolioCode"]
    assert page(f"/beta/company/1/project?IncludeInactive=true&portfolioCode={code}&{ALL}")["page"] == wanted
    by_cost = [r for r in everything if r["costCode"] == "CC13"]
    assert page(f"/beta/company/1/project?IncludeInactive=true&costCode=CC13&{ALL}")["page"] == by_cost
    by_entity = [p for p in portfolios if p["entityId"] == chosen["entityId"]]
    asked = f"/beta/company/1/portfolio?includeInactive=true&entityId={chosen['entityId']}"
    assert page(f"{asked}&{ALL}")["page"] == by_entity
    assert page(f"{asked}&portfolioCode={code}&{ALL}")["page"] == [chosen]


@pytest.mark.parametrize(
    ("resource", "switches"),
    [("expense", ["isPersonal", "isOmitted"]), ("invoice_line", ["isOmitted"])],
)
def test_personal_and_omitted_lines_show_only_when_asked_for(resource: str, switches: list[str]):
    """Each flag lets its own kind in and no other."""
    every = {name.replace("is", "include"): "true" for name in switches}
    everything = records(state(), resource, None, every)
    plain = [pair for pair in everything if not any(pair[1][name] for name in switches)]
    assert records(state(), resource, None, {}) == plain
    for name in switches:
        others = [other for other in switches if other != name]
        wanted = [pair for pair in everything if not any(pair[1][other] for other in others)]
        assert len(wanted) > len(plain)
        assert records(state(), resource, None, {name.replace("is", "include"): "true"}) == wanted
        context, record = next(pair for pair in everything if pair[1][name] and not any(pair[1][o] for o in others))
        parent = read_catalogue()[resource].path.replace("{version}", "beta").replace("{companyId}", context[0])
        path = parent.replace("{claimId}", context[1]).replace("{invoiceId}", context[1])
        assert record["id"] not in ids(f"{path}?{ALL}")
        assert record["id"] in ids(f"{path}?{name.replace('is', 'include')}=true&{ALL}")


@pytest.mark.parametrize("resource", [r.name for r in read_catalogue() if r.has_single])
def test_one_record_can_be_read_by_its_key(resource: str):
    """The same object as in the list, hidden ones included; 404 for another's and for none."""
    catalogued = read_catalogue()[resource]
    context, record = records(state(), resource, None, {})[-1]
    path = catalogued.path.replace("{version}", "beta")
    for name, key in zip(catalogued.context_names, context, strict=True):
        path = path.replace(f"{{{name}}}", key)
    assert page(f"{path}/{record['id']}") == json.loads(json.dumps(record, default=float))
    for stranger in ("0", "x", "-1", f"0{record['id']}", "9" * 40, "٣", ""):
        assert ask(f"{path}/{stranger}").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/beta",
        "/v1/company",
        "/beta/companies",
        "/beta/company/3/claim",
        "/beta/company/01/claim",
        "/beta/company/1/claims",
        "/beta/company/1/claim/1/expense",
        "/beta/company/1/claim//expense",
        "/beta/company/1/project/1/wbs/2",
        "/beta/company/",
    ],
)
def test_what_does_not_exist_gets_404(path: str):
    """Unknown paths, versions, companies and parents."""
    given = ask(path)
    assert given.status == 404
    assert json.loads(given.body)["code"] == "RESOURCE_NOT_FOUND"


def test_children_live_under_their_own_parent_alone():
    """A claim of company 1 has no expenses under company 2."""
    (company, claim), _ = records(state(), "expense", None, {})[0]
    assert page(f"/beta/company/{company}/claim/{claim}/expense")["page"]
    assert ask(f"/beta/company/2/claim/{claim}/expense").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get"])
def test_only_get_is_allowed(method: str):
    """Everything else gets 405 and is told what is allowed."""
    given = ask(CLAIM, method=method)
    assert given.status == 405
    assert ("Allow", "GET") in given.headers


@pytest.mark.parametrize(
    "query",
    [
        "status=finalised",
        "status=",
        "finalisedDate=soon",
        "minUpdatedDate=",
        "minUpdatedDate=2026-13-01",
        "minUpdatedDate=1",
    ],
)
def test_values_that_do_not_fit_get_400(query: str):
    """Not in the enumeration, or not a date."""
    assert ask(f"{CLAIM}?{query}").status == 400


def test_flags_are_true_or_false():
    """And nothing else."""
    assert ask("/beta/company/1/entity?IncludeInactive=yes").status == 400


@pytest.mark.parametrize(("path", "name"), [(CLAIM, "foo"), (CLAIM, "supplierId"), ("/beta/company", "status")])
def test_parameters_a_list_does_not_take_are_not_allowed(path: str, name: str):
    """Named in the documented text."""
    given = ask(f"{path}?{name}=1")
    assert given.status == 400
    assert json.loads(given.body) == {"code": "BAD_REQUEST", "message": f"{name} is not allowed."}


def test_a_cursor_is_good_for_its_own_list_and_filters_alone():
    """Tampered, foreign and borrowed cursors get 400; the limit may change between pages."""
    cursor = page(f"{CLAIM}?limit=2")["nextCursor"]
    assert len(ids(f"{CLAIM}?limit=5&cursor={cursor}")) == 5
    for target in (
        f"{CLAIM}?cursor=ez438tjgowjr0",
        f"{CLAIM}?cursor={cursor[:-1]}{'A' if cursor[-1] != 'A' else 'B'}",
        f"{CLAIM}?cursor={'A' if cursor[0] != 'A' else 'B'}{cursor[1:]}",
        f"{CLAIM}?cursor={cursor}AAAA",
        f"{CLAIM}?status=Finalised&cursor={cursor}",
        f"/beta/company/2/claim?cursor={cursor}",
        f"{INVOICE}?cursor={cursor}",
        f"{CLAIM}?cursor=%F0%9F%92%A5",
    ):
        assert ask(target).status == 400, target
    other_key = dataclasses.replace(state(), cursor_key=b"x" * 32)
    assert ask(f"{CLAIM}?cursor={cursor}", using=other_key).status == 400


def test_the_same_question_gets_the_same_bytes():
    """Cursors included."""
    assert ask(f"{CLAIM}?limit=3").body == ask(f"{CLAIM}?limit=3").body


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "x",
        signed(jti="other"),
        signed(site="elsewhere"),
        signed(exp=None),
        signed(jti=None),
        signed(exp=int(NOW.timestamp())),
        jwt.encode({"sub": "a", "iat": 1, "exp": 2_000_000_000, "jti": "t1", "site": "sandbox"}, b"y" * 32),
        jwt.encode(
            {"sub": "a", "iat": 1, "exp": 2_000_000_000, "jti": "t1", "site": "sandbox"}, None, algorithm="none"
        ),
        jwt.encode({"sub": "a", "iat": 1, "exp": 2_000_000_000, "jti": "t1"}, SECRET * 2, algorithm="HS512"),
        signed()[:-2] + ("AA" if signed()[-2:] != "AA" else "BB"),
    ],
)
def test_without_a_good_token_there_is_nothing(token: str | None):
    """401 on every path, existing or not, whatever the method."""
    for path, method in ((CLAIM, "GET"), ("/beta/nothing", "GET"), (CLAIM, "POST")):
        given = ask(path, token=token, method=method)
        assert given.status == 401
        assert json.loads(given.body)["message"] == (
            "Authentication failed. Please check your credentials and try again."
        )


def test_expiry_is_looked_at_on_every_request():
    """A token admitted once is out when its time has come."""
    gate = Gate(SECRET, {"t1": entry(signed())})
    assert gate.admits(f"Bearer {signed()}", NOW)
    assert gate.admits(f"bearer {signed()}", NOW)
    assert not gate.admits(f"Bearer {signed()}", NOW + timedelta(days=1))
    assert not gate.admits(f"Basic {signed()}", NOW)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BAD_REQUEST"),
        (401, "UNAUTHORIZED"),
        (403, "ACCESS_FORBIDDEN"),
        (404, "RESOURCE_NOT_FOUND"),
        (405, "METHOD_NOT_ALLOWED"),
        (409, "RESOURCE_CONFLICT"),
        (500, "INTERNAL_SERVER_ERROR"),
        (503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_the_eight_documented_errors(status: int, code: str):
    """Each with its name and a text, for every path under a forced prefix and no other."""
    forced = dataclasses.replace(state(), forced=(Forced("/beta/company/1/claim", error(status)),))
    given = ask(f"{CLAIM}/7/expense", using=forced, token=None)
    assert given.status == status
    assert json.loads(given.body)["code"] == code
    assert json.loads(given.body)["message"]
    assert ask(INVOICE, using=forced).status == 200


def test_injected_records_stand_at_the_end_of_their_list():
    """Across page borders, byte for byte, in that list alone; their own lists exist and are empty."""
    extra = (b'{"id":"x1","odd":0.10}', b'{"id":"x2","grossAmount":"ten"}', b"not json")
    at = ("claim", ("1",))
    using = dataclasses.replace(state(), injected={at: extra}, parents={at: {"x1": extra[0]}})
    count = len(walk(CLAIM, 1000))
    last = ask(f"{CLAIM}?limit={count}", using=using)
    assert b"x1" not in last.body
    cursor = json.loads(last.body)["nextCursor"]
    after = ask(f"{CLAIM}?limit=2&cursor={cursor}", using=using)
    assert after.body.startswith(b'{"page":[' + extra[0] + b"," + extra[1] + b'],"nextCursor":"')
    end = ask(f"{CLAIM}?limit=2&cursor={json.loads(after.body)['nextCursor']}", using=using)
    assert end.body == b'{"page":[not json],"nextCursor":null}'
    assert b"x1" not in ask("/beta/company/2/claim?limit=1000", using=using).body
    assert page(f"{CLAIM}/x1/expense", using=using) == {"page": [], "nextCursor": None}
    assert page(f"{CLAIM}/x1", using=using)["odd"] == 0.1
    assert ask(f"{CLAIM}/x2/expense", using=using).status == 404
