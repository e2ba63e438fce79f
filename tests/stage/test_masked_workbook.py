"""A masked workbook over marts of planted rows: whatever tells of a person in the source stands in no cell of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from planted_marts import claim, expense, invoice, row, total

from pipeline.report.values import ReportFacts
from pipeline.report.workbook import write_workbook

# Each stands in one source column only: an id, a name, a code, or what somebody wrote.
CLAIM = {
    "claimant_id": "id-of-claimant",
    "claimant_name": "Claimant Planted",
    "employee_number": "number-planted",
    "claimant_external_code": "external-planted",
    "summary": "claim-summary planted",
    "notes": "claim-notes planted",
}
INVOICE = {"summary": "invoice-summary planted", "notes": "invoice-notes planted"}
APPROVERS = {
    "claim_approver": ("id-of-approver", "Approver Planted"),
    "invoice_approver": (None, "Approver Without Id"),
}
EXPENSE = {"description": "expense-description planted", "expense_type": "Entertainment"}
RECIPIENT = "Recipient Planted"
# Table, column, value before, value after: old names, ids and words that no row holds any more.
RESTATED = (
    ("claim", "claimant_id", "id-before", "id-of-claimant"),
    ("claim", "claimant_name", "Name Before", "Claimant Planted"),
    ("claim", "employee_number", "number-before", "number-planted"),
    ("claim", "claimant_external_code", "external-before", "external-planted"),
    ("claim", "summary", "summary-before", "claim-summary planted"),
    ("claim", "notes", "notes-before", "notes-after"),
    ("claim", "_extra", "extra-before", "extra-after"),
    ("claim_approver", "id", "approver-id-before", "id-of-approver"),
    ("claim_approver", "name", "Approver Before", "Approver Planted"),
    ("claim_custom_field", "value", "field-before", "field-after"),
    ("expense", "description", "description-before", "expense-description planted"),
    ("expense_recipient", "name", "Recipient Before", "Recipient Planted"),
    ("expense", "gross_amount", "11.5000", "12.5000"),
    ("claim", "status", "Submitted", "Approved"),
)
SHOWN = ("11.5000", "12.5000", "Submitted", "Approved", "Entertainment")


def planted() -> list[str]:
    """Rows in which a person is told in every way there is; two expenses alike, and documents that wait."""
    claim_id, invoice_id = {"claim_id": "c"}, {"invoice_id": "i"}
    (approver_id, approver), (_, unknown) = APPROVERS.values()
    return [
        claim(status="PendingApproval", **CLAIM),
        total("claim", "c", 980),
        *(expense(key, **EXPENSE) for key in ("e", "f")),
        row("expense_recipient", company_id="1", **claim_id, expense_id="e", _index=0, type="Client", name=RECIPIENT),
        row("claim_approver", company_id="1", **claim_id, _index=0, id=approver_id, name=approver),
        invoice(status="PendingApproval", supplier_name="Supplier Shown", **INVOICE),
        total("invoice", "i", 100),
        row("invoice_approver", company_id="1", **invoice_id, _index=0, name=unknown),
        row("claim_custom_field", company_id="1", **claim_id, _index=0, name="field", value="claim-field"),
        row("expense_custom_field", company_id="1", **claim_id, expense_id="e", _index=0, value="expense-field"),
        row("invoice_custom_field", company_id="1", **invoice_id, _index=0, name="field", value="invoice-field"),
        *(
            "INSERT INTO meta.restatement (run_id, resource, table_name, key, column_name, before, after, kind) VALUES "
            f"('r', 'claim', '{table}', ['1', 'c'], '{column}', '{before}', '{after}', 'changed')"
            for table, column, before, after in RESTATED
        ),
    ]


SECRETS = {
    *CLAIM.values(),
    *INVOICE.values(),
    *(one for pair in APPROVERS.values() for one in pair if one),
    EXPENSE["description"],
    RECIPIENT,
    "claim-field",
    "expense-field",
    "invoice-field",
    *(value for *_, before, after in RESTATED for value in (before, after) if value not in SHOWN),
}


def texts(made, path: Path, *, mask_people: bool) -> dict[str, str]:
    """Everything that stands in a sheet, cell beside cell, by the sheet's name."""
    now = datetime(2026, 11, 22, 17, tzinfo=UTC)
    write_workbook(made.connection, path, ReportFacts("s", "Australia/Sydney", "r", now, mask_people=mask_people))
    return {
        page.title: "\n".join(str(cell.value) for cells in page.iter_rows() for cell in cells if cell.value is not None)
        for page in load_workbook(path)
    }


@pytest.fixture
def facts(made):
    return made(*planted())


def test_nobody_is_told_in_any_sheet(facts, tmp_path):
    masked = texts(facts, tmp_path / "masked.xlsx", mask_people=True)
    leaks = [(page, one) for page, text in masked.items() for one in SECRETS if one in text]
    assert leaks == []
    for one in (*SHOWN, "Supplier Shown", "(hidden)"):
        assert any(one in text for text in masked.values()), one


def test_what_is_searched_for_stands_in_the_workbook_that_is_not_masked(facts, tmp_path):
    """The rows do reach the sheets: the search above looks at something."""
    named = texts(facts, tmp_path / "named.xlsx", mask_people=False)
    found = {one for one in SECRETS if any(one in text for text in named.values())}
    assert SECRETS - found <= {"claim-notes planted", "invoice-notes planted", "claim-field", "expense-field"} | {
        "invoice-field",
        RECIPIENT,
    }
    for page in ("Open item", "Duplicate suspect", "Restatement", "FBT entertainment", "Approval", "Claimant"):
        assert any(one in named[page] for one in SECRETS), page


def test_one_person_has_one_name_in_all_sheets(facts, tmp_path):
    """Whoever a document waits for is the approver; who came without an id has a name of their own."""
    masked = texts(facts, tmp_path / "masked.xlsx", mask_people=True)
    called = {line for line in masked["Approval"].splitlines() if line.startswith("Person ")}
    assert len(called) == 2
    assert all(one in masked["Open item"] for one in called)
