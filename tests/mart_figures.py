"""What the answers among the marts should hold, by the same means as `mart_dimensions`, from the facts computed there."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any

from mart_dimensions import AMOUNTS, OVERDUE, REFUSED, Row, added, at_share, grouped, hours, money, month, month_end
from mart_facts import Facts


class Figures(Facts):
    """One method a mart: all its rows, for every mart."""

    def _spend(self, wanted: Callable[[Row], bool] = lambda row: row["is_spend"]) -> list[Row]:
        """Lines with amounts in the claim's currency, under plain names."""
        names = {f"claim_{name}_amount": f"{name}_amount" for name in AMOUNTS} | {
            "claim_currency_code": "currency_code"
        }
        return [
            row | {new: row[old] for old, new in names.items()}
            for row in self.lines
            if wanted(row) and row["claim_gross_amount"] is not None and row["claim_currency_code"]
        ]

    @cached_property
    def months(self) -> list[Row]:
        keys = "month_on company_id document_type entity_id division_id supplier_id claimant_id status currency_code"
        return [
            dict(zip(keys.split(), key, strict=True))
            | {f"{kind}_name": rows[0][f"{kind}_name"] for kind in "company entity division claimant supplier".split()}
            | {"line_count": len(rows)}
            | added(rows)
            for key, rows in grouped(self._spend(), *keys.split()).items()
        ]

    def spend_month(self) -> list[Row]:
        return self.months

    def spend_trend(self) -> list[Row]:
        keys = ("company_id", "entity_id", "division_id", "currency_code")
        sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        for row in self.months:
            sums[(row["month_on"], *(row[key] for key in keys))] += row["gross_amount"]
        places = set(sums) | {(one.replace(year=one.year + 1), *rest) for one, *rest in sums}
        rows = []
        for on, *rest in places:
            if on > self.house.today:
                continue
            now, then = sums.get((on, *rest), Decimal(0)), sums.get((on.replace(year=on.year - 1), *rest), Decimal(0))
            place = dict(zip(keys, rest, strict=True))
            rows.append(
                place
                | {
                    "month_on": on,
                    "is_month_over": month_end(on) < self.house.today,
                    "company_name": self.name("company", rest[0], rest[0]),
                    "entity_name": self.name("entity", rest[0], rest[1]),
                    "division_name": self.name("division", rest[0], rest[2]),
                    "gross_amount": now,
                    "last_year_gross_amount": then,
                    "change_amount": now - then,
                    "change_percent": float(round(100 * (now - then) / abs(then), 2)) if then else None,
                }
            )
        return rows

    @cached_property
    def due(self) -> list[Row]:
        totals = grouped(self.document_total(), "company_id", "document_type", "document_id", "basis")
        taken = "company_id company_name document_id reference supplier_id supplier_name supplier_code status is_credit"
        rows = []
        for one in self.documents:
            if one["document_type"] != "invoice" or not one["is_open"]:
                continue
            left = (one["due_on"] - self.house.today).days
            over = -left
            bucket = next(name for most, name in OVERDUE if over <= most)
            for total in totals.get((one["company_id"], "invoice", one["document_id"], "transaction"), [money(None)]):
                rows.append(
                    {name: one[name] for name in (*taken.split(), "invoice_on", "due_on")}
                    | {name: total[name] for name in (*(f"{name}_amount" for name in AMOUNTS), "currency_code")}
                    | {
                        "days_until_due": left,
                        "is_due_soon": 0 <= left <= self.house.due_soon_days,
                        "is_overdue": left < 0,
                        "age_bucket": bucket,
                    }
                )
        return rows

    def payable_due(self) -> list[Row]:
        return self.due

    def payable_ageing(self) -> list[Row]:
        order = ["not due", "1-30 days", "31-60 days", "61-90 days", "over 90 days", "no due date"]
        keys = ("company_id", "supplier_id", "age_bucket", "status", "currency_code")
        return [
            dict(zip(keys, key, strict=True))
            | {
                "company_name": rows[0]["company_name"],
                "supplier_name": rows[0]["supplier_name"],
                "bucket_order": order.index(key[2]) + 1,
                "invoice_count": len(rows),
                "oldest_due_on": min(row["due_on"] for row in rows),
                "gross_amount": added(rows)["gross_amount"],
            }
            for key, rows in grouped(self.due, *keys).items()
        ]

    def open_item(self) -> list[Row]:
        steps = grouped(self.approvals, "company_id", "document_type", "document_id")
        order = ["0-7 days", "8-30 days", "31-60 days", "61-90 days", "over 90 days"]
        taken = (
            "company_id company_name document_type document_id reference summary supplier_id supplier_name claimant_id "
            "claimant_name claim_type division_id division_name status is_credit created_on updated_on due_on "
            "currency_code gross_amount net_amount tax_amount"
        )
        rows = []
        for one in self.documents:
            if not one["is_open"]:
                continue
            age = (self.house.today - one["created_on"]).days
            place = sum(age > most for most in (7, 30, 60, 90))
            own = steps.get((one["company_id"], one["document_type"], one["document_id"]), [])
            waits = (
                next((s for s in own if s["approved_at"] is None and one["status"] == "PendingApproval"), None) or {}
            )
            rows.append(
                {name: one[name] for name in taken.split()}
                | {
                    "age_days": age,
                    "idle_days": (self.house.today - one["updated_on"]).days,
                    "age_bucket": order[place],
                    "bucket_order": place + 1,
                    "waits_for_id": waits.get("approver_id"),
                    "waits_for_name": waits.get("approver_name"),
                }
            )
        return rows

    def approval_time(self) -> list[Row]:
        measured: dict[tuple[Any, ...], list[timedelta]] = defaultdict(list)
        names = {}
        documents = {(one["company_id"], one["document_type"], one["document_id"]): one for one in self.documents}
        for key, one in documents.items():
            if one["counts_as"] in REFUSED:
                continue
            for measure in ("created_to_approved", "approved_to_finalised", "created_to_finalised"):
                since, until = measure.split("_to_")
                if one[f"{since}_at"] and one[f"{until}_at"]:
                    place = (month(one[f"{until}_on"]), *key[:2], one["division_id"], measure, None)
                    measured[place].append(one[f"{until}_at"] - one[f"{since}_at"])
        for step in self.approvals:
            one = documents[step["company_id"], step["document_type"], step["document_id"]]
            if step["approved_at"] and one["counts_as"] not in REFUSED:
                place = (month(step["approved_on"]), step["company_id"], step["document_type"], one["division_id"])
                place += ("waited", step["approver_id"])
                measured[place].append(step["approved_at"] - step["previous_at"])
                names[place] = max(names.get(place, ""), step["approver_name"])
        rows = []
        for place, spans in measured.items():
            taken = sorted(one for one in spans if one >= timedelta())
            if not taken:
                continue
            keys = ("month_on", "company_id", "document_type", "division_id", "measure", "approver_id")
            rows.append(
                dict(zip(keys, place, strict=True))
                | {
                    "division_name": self.name("division", place[1], place[3]),
                    "approver_name": names.get(place),
                    "measured_count": len(taken),
                    "median_hours": float(hours(at_share(taken, Decimal("0.5")))),
                    "p90_hours": float(hours(at_share(taken, Decimal("0.9")))),
                    "longest_hours": float(hours(taken[-1])),
                }
            )
        return rows

    def accrual(self) -> list[Row]:
        first = self.house.today.replace(day=1)
        ends = []
        for _ in range(36):
            first = (first - timedelta(days=1)).replace(day=1)
            ends.append(month_end(first))
        if month_end(self.house.today) < self.house.today:
            ends.append(month_end(self.house.today))
        kept = []
        for end in ends:
            for row in self._spend():
                done, approved = row["finalised_on"], row["approved_on"]
                if row["spent_on"] > end or (done and done <= end) or (row["status"] == "Finalised" and not done):
                    continue
                state = "approved" if approved and approved <= end else "incurred"
                kept.append(row | {"month_end_on": end, "state": state})
        keys = ("month_end_on", "company_id", "entity_id", "division_id", "document_type", "state", "currency_code")
        return [
            dict(zip(keys, key, strict=True))
            | {f"{kind}_name": rows[0][f"{kind}_name"] for kind in ("company", "entity", "division")}
            | {"line_count": len(rows)}
            | added(rows)
            for key, rows in grouped(kept, *keys).items()
        ]

    def gst_bas(self) -> list[Row]:
        rows = [row | {"is_finalised": row["status"] == "Finalised"} for row in self._spend(lambda _: True)]
        keys = ("company_id", "month_on", "tax_code_id", "counts_as", "is_finalised", "currency_code")
        return [
            dict(zip(keys, key, strict=True))
            | {
                "company_name": same[0]["company_name"],
                "tax_code_name": same[0]["tax_code_name"],
                "bas_quarter": f"{key[1].year}-Q{(key[1].month + 2) // 3}",
                "bas_quarter_start_on": date(key[1].year, (key[1].month - 1) // 3 * 3 + 1, 1),
                "line_count": len(same),
            }
            | added(same)
            for key, same in grouped(rows, *keys).items()
        ]

    def gst_departure(self) -> list[Row]:
        codes = {(company, record["id"]): record for company, record in self.each("tax_code")}
        taken = (
            "company_id company_name document_type document_id line_id split_id status counts_as spent_on supplier_name "
            "claimant_name tax_code_id tax_code_name currency_code gross_amount net_amount tax_amount"
        )
        rows = []
        for row in self.lines:
            code = codes.get((row["company_id"], row["tax_code_id"]))
            if code is None or code["isUserDefined"] or row["counts_as"] in REFUSED:
                continue
            expected = row["net_amount"] * code["taxRate"] / 100
            if abs(row["tax_amount"] - expected) > Decimal("0.02"):
                told = {"tax_rate": code["taxRate"], "expected_tax_amount": expected}
                rows.append(
                    {name: row[name] for name in taken.split()}
                    | told
                    | {"departure_amount": row["tax_amount"] - expected}
                )
        return rows

    def fbt_entertainment(self) -> list[Row]:
        people = {(*above, record["id"]): record["recipients"] for above, record in self.books["expense"]}
        taken = (
            "company_id company_name document_type document_id line_id split_id spent_on status entity_id entity_name "
            "division_id division_name supplier_name claimant_id claimant_name expense_type description currency_code gross_amount"
        )
        cent = Decimal("0.0001")
        rows = []
        for row in self._spend():
            if row["expense_type"] not in self.house.entertainment:
                continue
            of_claim = row["document_type"] == "claim"
            guests = people[row["company_id"], row["document_id"], row["line_id"]] if of_claim else ()
            kinds = [one["type"] for one in guests]
            employees, gross = kinds.count("employee"), row["gross_amount"]
            rows.append(
                {name: row[name] for name in taken.split()}
                | {
                    "fbt_year": row["spent_on"].year + (row["spent_on"].month > 3),
                    "recipient_count": len(kinds) or None,
                    "employee_count": employees if kinds else None,
                    "client_count": kinds.count("client") if kinds else None,
                    "other_count": len([k for k in kinds if k not in ("employee", "client")]) if kinds else None,
                    "fifty_fifty_amount": (gross / 2).quantize(cent, ROUND_HALF_UP),
                    "actual_amount": (gross * employees / len(kinds)).quantize(cent, ROUND_HALF_UP) if kinds else None,
                }
            )
        return rows

    def duplicate_suspect(self) -> list[Row]:
        rows = []
        invoices = [
            one | {"bare": re.sub(r"[\W_]", "", one["reference"] or "").upper()}
            for one in self.documents
            if one["document_type"] == "invoice" and one["counts_as"] not in REFUSED
        ]
        for key, same in grouped(invoices, "company_id", "supplier_id", "bare", "is_credit").items():
            if len(same) > 1 and key[2]:
                for one in same:
                    told = (*key[:3], str(key[3]).lower())
                    rows.append(self._suspect("supplier_reference", told, same, one, one["invoice_on"]))
        documents = {
            (one["company_id"], one["document_id"]): one for one in self.documents if one["document_type"] == "claim"
        }
        expenses = [
            documents[above]
            | money(record)
            | {
                "line_id": record["id"],
                "expense_type": record["expenseType"],
                "on": self.day(record["transactionDate"]),
            }
            for above, record in self.books["expense"]
            if not record["isPersonal"] and not record["isOmitted"] and record["grossAmount"]
        ]
        expenses = [one for one in expenses if one["counts_as"] not in REFUSED]
        keys = ("company_id", "claimant_id", "on", "currency_code", "gross_amount")
        for key, same in grouped(expenses, *keys).items():
            if len(same) > 1:
                told = (*map(str, key[:4]), f"{key[4]:.4f}")
                rows += [self._suspect("claimant_amount_date", told, same, one, one["on"]) for one in same]
        return rows

    def _suspect(self, rule: str, told: tuple[str, ...], same: list[Row], one: Row, on: date) -> Row:
        taken = (
            "company_id document_type document_id status reference supplier_id supplier_name claimant_id claimant_name "
            "currency_code gross_amount"
        )
        return {name: one[name] for name in taken.split()} | {
            "rule": rule,
            "group_key": hashlib.md5(" / ".join(told).encode(), usedforsecurity=False).hexdigest()[:12],
            "group_size": len(same),
            "line_id": one.get("line_id"),
            "expense_type": one.get("expense_type"),
            "dated_on": on,
        }

    def below_threshold(self) -> list[Row]:
        taken = (
            "company_id company_name document_type document_id reference supplier_id supplier_name claimant_id "
            "claimant_name status created_on currency_code gross_amount"
        )
        return [
            {name: one[name] for name in taken.split()}
            | {"threshold_amount": Decimal(limit), "short_amount": limit - one["gross_amount"]}
            for one in self.documents
            for limit in self.house.thresholds
            if one["is_spend"] and one["currency_code"]
            if limit * Decimal(100 - self.house.threshold_percent) / 100 <= one["gross_amount"] < limit
        ]

    def coding_gap(self) -> list[Row]:
        """The sandbox's lines are all coded: what is left are documents without lines."""
        wanted = (
            "gross_amount tax_amount currency_code spent_on entity_id division_id expense_type gl_code tax_code_id "
            "claim_gross_amount claim_currency_code"
        )
        assert all(row[name] is not None for row in self.lines for name in wanted.split())
        divisions = self.names["division"]
        taken = "company_id company_name document_type document_id status supplier_name claimant_name currency_code gross_amount"
        nothing = {"line_id": None, "split_id": None}
        bare = [
            {name: one[name] for name in taken.split()}
            | nothing
            | {"gap": "document_without_lines", "spent_on": one["created_on"]}
            for one in self.documents
            if one["line_count"] == 0 and one["counts_as"] not in REFUSED
        ]
        gone = [
            {name: row[name] for name in (*taken.split(), "line_id", "split_id", "spent_on")}
            | {"gap": "division_not_listed"}
            for row in self.lines
            if row["counts_as"] in ("spend", "credit") and (row["company_id"], row["division_id"]) not in divisions
        ]
        split = [
            {name: row[name] for name in (*taken.split(), "line_id", "split_id", "spent_on")}
            | {"gap": "split_without_parts"}
            for row in self.lines
            if row["counts_as"] in ("spend", "credit") and not row["is_split_part"] and self._is_split(row)
        ]
        return bare + gone + split

    def _is_split(self, row: Row) -> bool:
        return (row["company_id"], row["document_id"], row["line_id"]) in self._split_lines

    @cached_property
    def _split_lines(self) -> set[tuple[str, ...]]:
        return {
            (*above, record["id"])
            for kind in ("expense", "invoice_line")
            for above, record in self.books[kind]
            if record["isSplit"]
        }

    def freshness(self) -> list[Row]:
        rows = []
        for resource, records in self.books.items():
            times = [at for _, record in records if (at := self.at(record.get("updatedDate")))]
            newest = max(times, default=None)
            rows.append(
                {
                    "resource": resource,
                    "row_count": len(records),
                    "newest_change_at": newest,
                    "hours_since_change": float(hours(self.house.as_at - newest)) if newest else None,
                    "quarantined_count": 0,
                }
            )
        return rows
