"""What the dimensions among the marts should hold, computed from the JSON that the source serves: plain Python and Decimals, no table, no SQL.

It shares no code with the program. Money is Decimal from the JSON text on; days are those of the zone, as a person there
would read them off a calendar.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Books = Mapping[str, list[tuple[tuple[str, ...], Mapping[str, Any]]]]
"""For each resource the records served, each with its parents' keys, outermost first."""
AMOUNTS = ("gross", "net", "tax")
REFUSED = ("rejected", "cancelled")
OVERDUE = ((0, "not due"), (30, "1-30 days"), (60, "31-60 days"), (90, "61-90 days"), (10**6, "over 90 days"))


@dataclass(frozen=True)
class House:
    """The day the figures are of, and how the site reports."""

    as_at: datetime
    zone: str = "Australia/Sydney"
    first_month: int = 7
    due_soon_days: int = 7
    thresholds: tuple[int, ...] = (1000, 5000, 10_000)
    threshold_percent: int = 5
    entertainment: tuple[str, ...] = ("Entertainment",)

    @property
    def today(self) -> date:
        return self.as_at.astimezone(ZoneInfo(self.zone)).date()


def money(amounts: Mapping[str, Any] | None, prefix: str = "") -> Row:
    """The three amounts and the currency of a money object; all missing without one."""
    amounts = amounts or {}
    sent = {name: amounts.get(f"{name}Amount") for name in AMOUNTS}
    told = {f"{prefix}{name}_amount": None if one is None else Decimal(one) for name, one in sent.items()}
    return told | {f"{prefix}currency_code": (amounts.get("currencyCode") or "").strip().upper() or None}


def month(day: date | None) -> date | None:
    return day and day.replace(day=1)


def month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def added(rows: Iterable[Row], prefix: str = "") -> Row:
    """Each amount's sum over rows of one currency; missing if it is missing in all."""
    rows = list(rows)
    assert len({row[f"{prefix}currency_code"] for row in rows}) == 1
    sums = {}
    for name in AMOUNTS:
        known = [row[f"{prefix}{name}_amount"] for row in rows if row[f"{prefix}{name}_amount"] is not None]
        sums[f"{name}_amount"] = sum(known, Decimal(0)) if known else None
    return sums


def only(values: Iterable[Any]) -> Any:
    """The one value that all have; None if there are none, several, or one is missing."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def hours(span: timedelta) -> Decimal:
    return (Decimal(span // timedelta(microseconds=1)) / 3_600_000_000).quantize(Decimal("0.01"), ROUND_HALF_UP)


def at_share(ordered: list[timedelta], share: Decimal) -> timedelta:
    """The value below which a share lies, between two of them in proportion."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    between = (ordered[high] - ordered[low]) // timedelta(microseconds=1) * (place - low)
    return ordered[low] + timedelta(microseconds=float(between))


class Served:
    """The records, and how their days and names are read."""

    def __init__(self, books: Books, house: House) -> None:
        self.books, self.house = books, house
        self.zone = ZoneInfo(house.zone)

    def day(self, text: str | None) -> date | None:
        at = self.at(text)
        if at is None:
            return None
        return at.date() if at.time() == datetime.min.time() else at.astimezone(self.zone).date()

    def at(self, text: str | None) -> datetime | None:
        at = datetime.fromisoformat(text).astimezone(UTC) if text else None
        return at if at and at.year > 1970 else None

    def below(self, resource: str) -> dict[tuple[str, ...], list[Mapping[str, Any]]]:
        found: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for above, record in self.books[resource]:
            found[above].append(record)
        return found

    def each(self, resource: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for above, record in self.books[resource]:
            yield above[0] if above else record["companyId"], record

    def named(self, rows: Iterable[Row], key: str, name: str) -> dict[tuple[str, str], Any]:
        return {(row["company_id"], row[key]): row[name] for row in rows}

    @cached_property
    def names(self) -> dict[str, dict[tuple[str, str], Any]]:
        return {
            "company": {(row["company_id"], row["company_id"]): row["company_name"] for row in self.company()},
            **{
                kind: self.named(getattr(self, kind)(), f"{kind}_id", f"{kind}_name")
                for kind in ("entity", "division", "project", "portfolio", "supplier", "claimant", "tax_code")
            },
        }

    def name(self, kind: str, company: str, key: str | None) -> Any:
        return self.names[kind].get((company, key or ""))


class Dimensions(Served):
    """One method a mart: all its rows."""

    def company(self) -> list[Row]:
        return [
            {
                "company_id": record["companyId"],
                "company_name": record.get("name") or None,
                "company_code": record.get("code") or None,
                "gl_code": record.get("glCode") or None,
                "gst_rate": record.get("gstRate"),
            }
            for _, record in self.books["company"]
        ]

    def entity(self) -> list[Row]:
        return [
            {
                "company_id": company,
                "entity_id": record["id"],
                "entity_name": record["name"] or None,
                "entity_code": record["code"] or None,
                "is_active": record["status"] == "active",
            }
            for company, record in self.each("entity")
        ]

    def division(self) -> list[Row]:
        entities = self.named(self.entity(), "entity_id", "entity_name")
        return [
            {
                "company_id": company,
                "division_id": record["id"],
                "division_name": record["name"] or None,
                "division_code": record["glCode"] or None,
                "entity_id": record["entityId"],
                "entity_name": entities.get((company, record["entityId"])),
                "is_active": record["status"] == "active",
            }
            for company, record in self.each("division")
        ]

    def portfolio(self) -> list[Row]:
        entities = self.named(self.entity(), "entity_id", "entity_name")
        return [
            {
                "company_id": company,
                "portfolio_id": record["id"],
                "portfolio_name": record["name"] or None,
                "portfolio_code": record["portfolioCode"] or None,
                "entity_id": record["entityId"],
                "entity_name": entities.get((company, record["entityId"])),
                "is_active": record["status"] == "active",
            }
            for company, record in self.each("portfolio")
        ]

    def project(self) -> list[Row]:
        portfolios = self.named(self.portfolio(), "portfolio_id", "portfolio_name")
        rows = []
        for company, record in self.each("project"):
            groups = set(record["portfolio"])
            portfolio = only(groups)
            rows.append(
                {
                    "company_id": company,
                    "project_id": record["id"],
                    "project_name": record["name"] or None,
                    "project_code": record["projectCode"] or None,
                    "cost_code": record["costCode"] or None,
                    "external_reference": record["externalReference"] or None,
                    "portfolio_count": len(groups),
                    "portfolio_id": portfolio,
                    "portfolio_name": portfolios.get((company, portfolio)),
                    "is_active": record["active"],
                    "created_on": self.day(record["createdDate"]),
                }
            )
        return rows

    def supplier(self) -> list[Row]:
        return [
            {
                "company_id": company,
                "supplier_id": record["id"],
                "supplier_name": record["displayName"] or record["legalName"] or None,
                "supplier_code": record["supplierCode"] or None,
                "legal_name": record["legalName"] or None,
                "trading_names": ", ".join(record["tradingNames"]) or None,
                "registration_number": record["registrationNumber"] or None,
                "country": record["country"] or None,
                "default_currency_code": record["currency"] or None,
                "city": record["primaryAddress"]["city"] or None,
                "state": record["primaryAddress"]["state"] or None,
                "post_code": record["primaryAddress"]["postCode"] or None,
                "is_active": record["isActive"],
                "is_validated": record["isValidated"],
                "created_on": self.day(record["createdDate"]),
            }
            for company, record in self.each("supplier")
        ]

    def claimant(self) -> list[Row]:
        people: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for company, record in self.each("claim"):
            people[company, record["claimantId"]].append(record)
        rows = []
        for (company, claimant), claims in people.items():
            newest = max(claims, key=lambda one: (self.at(one["updatedDate"]), one["id"]))
            days = [self.day(one["createdDate"]) for one in claims]
            rows.append(
                {
                    "company_id": company,
                    "claimant_id": claimant,
                    "claimant_name": newest["claimantName"],
                    "employee_number": newest["employeeNumber"],
                    "external_code": newest["claimantExternalCode"],
                    "claim_count": len(claims),
                    "first_claim_on": min(days),
                    "last_claim_on": max(days),
                }
            )
        return rows

    def tax_code(self) -> list[Row]:
        return [
            {
                "company_id": company,
                "tax_code_id": record["id"],
                "tax_code_name": record["name"] or None,
                "tax_code": record["code"] or None,
                "tax_category": record["category"] or None,
                "tax_rate": record["taxRate"],
                "is_user_defined": record["isUserDefined"],
                "entity_count": len(set(record["entityIds"])),
                "is_active": record["status"] == "active",
            }
            for company, record in self.each("tax_code")
        ]

    def calendar(self) -> list[Row]:
        seen = [self.house.today]
        seen += [self.day(r["createdDate"]) for kind in ("claim", "invoice") for _, r in self.books[kind]]
        seen += [self.day(r["transactionDate"]) for _, r in self.books["expense"]]
        seen += [self.day(r["invoiceDate"]) for _, r in self.books["invoice"]]
        start = self.house.first_month

        def year_of(day: date) -> int:
            return day.year + (day.month >= start > 1)

        day = date(year_of(min(seen)) - (start > 1), start, 1)
        last = date(year_of(self.house.today) + 2 - (start > 1), start, 1)
        rows = []
        while day < last:
            year = year_of(day)
            place = (day.month - start) % 12
            rows.append(
                {
                    "date_on": day,
                    "month_on": month(day),
                    "fiscal_year": year,
                    "fiscal_month": place + 1,
                    "fiscal_quarter": place // 3 + 1,
                    "fiscal_year_start_on": date(year - (start > 1), start, 1),
                    "fbt_year": day.year if day < date(day.year, 4, 1) else day.year + 1,
                    "bas_quarter": f"{day.year}-Q{(day.month + 2) // 3}",
                    "bas_quarter_start_on": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
                    "weekday": day.isoweekday(),
                    "is_weekend": day.isoweekday() > 5,
                    "is_month_end": (day + timedelta(days=1)).day == 1,
                    "iso_week": "{}-W{:02}".format(*day.isocalendar()[:2]),
                    "year": day.year,
                    "month": day.month,
                    "month_name": f"{calendar.month_abbr[day.month]} {day.year}",
                    "weekday_name": calendar.day_name[day.weekday()],
                }
            )
            day += timedelta(days=1)
        return rows
