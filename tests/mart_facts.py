"""What the facts among the marts should hold, by the same means as `mart_dimensions`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from mart_dimensions import AMOUNTS, REFUSED, Dimensions, Row, added, grouped, hours, money, month, only


class Facts(Dimensions):
    """One method a mart: all its rows."""

    def document_total(self) -> list[Row]:
        rows = []
        for kind, basis, field in (
            ("claim", "claim", "claimCurrencyTotals"),
            ("claim", "transaction", "transactionTotals"),
            ("invoice", "transaction", "transactionTotals"),
        ):
            for company, record in self.each(kind):
                place = {"company_id": company, "document_type": kind, "document_id": record["id"], "basis": basis}
                rows += [
                    place | {"currency_code": currency} | added(same)
                    for (currency,), same in grouped(map(money, record[field]), "currency_code").items()
                ]
        return rows

    @cached_property
    def credit_notes(self) -> set[tuple[str, str, str]]:
        groups = grouped(self.document_total(), "company_id", "document_type", "document_id")
        return {
            key
            for key, totals in groups.items()
            if key[1] == "invoice"
            and min(one["gross_amount"] for one in totals) < 0
            and max(one["gross_amount"] for one in totals) <= 0
        }

    def counts(self, key: tuple[str, str, str], status: str) -> str:
        if status.lower() in REFUSED:
            return status.lower()
        return "credit" if key in self.credit_notes else "spend"

    @cached_property
    def lines(self) -> list[Row]:
        return [*self._claim_lines(), *self._invoice_lines()]

    def spend_line(self) -> list[Row]:
        return self.lines

    def _claim_lines(self) -> Iterator[Row]:
        claims = {(company, record["id"]): record for company, record in self.each("claim")}
        parts = self.below("expense_split")
        for (company, claim_id), expense in self.books["expense"]:
            claim = claims[company, claim_id]
            instead = parts[company, claim_id, expense["id"]] if expense.get("isSplit") is not False else []
            own = {
                "claim_type": claim["claimType"],
                "claimant_id": claim["claimantId"],
                "claimant_name": self.name("claimant", company, claim["claimantId"]),
                "supplier_id": None,
                "supplier_name": None,
                "purchase_order": None,
                "has_receipt": expense["hasReceipt"],
                "spent_on": self.day(expense["transactionDate"]),
                "is_omitted": bool(expense["isOmitted"]),
                "is_in_totals": not (expense["isPersonal"] or expense["isOmitted"]),
            }
            for line in instead or [expense]:
                amounts = money(line) | self._converted(claim, line)
                personal = bool(expense["isPersonal"] or line["isPersonal"])
                yield self._line("claim", company, claim, expense, line, own | amounts, is_personal=personal)

    def _converted(self, claim: Mapping[str, Any], line: Mapping[str, Any]) -> Row:
        """As sent; without that the money itself, if all that the claim comes to is in its currency."""
        sent = money(line["claimCurrencyTotal"], "claim_")
        if any(sent[f"claim_{name}_amount"] is not None for name in AMOUNTS):
            return sent
        totals = claim["claimCurrencyTotals"] or claim["transactionTotals"]
        own = money(line, "claim_")
        is_own = {money(one)["currency_code"] for one in totals} == {own["claim_currency_code"]} != {None}
        return own if is_own else sent

    def _invoice_lines(self) -> Iterator[Row]:
        invoices = {(company, record["id"]): record for company, record in self.each("invoice")}
        parts = self.below("invoice_split")
        for (company, invoice_id), whole in self.books["invoice_line"]:
            invoice = invoices[company, invoice_id]
            instead = parts[company, invoice_id, whole["id"]] if whole.get("isSplit") is not False else []
            supplier = invoice["supplier"]
            own = {
                "claim_type": None,
                "claimant_id": None,
                "claimant_name": None,
                "supplier_id": supplier["id"],
                "supplier_name": self.name("supplier", company, supplier["id"]) or supplier["name"],
                "purchase_order": whole["purchaseOrder"] or None,
                "has_receipt": None,
                "spent_on": self.day(invoice["invoiceDate"]),
                "is_omitted": bool(whole["isOmitted"]),
                "is_in_totals": not whole["isOmitted"],
            }
            for line in instead or [whole]:
                amounts = money(line) | money(line, "claim_")
                yield self._line("invoice", company, invoice, whole, line, own | amounts, is_personal=False)

    def _line(
        self, kind: str, company: str, document: Mapping, whole: Mapping, line: Mapping, own: Row, *, is_personal: bool
    ) -> Row:
        key = (company, kind, document["id"])
        counts = self.counts(key, document["status"])
        if counts not in REFUSED:
            counts = "omitted" if own["is_omitted"] else "personal" if is_personal else counts
        division = next(
            (one for c, one in self.each("division") if (c, one["id"]) == (company, line["divisionId"])), {}
        )
        portfolio = whole["portfolioId"] or None
        return own | {
            "company_id": company,
            "company_name": self.name("company", company, company),
            "document_type": kind,
            "document_id": document["id"],
            "line_id": whole["id"],
            "split_id": None if line is whole else line["id"],
            "status": document["status"],
            "counts_as": counts,
            "is_spend": counts == "spend",
            "is_personal": is_personal,
            "is_credit": key in self.credit_notes,
            "is_split_part": line is not whole,
            "month_on": month(own["spent_on"]),
            "created_on": self.day(document["createdDate"]),
            "approved_on": self.day(document["approvedDate"]),
            "finalised_on": self.day(document["finalisedDate"]),
            "entity_id": line["entityId"] or None,
            "entity_name": self.name("entity", company, line["entityId"]),
            "division_id": line["divisionId"] or None,
            "division_name": division.get("name") or None,
            "division_code": division.get("glCode") or None,
            "project_id": line["projectId"] or None,
            "project_name": self.name("project", company, line["projectId"]),
            "portfolio_id": portfolio,
            "portfolio_name": self.name("portfolio", company, portfolio),
            "expense_type": line["expenseType"] or None,
            "gl_code": line["glCode"] or None,
            "tax_code_id": line["taxCodeId"] or None,
            "tax_code_name": self.name("tax_code", company, line["taxCodeId"]),
            "item_code": whole["code"] or None,
            "item_name": whole["name"] or None,
            "description": line["description"] or None,
        }

    @cached_property
    def documents(self) -> list[Row]:
        lines = grouped(self.lines, "company_id", "document_type", "document_id")
        rows = []
        for kind in ("claim", "invoice"):
            for company, record in self.each(kind):
                key = (company, kind, record["id"])
                own = lines.get(key, [])
                entity, division = only(line["entity_id"] for line in own), only(line["division_id"] for line in own)
                totals = [
                    money(one) for one in record["claimCurrencyTotals" if kind == "claim" else "transactionTotals"]
                ]
                currencies = {one["currency_code"] for one in totals}
                total = {"currency_code": currencies.pop()} | added(totals) if len(currencies) == 1 else money(None)
                counts = self.counts(key, record["status"])
                supplier = record.get("supplier") or {}
                rows.append(
                    total
                    | self._life(record)
                    | {
                        "company_id": company,
                        "company_name": self.name("company", company, company),
                        "document_type": kind,
                        "document_id": record["id"],
                        "reference": record.get("reference") or None,
                        "summary": record["summary"] or None,
                        "supplier_id": supplier.get("id") or None,
                        "supplier_name": self.name("supplier", company, supplier.get("id")) or supplier.get("name"),
                        "supplier_code": next(
                            (
                                one["supplierCode"]
                                for place, one in self.each("supplier")
                                if (place, one["id"]) == (company, supplier.get("id")) and one["supplierCode"]
                            ),
                            supplier.get("code"),
                        ),
                        "claimant_id": record.get("claimantId"),
                        "claimant_name": self.name("claimant", company, record.get("claimantId")),
                        "claim_type": record.get("claimType"),
                        "status": record["status"],
                        "counts_as": counts,
                        "is_open": record["status"] != "Finalised" and counts not in REFUSED,
                        "is_spend": counts == "spend",
                        "is_credit": key in self.credit_notes,
                        "line_count": len(own),
                        "entity_id": entity,
                        "entity_name": self.name("entity", company, entity),
                        "division_id": division,
                        "division_name": self.name("division", company, division),
                        "currency_count": len({one["currency_code"] for one in totals}),
                    }
                )
        return rows

    def _life(self, record: Mapping[str, Any]) -> Row:
        steps = ("created", "approved", "finalised", "updated")
        return (
            {f"{step}_at": self.at(record[f"{step}Date"]) for step in steps}
            | {f"{step}_on": self.day(record[f"{step}Date"]) for step in steps}
            | {
                f"{name}_on": self.day(record.get(f"{field}Date"))
                for name, field in (("from", "from"), ("to", "to"), ("invoice", "invoice"), ("due", "due"))
            }
        )

    def document(self) -> list[Row]:
        return self.documents

    @cached_property
    def approvals(self) -> list[Row]:
        rows = []
        for kind in ("claim", "invoice"):
            for company, record in self.each(kind):
                given = sorted(at for one in record["approvers"] if (at := self.at(one["approvedDate"])))
                for step, one in enumerate(record["approvers"], start=1):
                    at = self.at(one["approvedDate"])
                    # Two approvals at the same instant would need their order; the books have none.
                    before = max((when for when in given if at is None or when < at), default=None)
                    since = before or self.at(record["createdDate"])
                    rows.append(
                        {
                            "company_id": company,
                            "document_type": kind,
                            "document_id": record["id"],
                            "step": step,
                            "step_count": len(record["approvers"]),
                            "is_last": step == len(record["approvers"]),
                            "status": record["status"],
                            "approver_id": one["id"],
                            "approver_name": one["name"],
                            "previous_at": since,
                            "approved_at": at,
                            "approved_on": self.day(one["approvedDate"]),
                            "waited_hours": hours(at - since) if at and at >= since else None,
                        }
                    )
        return rows

    def approval(self) -> list[Row]:
        return self.approvals
