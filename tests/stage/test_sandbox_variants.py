"""Each switch for what is not documented, seen on the wire; limits of calls, and the end of a cursor's life."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sandbox_client import Client, Got, client_of, path_of

from pipeline.errors import ConfigError
from pipeline.resources import read_catalogue
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.cursors import Lifetime, Position
from pipeline.sandbox.quota import Quota
from pipeline.sandbox.routes import Refused
from pipeline.sandbox.variants import Variants, read_variants, switches

CLAIM = "/beta/company/1/claim"
NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)


@contextmanager
def varied(authority: Path, *variants: str, **settings: object) -> Iterator[tuple[Running, Client]]:
    """A sandbox with some variants, and a client of it."""
    chosen = SandboxSettings(state_dir=authority, claims=40, variants=read_variants(variants), **settings)
    with in_thread(chosen) as running, client_of(running) as client:
        yield running, client


@pytest.fixture(scope="module")
def plain(authority: Path) -> Iterator[Running]:
    with in_thread(SandboxSettings(state_dir=authority, claims=40)) as running:
        yield running


def claims(running: Running) -> list[dict]:
    return [record for _, record in running.records("claim", ("1",))]


@pytest.mark.parametrize(
    ("variant", "end"),
    [("null", b'],"nextCursor":null}'), ("missing", b"]}"), ("empty", b'],"nextCursor":""}')],
)
def test_the_end_of_a_list(authority: Path, plain: Running, variant: str, end: bytes):
    """Only the mark of the last page differs: the walk holds the same records."""
    with varied(authority, f"end_marker={variant}") as (_, client):
        body = client.get("/beta/company", {"limit": 1000}).body
        assert body.endswith(b"}" + end)
        assert b"nextCursor" in client.get(CLAIM, {"limit": 1}).body
        assert client.walk(CLAIM, limit=7) == claims(plain)


def refusals(client: Client) -> dict[int, Got]:
    return {
        400: client.get(CLAIM, {"colour": "red"}),
        401: client.get(CLAIM, Authorization="Bearer nobody"),
        404: client.get("/beta/company/1/nothing"),
        405: client.get(CLAIM, method="POST"),
        503: client.get("/beta/company/2/claim"),
    }


@pytest.mark.parametrize(
    ("variant", "kind"),
    [
        ("object", "application/json"),
        ("array", "application/json"),
        ("problem", "application/problem+json"),
        ("text", "text/plain; charset=utf-8"),
    ],
)
def test_the_body_of_an_error(authority: Path, variant: str, kind: str):
    """The same status, headers and message in four shapes, forced errors included."""
    with varied(authority, f"error_body={variant}") as (running, client):
        running.force("/beta/company/2", 503)
        for status, got in refusals(client).items():
            assert got.status == status
            assert got.headers["Content-Type"] == kind
            if variant == "text":
                message = got.body.decode()
            elif variant == "problem":
                assert got.json.keys() == {"title", "status", "detail"}
                assert got.json["status"] == status
                message = got.json["detail"]
            else:
                (one,) = got.json["errors"] if variant == "array" else (got.json,)
                assert one.keys() == {"code", "message"}
                message = one["message"]
            assert message.endswith(".")
            if status == 400:
                assert message == "colour is not allowed."
            assert got.headers["Allow"] == ("GET" if status == 405 else None)
            assert got.headers["WWW-Authenticate"] == ("Bearer" if status == 401 else None)


def test_companies_in_three_shapes(authority: Path, plain: Running):
    """A page, a bare array of all, or the first one alone; without pages there are no cursors to give back."""
    companies = [record for _, record in plain.records("company")]
    with varied(authority) as (_, client):
        assert client.get("/beta/company").json == {"page": companies, "nextCursor": None}
    with varied(authority, "company=array") as (running, client):
        assert client.get("/beta/company").json == companies
        assert client.get("/beta/company", {"limit": 1}).json == companies
        assert running.journal.counts.records == {"company": 4}
        running.inject("company", (), [{"companyId": "3"}])
        assert client.get("/beta/company").json == [*companies, {"companyId": "3"}]
        assert client.get("/beta/company", {"cursor": "x"}).status == 400
        assert client.get("/beta/company", {"limit": "x"}).status == 400
        assert client.walk(CLAIM) == claims(plain)
    with varied(authority, "company=object") as (running, client):
        assert client.get("/beta/company").json == companies[0]
        assert running.journal.counts.records == {"company": 1}


def test_dates_that_are_not_set_yet(authority: Path, plain: Running):
    """Null by default; otherwise left out, or the first instant of 1970, nested ones too."""
    usual = claims(plain)
    assert any(record["approvedDate"] is None for record in usual)
    assert any(approver["approvedDate"] is None for record in usual for approver in record["approvers"])
    with varied(authority, "not_yet=missing") as (_, client):
        assert client.walk(CLAIM) == [without_nulls(record) for record in usual]
    with varied(authority, "not_yet=epoch") as (_, client):
        text = json.dumps(usual, default=str).replace('Date": null', 'Date": "1970-01-01T00:00:00Z"')
        assert json.loads(json.dumps(client.walk(CLAIM), default=str)) == json.loads(text)


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_seven_digits_of_a_second(authority: Path, plain: Running):
    """Every instant, and nothing else: the filters mean the same."""
    with varied(authority, "seven_digits=on") as (_, client):
        found = client.walk(CLAIM)
        text = json.dumps(found, default=str)
        assert text.count("Date") == json.dumps(claims(plain), default=str).count("Date")
        assert json.loads(text.replace('.0000000Z"', 'Z"')) == json.loads(json.dumps(claims(plain), default=str))
        bound = found[20]["updatedDate"]
        assert client.walk(CLAIM, {"minUpdatedDate": bound}) == [r for r in found if r["updatedDate"] >= bound]


def test_ids_as_numbers(authority: Path, plain: Running):
    """Keys and references made of digits, in lists and objects too; employee numbers and split ids stay texts."""
    with varied(authority, "number_ids=on") as (running, client):
        claim = client.walk(CLAIM)[0]
        usual = claims(plain)[0]
        assert claim["id"] == int(usual["id"])
        assert client.get(f"{CLAIM}/{claim['id']}").json == claim
        assert (claim["companyId"], claim["claimantId"]) == (1, int(usual["claimantId"]))
        assert claim["employeeNumber"] == usual["employeeNumber"]
        assert all(isinstance(approver["id"], int) for approver in claim["approvers"])
        assert client.get("/beta/company").json["page"][0]["companyId"] == 1
        assert all(isinstance(each, int) for r in client.walk("/beta/company/1/taxCode") for each in r["entityIds"])
        assert isinstance(client.walk("/beta/company/1/invoice")[0]["supplier"]["id"], int)
        context, split = running.records("expense_split")[0]
        assert split["id"] == f"{context[-1]}:1"
        path = path_of(read_catalogue()["expense_split"], context)
        assert client.walk(path)[0] == split


OLD_NAMES = {
    "claim": {"createdOn", "approvedOn", "finalisedOn", "description", "externalCode"},
    "supplier": {"createdOn", "approvedOn", "updatedOn"},
    "project": {"createdOn", "lastUpdatedOn"},
    "invoice": {"createdOn", "approvedOn", "finalisedOn", "description"},
    "expense": {"createdOn"},
    "invoice_line": {"createdOn"},
}


@pytest.mark.parametrize("resource", OLD_NAMES)
def test_names_of_the_oldest_documentation(authority: Path, plain: Running, resource: str):
    """Wherever the catalogue knows an older name it is sent, in the place and with the value of the newer one."""
    usual = plain.records(resource)
    with varied(authority, "names=old") as (_, client):
        context = usual[0][0]
        found = client.walk(path_of(read_catalogue()[resource], context))
    wanted = [record for where, record in usual if where == context]
    assert OLD_NAMES[resource] <= found[0].keys()
    assert set(found[0]) - set(wanted[0]) == OLD_NAMES[resource]
    for old, new in zip(found, wanted, strict=True):
        assert json.dumps(list(old.values()), default=str).replace('"currency"', '"currencyCode"') == json.dumps(
            list(new.values()), default=str
        ).replace('"currency"', '"currencyCode"')


def test_one_total_as_in_the_oldest_documentation(authority: Path, plain: Running):
    """An object `total` where claims and invoices have lists; with the old names its currency is `currency`."""
    with varied(authority, "totals=single", "names=old") as (_, client):
        found = client.walk(CLAIM)
        invoice = client.walk("/beta/company/1/invoice")[0]
    for claim, usual in zip(found, claims(plain), strict=True):
        assert not {"claimCurrencyTotals", "transactionTotals"} & claim.keys()
        first = usual["claimCurrencyTotals"][0] if usual["claimCurrencyTotals"] else None
        assert claim["total"] == (
            first and {"currency" if name == "currencyCode" else name: value for name, value in first.items()}
        )
    assert list(invoice["total"]) == ["grossAmount", "netAmount", "taxAmount", "currency"]


def test_a_limit_above_the_cap(authority: Path):
    """The greatest page by default; refused, when switched, with the documented words."""
    with varied(authority, page_cap=5) as (_, client):
        assert len(client.get(CLAIM, {"limit": 6}).json["page"]) == 5
    with varied(authority, "over_cap=refuse", page_cap=5) as (_, client):
        assert len(client.get(CLAIM, {"limit": 5}).json["page"]) == 5
        refused = client.get(CLAIM, {"limit": 6})
        assert refused.status == 400
        assert refused.json["message"].startswith("Invalid number format - ")


def test_compression(authority: Path):
    """For who accepts it, unless switched off."""
    with varied(authority) as (_, client):
        packed = client.get(CLAIM, **{"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == client.get(CLAIM).body
    with varied(authority, "gzip=off") as (_, client):
        assert client.get(CLAIM, **{"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None


def test_variants_go_together(authority: Path, plain: Running):
    """All at once: as many records, by the same keys."""
    every = [f"{switch.name}={switch.values[-1]}" for switch in switches() if switch.name != "company"]
    with varied(authority, *every) as (_, client):
        assert [str(record["id"]) for record in client.walk(CLAIM)] == [record["id"] for record in claims(plain)]


def test_by_default_nothing_is_rewritten(plain: Running):
    """The books serve their own text: switches cost nothing while they are off."""
    assert plain.settings.variants == Variants()
    assert not Variants().change_records
    assert {Variants(**{s.name: v}).change_records for s in switches() for v in s.values} == {True, False}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("end_markr=null", "did you mean 'end_marker'?"),
        ("end_marker=nul", "did you mean 'null'?"),
        ("end_marker", "NAME=VALUE"),
        ("=", "there is no variant"),
        ("company=", "page, array, object"),
    ],
)
def test_what_is_no_variant_is_refused(written: str, told: str):
    """With the nearest that is one."""
    with pytest.raises(ConfigError, match=r"variant|one of") as caught:
        read_variants([written])
    assert told in caught.value.what


def test_a_variant_is_chosen_once():
    """Twice could mean either."""
    with pytest.raises(ConfigError, match="twice"):
        read_variants(["gzip=on", "gzip=off"])
    assert read_variants(["gzip=off", "names=old"]) == Variants(gzip="off", names="old")


def test_the_command_line_lists_and_refuses_variants(prospend):
    """Every switch with its values, the default first, and its meaning; an unknown one is a configuration error."""
    listed = json.loads(prospend("sandbox", "variants", "--json").out)
    assert [one["name"] for one in listed] == [switch.name for switch in switches()]
    assert all(one["default"] == one["values"][0] == getattr(Variants(), one["name"]) for one in listed)
    shown = prospend("sandbox", "variants").out
    assert all(f"{one['name']}={one['default']} (default)" in shown and one["about"] in shown for one in listed)
    refused = prospend("sandbox", "serve", "--variant", "nams=old")
    assert refused.code == 10
    assert "did you mean 'names'?" in refused.lines["WHAT"]


def test_cursors_expire_by_pages(authority: Path, plain: Running):
    """So many pages of a walk can be reached; the next cursor gets 400, and a walk from the beginning works again."""
    with varied(authority, cursor_lifetime_pages=2) as (_, client):
        for _ in range(2):
            cursor: dict[str, object] = {}
            seen = []
            for _ in range(3):
                body = client.get(CLAIM, {"limit": 4, **cursor}).json
                seen += body["page"]
                cursor = {"cursor": body["nextCursor"]}
            assert seen == claims(plain)[:12]
            expired = client.get(CLAIM, {"limit": 4, **cursor})
            assert expired.status == 400
            assert "expired" in expired.json["message"]


def test_cursors_expire_by_time():
    """After its seconds a cursor is too old; without a lifetime it carries no time, so that pages repeat exactly."""
    life = Lifetime(seconds=60)
    page, issued_s = life.stamp(1, 1_000)
    position = Position(7, 0, page, issued_s)
    life.check(position, 1_060)
    with pytest.raises(Refused) as caught:
        life.check(position, 1_061)
    assert caught.value.status == 400
    assert Lifetime().stamp(9, 1_000) == (0, 0)
    Lifetime().check(Position(7), 1 << 31)


def test_a_cursor_remembers_when_it_was_given_out(authority: Path, plain: Running):
    """With a lifetime in seconds a walk within it is whole, and its cursors are its own."""
    with varied(authority, cursor_lifetime_s=3600) as (_, client):
        assert client.walk(CLAIM, limit=9) == claims(plain)
        timed = client.get(CLAIM, {"limit": 4}).json["nextCursor"]
    with client_of(plain) as untimed:
        assert untimed.get(CLAIM, {"limit": 4}).json["nextCursor"] != timed


def test_beyond_the_hourly_limit_there_is_429(authority: Path):
    """With the seconds to wait; refused requests cost nothing, and those without a good token are not counted."""
    with varied(authority, hourly_limit=3) as (running, client):
        assert client.get(CLAIM, Authorization="").status == 401
        assert [client.get(CLAIM).status for _ in range(5)] == [200, 200, 200, 429, 429]
        limited = client.get(CLAIM)
        assert 3500 < int(limited.headers["Retry-After"]) <= 3600
        assert limited.json["code"] == "TOO_MANY_REQUESTS"
        assert client.get("/openapi.yaml", Authorization="").status == 200
        assert running.journal.counts.statuses[429] == 3


def test_both_limits_count_in_rolling_windows():
    """An hour after the first of the hour's requests there is room again, until the month is used up."""
    quota = Quota(hourly=2, monthly=3)
    assert [quota.spend(NOW + timedelta(minutes=m)) for m in (0, 20, 30)] == [0, 0, 1800]
    assert quota.spend(NOW + timedelta(minutes=60)) == 0
    assert quota.spend(NOW + timedelta(days=2)) == (30 - 2) * 24 * 3600
    assert quota.spend(NOW + timedelta(days=30)) == 0
    assert Quota(hourly=None, monthly=None).spend(NOW) == 0
