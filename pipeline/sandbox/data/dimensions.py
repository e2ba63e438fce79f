"""The group's companies and what is coded against: entities, cost centres, tax codes, portfolios, projects, suppliers.

These are some hundred to some thousand rows and are kept as plain objects; claims and invoices are not (see there).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from pipeline.sandbox.data import names
from pipeline.sandbox.data.draw import Draws, Ints, Mask
from pipeline.sandbox.data.suppliers import Record, dates, draw_one, make_suppliers
from pipeline.sandbox.data.table import Condition, Table, Wanted, first_key_at, sort_key
from pipeline.sandbox.data.text import Raw, json_text, put_together, raw_texts, take

Test = Callable[[Record, Wanted], bool]

COMPANIES: Final[tuple[Record, ...]] = (
    {
        "companyId": "1",
        "name": "Sandbox Group Pty Ltd",
        "code": "SANDBOX",
        "glCode": "100",
        "gstRate": Raw("10.000"),
    },
    {
        "companyId": "2",
        "name": "Sandbox Group (NZ) Limited",
        "code": "SANDBOXNZ",
        "glCode": "200",
        "gstRate": Raw("15.000"),
    },
)
COMPANY_COUNT: Final = len(COMPANIES)
# name, whether active
_ENTITIES: Final = (
    (("Corporate", True), ("Logistics", True), ("Retail", True), ("Civil", True), ("Property", False)),
    (("Corporate NZ", True), ("Logistics NZ", True), ("Dairy NZ", False)),
)
_CENTRES: Final = "Finance,People and Culture,Technology,Sales,Marketing,Operations,Warehouse,Fleet".split(",")
# name, code, category, rate, whether typed by hand, whether active; the first three are GST, GST-free, typed by hand
_TAX_CODES: Final = (
    (
        ("GST on Expenses", "GST", "EXPENSES", "10.0000", False, True),
        ("GST Free Expenses", "FRE", "EXPENSES", "0.0000", False, True),
        ("User Defined", "UDF", "EXPENSES", "10.0000", True, True),
        ("GST on Capital", "CAP", "CAPITAL", "10.0000", False, True),
        ("BAS Excluded", "NTR", "EXCLUDED", "0.0000", False, True),
        ("Old GST", "GSTOLD", "EXPENSES", "10.0000", False, False),
    ),
    (
        ("15% GST on Expenses", "GST15", "EXPENSES", "15.0000", False, True),
        ("Zero Rated Expenses", "ZERO", "EXPENSES", "0.0000", False, True),
        ("User Defined", "UDFNZ", "EXPENSES", "15.0000", True, True),
        ("No GST", "NONE", "EXCLUDED", "0.0000", False, True),
        ("12.5% GST (before 2010)", "GST125", "EXPENSES", "12.5000", False, False),
    ),
)
_PORTFOLIO_COUNTS: Final = (9, 4)
_PROJECT_COUNTS: Final = (60, 20)


@dataclass(frozen=True, slots=True)
class Lot:
    """Rows of one dimension by company, to draw from: company c has rows first[c] to first[c] + count[c]."""

    ids: tuple[str, ...]
    first: Ints
    count: Ints

    def draw(self, draws: Draws, attribute: str, rows: Ints, company: Ints) -> Ints:
        """One row of the dimension for each row, of that row's company."""
        return self.first[company] + draws.below(attribute, rows, self.count[company])


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The tables, and what claims and invoices need to know of them."""

    tables: tuple[Table, ...]
    divisions: Lot
    division_entity: tuple[str, ...]
    projects: Lot
    project_portfolio: tuple[str | None, ...]
    tax_codes: Lot
    suppliers: Lot
    supplier_objects: tuple[Record, ...]
    supplier_is_foreign: Mask


@dataclass(frozen=True, slots=True)
class _Objects:
    """The records of each dimension by company, in order of their ids."""

    entities: list[list[Record]]
    divisions: list[list[Record]]
    tax_codes: list[list[Record]]
    portfolios: list[list[Record]]
    projects: list[list[Record]]
    elements: list[list[Record]]  # by project, in the order projects are listed
    suppliers: list[list[Record]]


def make_dimensions(seed: int, claim_count: int, moved_days: int = 0) -> Dimensions:
    """Every dimension of both companies; only the number of suppliers grows with the books."""
    made = _make_objects(seed, min(max(claim_count * 6 // 100, 24), 4800), moved_days)
    every_supplier = [supplier for group in made.suppliers for supplier in group]
    return Dimensions(
        tables=_make_tables(made),
        divisions=_lot(made.divisions),
        division_entity=tuple(division["entityId"] for group in made.divisions for division in group),
        projects=_lot(made.projects),
        project_portfolio=tuple(next(iter(project["portfolio"]), None) for g in made.projects for project in g),
        tax_codes=_lot(made.tax_codes),
        suppliers=_lot(made.suppliers),
        supplier_objects=tuple(
            {"id": each["id"], "name": each["displayName"], "code": each["supplierCode"]} for each in every_supplier
        ),
        supplier_is_foreign=np.array([each["currency"] == "USD" for each in every_supplier]),
    )


def _make_objects(seed: int, supplier_count: int, moved_days: int) -> _Objects:
    entities = _entities()
    portfolios = _portfolios(seed, entities, moved_days)
    projects = _projects(seed, portfolios, moved_days)
    return _Objects(
        entities=entities,
        divisions=_divisions(seed, entities),
        tax_codes=_tax_codes(entities),
        portfolios=portfolios,
        projects=projects,
        elements=[_elements(seed, project) for group in projects for project in sorted(group, key=_order)],
        suppliers=make_suppliers(seed, supplier_count, moved_days),
    )


def _make_tables(made: _Objects) -> tuple[Table, ...]:
    codes = {each["id"]: each["portfolioCode"] for group in made.portfolios for each in group}
    inactive: dict[str, Test] = {"includeinactive": lambda r, v: bool(v) or r["status"] == "active"}
    tax_tests: dict[str, Test] = {"entityid": lambda r, v: v in r["entityIds"], "category": _same("category")}
    portfolio_tests = {"entityid": _same("entityId"), "portfoliocode": _same("portfolioCode")}
    project_tests: dict[str, Test] = {
        "includeinactive": lambda r, v: bool(v) or r["active"],
        "portfoliocode": lambda r, v: v in {codes[each] for each in r["portfolio"]},
        "costcode": _same("costCode"),
    }
    return (
        _table("company", [list(COMPANIES)], {}),
        _table("entity", made.entities, inactive),
        _table("division", made.divisions, inactive),
        _table("tax_code", made.tax_codes, {**inactive, **tax_tests}),
        _table("portfolio", made.portfolios, {**inactive, **portfolio_tests}),
        _table("project", made.projects, project_tests),
        _table("project_wbs", made.elements, {}),
        _table("supplier", made.suppliers, {"active": lambda r, v: r["isActive"] is v}),
    )


def _order(record: Record) -> tuple[str, int]:
    """Where a record stands in its list: instants in one form order as text."""
    return record.get("updatedDate", ""), int(record.get("id") or record["companyId"])


def _same(name: str) -> Test:
    return lambda record, value: record[name] == value


def _lot(groups: list[list[Record]]) -> Lot:
    counts = np.array([len(group) for group in groups], dtype=np.int64)
    ids = sorted((record["id"] for group in groups for record in group), key=int)
    return Lot(tuple(ids), np.cumsum(counts) - counts, counts)


def _table(name: str, groups: list[list[Record]], tests: dict[str, Test]) -> Table:
    """A table of plain objects; `minUpdatedDate` works where they have an update time."""
    ordered = [record for group in groups for record in sorted(group, key=_order)]
    ids = np.array([_order(record)[1] for record in ordered], dtype=np.int64)
    stamps = np.array(
        [_seconds(record["updatedDate"]) for record in ordered if "updatedDate" in record], dtype=np.int64
    )
    keys = sort_key(stamps, ids) if stamps.size else ids
    made = raw_texts(json_text(record) + "," for record in ordered)
    conditions: dict[str, Condition] = {name: _condition(ordered, test) for name, test in tests.items()}
    if stamps.size:
        conditions["minupdateddate"] = updated_since(keys)
    starts = np.cumsum([0, *(len(group) for group in groups)])
    return Table(name, starts, keys, ids, write=lambda rows: put_together((take(made, rows),)), conditions=conditions)


def _condition(records: list[Record], test: Test) -> Condition:
    return lambda rows, value: np.array([test(record, value) for record in records[rows]], dtype=bool)


def updated_since(keys: Ints) -> Condition:
    """The filter `minUpdatedDate`: rows updated at or after a UTC second."""
    return lambda rows, value: keys[rows] >= first_key_at(cast("int", value))


def _seconds(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "s").astype(np.int64))


def _status(active: bool) -> str:
    return "active" if active else "disabled"


def _entities() -> list[list[Record]]:
    return [
        [
            {
                "id": str(100 * company + 10 * (place + 1)),
                "name": f"Sandbox {name}",
                "code": f"SG{company}{place + 1}",
                "status": _status(active),
            }
            for place, (name, active) in enumerate(group)
        ]
        for company, group in enumerate(_ENTITIES)
    ]


def _divisions(seed: int, entities: list[list[Record]]) -> list[list[Record]]:
    draws = Draws(seed, "division")
    groups: list[list[Record]] = []
    number = 1000
    for company, group in enumerate(entities):
        made: list[Record] = []
        for entity in group:
            for place, name in enumerate(_CENTRES[: 8 if company == 0 else 5]):
                number += 1
                active = entity["status"] == "active" and draw_one(draws, "active", number, 100) >= 8
                made.append(
                    {
                        "id": str(number),
                        "companyId": str(company + 1),
                        "entityId": entity["id"],
                        "name": name,
                        "glCode": f"{entity['code']}-{place + 1:02d}0",
                        "status": _status(active),
                    }
                )
        groups.append(made)
    return groups


def _tax_codes(entities: list[list[Record]]) -> list[list[Record]]:
    return [
        [
            {
                "id": str(10 * company + place + 1),
                "companyId": str(company + 1),
                "entityIds": [entity["id"] for entity in entities[company][: len(entities[company]) - place % 3]],
                "name": name,
                "code": code,
                "category": category,
                "taxRate": Raw(rate),
                "isUserDefined": by_hand,
                "status": _status(active),
            }
            for place, (name, code, category, rate, by_hand, active) in enumerate(group)
        ]
        for company, group in enumerate(_TAX_CODES)
    ]


def _portfolios(seed: int, entities: list[list[Record]], moved_days: int) -> list[list[Record]]:
    draws = Draws(seed, "portfolio")
    groups: list[list[Record]] = []
    number = 700
    for company, count in enumerate(_PORTFOLIO_COUNTS):
        made: list[Record] = []
        for place in range(count):
            number += 1
            created, updated = dates(draws, number, moved_days)
            made.append(
                {
                    "id": str(number),
                    "companyId": str(company + 1),
                    "entityId": entities[company][place % len(entities[company])]["id"],
                    "name": f"{names.TRADES[place]} programme {place + 1}",
                    "portfolioCode": f"PF{company + 1}{place + 1:02d}",
                    "status": _status(place % 5 != 4),
                    "createdDate": created,
                    "updatedDate": updated,
                }
            )
        groups.append(made)
    return groups


def _projects(seed: int, portfolios: list[list[Record]], moved_days: int) -> list[list[Record]]:
    draws = Draws(seed, "project")
    groups: list[list[Record]] = []
    number = 2000
    for company, count in enumerate(_PROJECT_COUNTS):
        made: list[Record] = []
        for place in range(count):
            number += 1
            created, updated = dates(draws, number, moved_days)
            first = draw_one(draws, "portfolio", number, len(portfolios[company]))
            members = portfolios[company][first : first + draw_one(draws, "portfolios", number, 3)]
            code = f"PRJ{company + 1}{place + 1:03d}"
            made.append(
                {
                    "id": str(number),
                    "createdDate": created,
                    "updatedDate": updated,
                    "name": f"{names.PLACES_AU[place % 7][0] if company == 0 else names.PLACES_NZ[place % 3][0]} "
                    f"{names.ELEMENTS[draw_one(draws, 'name', number, len(names.ELEMENTS))].lower()} {place + 1}",
                    "projectCode": code,
                    "portfolio": [portfolio["id"] for portfolio in members],
                    "externalReference": f"ERP-{code}",
                    "costCode": f"CC{10 * (company + 1) + place % 9}",
                    "active": draw_one(draws, "active", number, 100) >= 15,
                }
            )
        groups.append(made)
    return groups


def _elements(seed: int, project: Record) -> list[Record]:
    number = int(project["id"])
    draws = Draws(seed, "wbs")
    return [
        {
            "id": str(number * 10 + place),
            "code": f"{project['projectCode']}.{place + 1}",
            "name": names.ELEMENTS[place],
            "active": bool(project["active"]) or place == 0,
        }
        for place in range(draw_one(draws, "count", number, len(names.ELEMENTS)))
    ]
