"""Which filters let a single record pass; the same meanings that `Table.conditions` has for whole columns. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from pipeline.sandbox.data.table import Wanted, first_key_at

Record = dict[str, Any]  # an object of the API: its values are of every JSON type
Facts = Mapping[str, Any]
"""The fields of a record that filters look at, and `sortKey`, `portfolioCodes` for projects."""

_FIELDS: Final = (
    "status",
    "active",
    "isActive",
    "entityId",
    "entityIds",
    "category",
    "costCode",
    "portfolioCode",
    "finalisedDate",
    "isPersonal",
    "isOmitted",
)


def seconds(text: str) -> int:
    """Whole UTC seconds since 1970 of an instant as the API writes it."""
    return int(datetime.fromisoformat(text).timestamp())


def instant(at_s: int) -> str:
    """An instant as the API writes it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def facts_of(record: Record, sort_key: int, portfolio_codes: Mapping[str, str]) -> Facts:
    """What filters need to know of a record."""
    found: Record = {name: record[name] for name in _FIELDS if name in record}
    found["sortKey"] = sort_key
    if "supplier" in record:
        found["supplierId"] = record["supplier"]["id"]
    if "portfolio" in record:
        found["portfolioCodes"] = [portfolio_codes[each] for each in record["portfolio"]]
    return found


def _is_active(facts: Facts) -> bool:
    return bool(facts.get("active", True)) and facts.get("status", "active") == "active"


def _of_entity(facts: Facts, wanted: Wanted) -> bool:
    return wanted in facts["entityIds"] if "entityIds" in facts else facts["entityId"] == wanted


def _of_portfolio(facts: Facts, wanted: Wanted) -> bool:
    return wanted in facts["portfolioCodes"] if "portfolioCodes" in facts else facts["portfolioCode"] == wanted


def _finalised_since(facts: Facts, wanted: Wanted) -> bool:
    return facts["status"] == "Finalised" and seconds(facts["finalisedDate"]) >= cast("int", wanted)


_TESTS: Final[Mapping[str, Callable[[Facts, Wanted], bool]]] = {
    "includeinactive": lambda facts, wanted: bool(wanted) or _is_active(facts),
    "active": lambda facts, wanted: facts["isActive"] is wanted,
    "entityid": _of_entity,
    "category": lambda facts, wanted: facts["category"] == wanted,
    "costcode": lambda facts, wanted: facts["costCode"] == wanted,
    "portfoliocode": _of_portfolio,
    "status": lambda facts, wanted: facts["status"] == wanted,
    "finaliseddate": _finalised_since,
    "minupdateddate": lambda facts, wanted: facts["sortKey"] >= first_key_at(cast("int", wanted)),
    "supplierid": lambda facts, wanted: facts["supplierId"] == wanted,
    "includepersonal": lambda facts, wanted: bool(wanted) or not facts["isPersonal"],
    "includeomitted": lambda facts, wanted: bool(wanted) or not facts["isOmitted"],
}


def passes(facts: Facts, wanted: Iterable[tuple[str, Wanted]]) -> bool:
    """Whether every filter lets the record through."""
    return all(_TESTS[name](facts, value) for name, value in wanted)
