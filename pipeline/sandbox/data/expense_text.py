"""The JSON of expenses and of the parts of split expenses."""

from __future__ import annotations

import numpy as np

from pipeline.sandbox.data.claims import CUSTOM_FIELDS, HOME_TEXTS
from pipeline.sandbox.data.coding import CURRENCY_TEXTS, JPY, Coder, amount_fields, money_object, rate_texts
from pipeline.sandbox.data.dimensions import updated_since
from pipeline.sandbox.data.draw import Draws, Ints
from pipeline.sandbox.data.expenses import (
    CENTS_PER_KM,
    ENTERTAINMENT,
    FIRST_ID,
    MILEAGE_TYPE,
    OMITTED,
    PERSONAL,
    RECIPIENTS,
    SPLIT,
    TYPES,
    Amounts,
    Expenses,
)
from pipeline.sandbox.data.lines import created_before
from pipeline.sandbox.data.people import People
from pipeline.sandbox.data.splits import Parts, child_ids, part_ids, shares
from pipeline.sandbox.data.table import Table, sort_key
from pipeline.sandbox.data.text import Texts, Value, put_together, quoted, record, take, where
from pipeline.sandbox.data.values import booleans, instants, integers, midnights, money


def expense_table(expenses: Expenses, parts: Parts, people: People, coder: Coder) -> Table:
    """The table of expenses under claims."""
    keys = sort_key(expenses.updated.astype(np.int64), expenses.number.astype(np.int64) + FIRST_ID)
    flags = expenses.flags
    return Table(
        name="expense",
        starts=expenses.starts,
        keys=keys,
        ids=expenses.number + np.int32(FIRST_ID),
        write=lambda rows: _write(expenses, parts, people, coder, rows),
        conditions={
            "includepersonal": lambda rows, value: (flags[rows] & PERSONAL) <= (PERSONAL if value else 0),
            "includeomitted": lambda rows, value: (flags[rows] & OMITTED) <= (OMITTED if value else 0),
            "minupdateddate": updated_since(keys),
        },
    )


def expense_split_table(expenses: Expenses, parts: Parts, people: People, coder: Coder) -> Table:
    """The table of the parts of split expenses."""
    place = parts.place(np.arange(len(parts.parent), dtype=np.int64))
    return Table(
        name="expense_split",
        starts=parts.starts,
        keys=sort_key(expenses.updated[parts.parent].astype(np.int64), place + 1),
        ids=(place + 1).astype(np.int8),
        write=lambda rows: _write_parts(expenses, parts, people, coder, rows),
    )


def _write(expenses: Expenses, parts: Parts, people: People, coder: Coder, rows: Ints) -> Texts:
    draws = Draws(expenses.seed, "expense")
    number = expenses.number[rows].astype(np.int64)
    flags, made = expenses.flags[rows], expenses.money.of(rows)
    kind = made.kind
    is_mileage = kind == MILEAGE_TYPE
    is_split = (flags & SPLIT) > 0
    fields: dict[str, Value] = {
        "id": quoted((integers(number + FIRST_ID),)),
        **TYPES.fields(kind, draws, number),
        "quantity": (integers(np.where(is_mileage, expenses.kilometres(rows), 1)),),
        "unitPrice": money(np.where(is_mileage, CENTS_PER_KM, made.gross)),
        "transactionDate": midnights(expenses.days(rows)),
        "expenseType": (take(TYPES.names, kind),),
        "glCode": (take(TYPES.gl_codes, kind),),
        **_coding(expenses, people, coder, rows),
        **_money(expenses, coder, rows, made),
        "isPersonal": booleans((flags & PERSONAL) > 0),
        "isOmitted": booleans((flags & OMITTED) > 0),
        "isSplit": booleans(is_split),
        "splitChildren": child_ids(number + FIRST_ID, parts.starts[rows + 1] - parts.starts[rows]),
        "splitParent": ('""',),
        "hasReceipt": booleans(draws.chance("receipt", number, 940)),
        "recipients": (
            where(kind == ENTERTAINMENT, take(RECIPIENTS, draws.below("recipients", number, len(RECIPIENTS))), "[]"),
        ),
        **_dates(expenses, rows),
        "customFields": (take(CUSTOM_FIELDS, draws.below("custom fields", number, len(CUSTOM_FIELDS))),),
    }
    return put_together((*record(fields), ","))


def _coding(expenses: Expenses, people: People, coder: Coder, rows: Ints) -> dict[str, Value]:
    division = people.division[expenses.claims.claimant[expenses.claim[rows]]]
    number = expenses.number[rows].astype(np.int64)
    return coder.fields(Draws(expenses.seed, "expense"), number, expenses.company(rows), division)


def _money(expenses: Expenses, coder: Coder, rows: Ints, made: Amounts) -> dict[str, Value]:
    company = expenses.company(rows)
    return {
        "taxCodeId": coder.tax_code(company, made.tax_kind),
        **amount_fields(made.gross, made.tax, take(CURRENCY_TEXTS, made.currency)),
        "exchangeRate": (rate_texts(company, made.currency, expenses.days(rows) - expenses.claims.moved_days),),
        "claimCurrencyTotal": money_object(made.home_gross, made.home_tax, take(HOME_TEXTS, company)),
    }


def _dates(expenses: Expenses, rows: Ints) -> dict[str, Value]:
    updated = expenses.updated[rows].astype(np.int64)
    created = expenses.claims.created[expenses.claim[rows]].astype(np.int64)
    draws = Draws(expenses.seed, "expense")
    return {
        "createdDate": instants(created_before(draws, expenses.number[rows].astype(np.int64), created, updated)),
        "updatedDate": instants(updated),
    }


def _write_parts(expenses: Expenses, parts: Parts, people: People, coder: Coder, rows: Ints) -> Texts:
    parent = parts.parent[rows].astype(np.int64)
    place = parts.place(rows)
    number = expenses.number[parent].astype(np.int64)
    draws = Draws(expenses.seed, "expense_split")
    own_number = number * 4 + place
    made, company = expenses.money.of(parent), expenses.company(parent)
    kind = made.kind
    share = shares(draws, number, place, parts.starts[parent + 1] - parts.starts[parent])
    unit = np.where(made.currency == JPY, 100, 1)  # yen have no cents
    fields: dict[str, Value] = {
        "id": part_ids(number + FIRST_ID, place),
        "splitParent": quoted((integers(number + FIRST_ID),)),
        "description": TYPES.fields(kind, draws, own_number)["description"],
        "percentage": (share.percentage,),
        "expenseType": (take(TYPES.names, kind),),
        "glCode": (take(TYPES.gl_codes, kind),),
        **_part_coding(expenses, people, coder, parent, own_number),
        "taxCodeId": coder.tax_code(company, made.tax_kind),
        **amount_fields(
            share.of(made.gross // unit) * unit, share.of(made.tax // unit) * unit, take(CURRENCY_TEXTS, made.currency)
        ),
        "claimCurrencyTotal": money_object(
            share.of(made.home_gross), share.of(made.home_tax), take(HOME_TEXTS, company)
        ),
        "isPersonal": booleans(draws.chance("personal", own_number, 20)),
        **_dates(expenses, parent),
    }
    return put_together((*record(fields), ","))


def _part_coding(expenses: Expenses, people: People, coder: Coder, parent: Ints, own_number: Ints) -> dict[str, Value]:
    """Like an expense's, drawn for the part itself; parts carry no portfolio."""
    division = people.division[expenses.claims.claimant[expenses.claim[parent]]]
    fields = coder.fields(Draws(expenses.seed, "expense_split"), own_number, expenses.company(parent), division)
    return {name: value for name, value in fields.items() if name != "portfolioId"}
