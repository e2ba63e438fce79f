"""Every documented parameter of every list changes the answer as documented, asked over the wire.

What must come is worked out here, from all records the books hold and the documented meaning of the parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import Client, client_of, path_of

from pipeline.resources import Resource, read_catalogue
from pipeline.sandbox import Running, SandboxSettings, in_thread

CATALOGUE = read_catalogue()
Record = dict[str, Any]
Context = tuple[str, ...]
WIDE = ("includeinactive", "includepersonal", "includeomitted")


@dataclass(frozen=True)
class Case:
    """What a parameter means: which records a value keeps, values worth trying, and the value that is the default."""

    keeps: Callable[[Record, str], bool]
    values: Callable[[list[Record]], list[str]]
    default: str | None = None


def is_active(record: Record) -> bool:
    return record["active"] if "active" in record else record["status"] == "active"


def some(field: str) -> Callable[[list[Record]], list[str]]:
    """The value of a record in the middle, and one that no record has."""
    return lambda records: [records[len(records) // 2][field], "nothing-has-this"]


def on_or_after(field: str) -> Case:
    def values(records: list[Record]) -> list[str]:
        set_ones = sorted(r[field] for r in records if r[field])
        middle = set_ones[len(set_ones) // 2] if set_ones else "2026-01-01T00:00:00Z"
        return [middle, middle[:10], "1999-12-31", "2037-01-01"]

    return Case(lambda r, v: bool(r[field]) and r[field] >= (v if "T" in v else f"{v}T00:00:00Z"), values)


def flag(keeps: Callable[[Record, bool], bool], *, default: str = "false") -> Case:
    return Case(lambda r, v: keeps(r, v == "true"), lambda _: ["true", "false"], default)


INACTIVE = flag(lambda r, on: on or is_active(r))
STATUS = Case(lambda r, v: r["status"] == v, lambda _: list(CATALOGUE["claim"].column("status").values))
UPDATED = on_or_after("updatedDate")
FINALISED = on_or_after("finalisedDate")
OMITTED = flag(lambda r, on: on or not r["isOmitted"])
PORTFOLIO_CODES: dict[str, str] = {}  # by portfolio, filled by the fixture: a project knows its portfolios by id

CASES: dict[tuple[str, str], Case] = {
    ("entity", "IncludeInactive"): INACTIVE,
    ("division", "includeInactive"): INACTIVE,
    ("tax_code", "includeInactive"): INACTIVE,
    ("tax_code", "entityId"): Case(
        lambda r, v: v in r["entityIds"],
        lambda records: [entity for r in records for entity in r["entityIds"]] + ["0"],
    ),
    ("tax_code", "category"): Case(lambda r, v: r["category"] == v, some("category")),
    ("supplier", "active"): flag(lambda r, on: r["isActive"] is on, default="true"),
    ("project", "IncludeInactive"): INACTIVE,
    ("project", "portfolioCode"): Case(
        lambda r, v: v in {PORTFOLIO_CODES[each] for each in r["portfolio"]},
        lambda records: [PORTFOLIO_CODES[each] for r in records[:5] for each in r["portfolio"]] + ["none"],
    ),
    ("project", "costCode"): Case(lambda r, v: r["costCode"] == v, some("costCode")),
    ("project", "minUpdatedDate"): UPDATED,
    ("portfolio", "includeInactive"): INACTIVE,
    ("portfolio", "entityId"): Case(lambda r, v: r["entityId"] == v, some("entityId")),
    ("portfolio", "portfolioCode"): Case(lambda r, v: r["portfolioCode"] == v, some("portfolioCode")),
    ("portfolio", "minUpdatedDate"): UPDATED,
    ("claim", "finalisedDate"): FINALISED,
    ("claim", "status"): STATUS,
    ("claim", "minUpdatedDate"): UPDATED,
    ("expense", "includePersonal"): flag(lambda r, on: on or not r["isPersonal"]),
    ("expense", "includeOmitted"): OMITTED,
    ("expense", "minUpdatedDate"): UPDATED,
    ("invoice", "finalisedDate"): FINALISED,
    ("invoice", "status"): STATUS,
    ("invoice", "supplierId"): Case(
        lambda r, v: r["supplier"]["id"] == v, lambda records: [records[len(records) // 2]["supplier"]["id"], "0"]
    ),
    ("invoice", "minUpdatedDate"): UPDATED,
    ("invoice_line", "includeOmitted"): OMITTED,
    ("invoice_line", "minUpdatedDate"): UPDATED,
}
EACH = [(resource.name, name) for resource in CATALOGUE for name in resource.filters]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state_dir: Path = tmp_path_factory.mktemp("state")
    with in_thread(SandboxSettings(state_dir=state_dir, claims=400)) as found:
        portfolios = found.records("portfolio", includeInactive="true")
        PORTFOLIO_CODES.update({record["id"]: record["portfolioCode"] for _, record in portfolios})
        yield found


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    with client_of(running) as found:
        yield found


def wide(resource: Resource, *, but: str = "") -> dict[str, str]:
    """The flags of a list that let more records in, switched on."""
    return {name: "true" for name in resource.filters if name.lower() in WIDE and name != but}


def held_lists(running: Running, resource: Resource) -> dict[Context, list[Record]]:
    """All records by list, in order, whatever the flags."""
    held = running.records(resource.name, **wide(resource))
    if resource.name == "supplier":
        held += running.records("supplier", active="false")
    lists: dict[Context, list[Record]] = {}
    for context, record in held:
        lists.setdefault(context, []).append(record)
    return {context: sorted(records, key=place) for context, records in lists.items()}


def place(record: Record) -> tuple[str, list[int]]:
    """Where a record stands in its list: by last update, ties by id."""
    key = record.get("id") or record["companyId"]
    return record.get("updatedDate", ""), [int(number) for number in key.split(":")]


@pytest.mark.parametrize(("name", "parameter"), EACH, ids=str)
def test_a_parameter_keeps_what_its_meaning_says(running: Running, client: Client, name: str, parameter: str):
    """For each value the records it should keep and no others, in order, and for one value not all of them."""
    resource, case = CATALOGUE[name], CASES[name, parameter]
    other = wide(resource, but=parameter)
    context, records = next(
        (context, records)
        for context, records in held_lists(running, resource).items()
        if any(0 < sum(case.keeps(r, v) for r in records) < len(records) for v in case.values(records))
    )
    path = path_of(resource, context)
    answers = set()
    for value in dict.fromkeys(case.values(records)):
        wanted = [record for record in records if case.keeps(record, value)]
        assert client.walk(path, {**other, parameter: value}) == wanted, value
        assert client.walk(path, {**other, parameter.swapcase(): value}) == wanted, value
        answers.add(tuple(record["id"] for record in wanted))
        if value == case.default:
            assert client.walk(path, other) == wanted
    assert len(answers) > 1
    if case.default is None:
        assert client.walk(path, other) == records


@pytest.mark.parametrize(("name", "parameter"), EACH, ids=str)
def test_a_parameter_given_twice_or_to_another_list_is_not_allowed(
    running: Running, client: Client, name: str, parameter: str
):
    """With the documented words; a list takes its own parameters alone."""
    resource = CATALOGUE[name]
    value = "true" if parameter.lower() in (*WIDE, "active") else "2026-01-01"
    if parameter == "status":
        value = "Approved"
    context = next(iter(held_lists(running, resource)))
    twice = client.get(f"{path_of(resource, context)}?{parameter}={value}&{parameter.lower()}={value}")
    stranger = client.get("/beta/company", {parameter: value})
    for refused, named in ((twice, parameter.lower()), (stranger, parameter)):
        assert refused.status == 400
        assert refused.json == {"code": "BAD_REQUEST", "message": f"{named} is not allowed."}


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_lists_ascend_by_last_update_with_ties_by_id(running: Running, client: Client, name: str):
    """Every list of the longest few, as it comes."""
    resource = CATALOGUE[name]
    lists = sorted(held_lists(running, resource).items(), key=lambda pair: -len(pair[1]))[:2]
    for context, records in lists:
        served = client.walk(path_of(resource, context), wide(resource))
        assert served == [record for record in records if record.get("isActive", True)]
        assert [place(record) for record in served] == sorted(place(record) for record in served)


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_limit_and_cursor_cut_a_list_into_pages(running: Running, client: Client, name: str):
    """As many records as asked for, ten unless asked; the next page begins where the last one ended."""
    resource = CATALOGUE[name]
    context, _ = max(held_lists(running, resource).items(), key=lambda pair: len(pair[1]))
    path, query = path_of(resource, context), wide(resource)
    everything = client.walk(path, query, limit=1000)
    assert client.get(path, query).json["page"] == everything[:10]
    first = client.get(path, {**query, "limit": 1})
    assert first.json["page"] == everything[:1]
    cursor = first.json["nextCursor"]
    assert client.get(path, {**query, "limit": 2, "cursor": cursor}).json["page"] == everything[1:3]
    assert client.get(path, {**query, "LIMIT": 2, "Cursor": cursor}).json["page"] == everything[1:3]
    assert client.get(path, {"limit": 2, "cursor": cursor[:-1]}).status == 400
    for parameter in resource.filters:
        changed = {"true": "false"}.get(query.get(parameter, ""), "true")
        if parameter.lower() in (*WIDE, "active"):
            changed = "false"
        elif parameter == "status":
            changed = "Approved"
        elif parameter.endswith("Date"):
            changed = "2001-01-01"
        assert client.get(path, {**query, parameter: changed, "cursor": cursor}).status == 400, parameter


@pytest.mark.parametrize("name", [resource.name for resource in CATALOGUE if resource.has_single])
def test_a_single_record_takes_no_parameters(running: Running, client: Client, name: str):
    """It is the record of the list, and a query is refused."""
    resource = CATALOGUE[name]
    context, records = next(iter(held_lists(running, resource).items()))
    path = f"{path_of(resource, context)}/{records[0]['id']}"
    assert client.get(path).json == records[0]
    for parameter in ("limit", "cursor", *resource.filters):
        assert client.get(path, {parameter: "1"}).status == 400


def test_every_documented_parameter_has_a_case():
    """And the catalogue spells each as the reference does."""
    assert set(EACH) == set(CASES)
