"""The JSON of supplier invoices, their lines and the parts of split lines."""

from __future__ import annotations

from typing import Final, cast

import numpy as np

from pipeline.sandbox.data import lifecycle, names
from pipeline.sandbox.data.claims import (
    COMPANY_TEXTS,
    CUSTOM_FIELDS,
    currency_totals,
    fate_conditions,
    fate_fields,
    picked,
)
from pipeline.sandbox.data.coding import CURRENCY_TEXTS, Coder, amount_fields
from pipeline.sandbox.data.dimensions import Dimensions, updated_since
from pipeline.sandbox.data.draw import Draws, Ints, Mask
from pipeline.sandbox.data.invoices import FIRST_ID, FIRST_LINE_ID, OMITTED, SPLIT, TYPES, Invoices, Lines
from pipeline.sandbox.data.lifecycle import STATUS_TEXTS
from pipeline.sandbox.data.lines import created_before
from pipeline.sandbox.data.people import People
from pipeline.sandbox.data.splits import Parts, child_ids, part_ids, shares
from pipeline.sandbox.data.table import Table, Wanted, sort_key
from pipeline.sandbox.data.text import Choice, Texts, Value, nullable, put_together, quoted, record, take, texts
from pipeline.sandbox.data.times import DAY_S
from pipeline.sandbox.data.values import booleans, instants, integers, midnights, money

_SUMMARIES: Final = texts(
    ("", "Monthly account", "Progress claim", "Annual renewal", "Delivered to site", "Ad-hoc order")
)
_NOTES: Final = texts(names.NOTES)
_TERMS_DAYS: Final = np.array([7, 14, 30, 30, 45])


def invoice_table(seed: int, invoices: Invoices, lines: Lines, people: People, dimensions: Dimensions) -> Table:
    """The table of supplier invoices."""
    ids = invoices.number + np.int32(FIRST_ID)
    keys = sort_key(invoices.fate.updated.astype(np.int64), ids.astype(np.int64))
    suppliers = texts(dimensions.supplier_objects)
    rows_of = {each: row for row, each in enumerate(dimensions.suppliers.ids)}

    def of_supplier(rows: slice, value: Wanted) -> Mask:
        passed: Mask = invoices.supplier[rows] == rows_of.get(cast("str", value), -1)
        return passed

    return Table(
        name="invoice",
        starts=invoices.starts,
        keys=keys,
        ids=ids,
        write=lambda rows: _write(
            Draws(seed, "invoice"), invoices, lines, people, take(suppliers, invoices.supplier[rows]), rows
        ),
        conditions={**fate_conditions(invoices.fate, keys), "supplierid": of_supplier},
    )


def line_table(lines: Lines, parts: Parts, people: People, coder: Coder) -> Table:
    """The table of lines under invoices."""
    ids = lines.number + np.int32(FIRST_LINE_ID)
    keys = sort_key(lines.updated.astype(np.int64), ids.astype(np.int64))
    flags = lines.flags
    return Table(
        name="invoice_line",
        starts=lines.starts,
        keys=keys,
        ids=ids,
        write=lambda rows: _write_lines(lines, parts, people, coder, rows),
        conditions={
            "includeomitted": lambda rows, value: (flags[rows] & OMITTED) <= (OMITTED if value else 0),
            "minupdateddate": updated_since(keys),
        },
    )


def line_split_table(lines: Lines, parts: Parts, people: People, coder: Coder) -> Table:
    """The table of the parts of split lines."""
    place = parts.place(np.arange(len(parts.parent), dtype=np.int64))
    return Table(
        name="invoice_split",
        starts=parts.starts,
        keys=sort_key(lines.updated[parts.parent].astype(np.int64), place + 1),
        ids=(place + 1).astype(np.int8),
        write=lambda rows: _write_parts(lines, parts, people, coder, rows),
    )


def _write(draws: Draws, invoices: Invoices, lines: Lines, people: People, suppliers: Choice, rows: Ints) -> Texts:
    number = invoices.number[rows].astype(np.int64)
    company = invoices.company[rows].astype(np.int64)
    fate = picked(invoices.fate, rows, np.dtype(np.int64))
    created = invoices.created[rows].astype(np.int64)
    invoiced = created // DAY_S - draws.below("invoiced", number, 10)
    due = invoiced + _TERMS_DAYS[draws.below("terms", number, len(_TERMS_DAYS))]
    # Anyone of the company may have entered it: their manager approves first.
    clerk = draws.below("clerk", number, people.count // 5) * 5 + np.where(company == 1, 4, number % 4)
    fields: dict[str, Value] = {
        "id": quoted((integers(number + FIRST_ID),)),
        "companyId": (take(COMPANY_TEXTS, company),),
        "status": (take(STATUS_TEXTS, fate.status),),
        "supplier": (suppliers,),
        "transactionTotals": currency_totals(lines.counted(rows), len(rows)),
        "summary": (take(_SUMMARIES, draws.below("summary", number, len(_SUMMARIES))),),
        "notes": (take(_NOTES, draws.below("notes", number, len(names.NOTES))),),
        "reference": ('"INV-', integers(10_000 + draws.below("reference", number, 900_000)), '"'),
        "approvers": lifecycle.approvers(fate, people, first=people.manager[clerk], second=people.director[clerk]),
        "invoiceDate": midnights(invoiced),
        "dueDate": midnights(due),
        **fate_fields(fate, created),
        "customFields": (take(CUSTOM_FIELDS, draws.below("custom fields", number, len(CUSTOM_FIELDS))),),
    }
    return put_together((*record(fields), ","))


def _write_lines(lines: Lines, parts: Parts, people: People, coder: Coder, rows: Ints) -> Texts:
    draws = Draws(lines.seed, "line")
    number = lines.number[rows].astype(np.int64)
    flags, made = lines.flags[rows], lines.money.of(rows)
    kind = made.kind
    order = lines.invoices.number[lines.invoice[rows]].astype(np.int64)
    has_order = Draws(lines.seed, "invoice").chance("purchase order", order, 350)
    words = TYPES.fields(kind, draws, number)
    fields: dict[str, Value] = {
        "id": quoted((integers(number + FIRST_LINE_ID),)),
        "code": words["code"],
        "name": words["name"],
        "isSplit": booleans((flags & SPLIT) > 0),
        "splitChildren": child_ids(number + FIRST_LINE_ID, parts.starts[rows + 1] - parts.starts[rows]),
        "splitParent": ('""',),
        "description": words["description"],
        "quantity": money(made.quarters * 25),  # quarters as hundredths
        "unitPrice": money(made.unit_price),
        "expenseType": (take(TYPES.names, kind),),
        "glCode": (take(TYPES.gl_codes, kind),),
        **_coding(lines, people, coder, draws, number, rows),
        "taxCodeId": coder.tax_code(lines.company(rows), made.tax_kind),
        **amount_fields(made.gross, made.tax, _currency(lines, rows)),
        "isOmitted": booleans((flags & OMITTED) > 0),
        "purchaseOrder": (nullable(has_order, put_together(('"PO-', integers(order + 100_000), '"'))),),
        **_dates(lines, rows),
        "customFields": (take(CUSTOM_FIELDS, draws.below("custom fields", number, len(CUSTOM_FIELDS))),),
    }
    return put_together((*record(fields), ","))


def _currency(lines: Lines, rows: Ints) -> Choice:
    return take(CURRENCY_TEXTS, lines.invoices.currency[lines.invoice[rows]])


def _coding(lines: Lines, people: People, coder: Coder, draws: Draws, number: Ints, rows: Ints) -> dict[str, Value]:
    company = lines.company(rows)
    invoice = lines.invoices.number[lines.invoice[rows]].astype(np.int64)
    division = people.division[invoice % (people.count // 5) * 5 + np.where(company == 1, 4, 0)]
    return coder.fields(draws, number, company, division)


def _dates(lines: Lines, rows: Ints) -> dict[str, Value]:
    updated = lines.updated[rows].astype(np.int64)
    created = lines.invoices.created[lines.invoice[rows]].astype(np.int64)
    number = lines.number[rows].astype(np.int64)
    return {
        "createdDate": instants(created_before(Draws(lines.seed, "line"), number, created, updated)),
        "updatedDate": instants(updated),
    }


def _write_parts(lines: Lines, parts: Parts, people: People, coder: Coder, rows: Ints) -> Texts:
    parent = parts.parent[rows].astype(np.int64)
    place = parts.place(rows)
    number = lines.number[parent].astype(np.int64)
    own_number = number * 4 + place
    draws = Draws(lines.seed, "invoice_split")
    made = lines.money.of(parent)
    kind = made.kind
    share = shares(draws, number, place, parts.starts[parent + 1] - parts.starts[parent])
    coding = _coding(lines, people, coder, draws, own_number, parent)
    del coding["portfolioId"]  # parts carry none
    fields: dict[str, Value] = {
        "id": part_ids(number + FIRST_LINE_ID, place),
        "splitParent": quoted((integers(number + FIRST_LINE_ID),)),
        "description": TYPES.fields(kind, draws, own_number)["description"],
        "percentage": (share.percentage,),
        "expenseType": (take(TYPES.names, kind),),
        "glCode": (take(TYPES.gl_codes, kind),),
        **coding,
        "taxCodeId": coder.tax_code(lines.company(parent), made.tax_kind),
        **amount_fields(share.of(made.gross), share.of(made.tax), _currency(lines, parent)),
        **_dates(lines, parent),
    }
    return put_together((*record(fields), ","))
