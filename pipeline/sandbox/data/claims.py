"""Expense claims as columns, and their JSON: every status, both companies, totals that are sums of their expenses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from pipeline.sandbox.data import lifecycle, names
from pipeline.sandbox.data.coding import CURRENCY_COUNT, CURRENCY_TEXTS, money_object
from pipeline.sandbox.data.dimensions import COMPANY_COUNT, updated_since
from pipeline.sandbox.data.draw import Draws, Ints
from pipeline.sandbox.data.lifecycle import FINALISED, STATUS_TEXTS, STATUSES, Fate
from pipeline.sandbox.data.people import People, claimant_fields
from pipeline.sandbox.data.table import Condition, Table, sort_key
from pipeline.sandbox.data.text import Texts, Value, lists, put_together, quoted, record, take, texts
from pipeline.sandbox.data.times import DAY_S, creation_times, month_before
from pipeline.sandbox.data.values import instants, integers, midnights

FIRST_ID: Final = 1_000_001
KINDS: Final = ("Cash", "Mileage", "Master Card", "Visa", "Wise Virtual Card")
MILEAGE: Final = 1
_KIND_WEIGHTS: Final = (42, 8, 26, 14, 10)
_KIND_TEXTS: Final = texts(KINDS)
_SUMMARIES: Final = texts(names.SUMMARIES)
_NOTES: Final = texts(names.NOTES)
HOME_TEXTS: Final = texts(("AUD", "NZD"))
COMPANY_TEXTS: Final = texts(str(number + 1) for number in range(COMPANY_COUNT))
CUSTOM_FIELDS: Final = texts(
    [{"type": kind, "name": name, "value": value} for kind, name, value in chosen]
    for chosen in (
        (),
        (),
        (("text", "Trip purpose", "Client visit"),),
        (("list", "Region", "North"), ("text", "Trip purpose", "optional")),
        (("list", "Region", "South"),),
        (("checkbox", "Billable", "true"),),
        (("text", "Reference", ""),),
        (("date", "Event date", "2025-11-04"), ("list", "Region", "Pacific")),
    )
)


@dataclass(frozen=True, eq=False, slots=True)
class Claims:
    """Columns in table order; `number` is the claim's place in order of creation and drives every draw about it."""

    number: Ints
    company: Ints
    created: Ints
    claimant: Ints
    kind: Ints
    fate: Fate
    starts: Ints
    moved_days: int = 0

    @property
    def ids(self) -> Ints:
        return self.number + FIRST_ID

    def period(self, rows: Ints) -> tuple[Ints, Ints]:
        """First and last day of the claim's period: the month before for cards, some days before creation for cash.

        In moved books a card's month is moved with them, so that exactly the same is spent.
        """
        day = self.created[rows].astype(np.int64) // DAY_S - self.moved_days
        first, last = month_before(day)
        number = self.number[rows].astype(np.int64)
        to = day - number % 3
        is_card = self.kind[rows] > MILEAGE
        opens, closes = np.where(is_card, first, to - 3 - number % 27), np.where(is_card, last, to)
        return opens + self.moved_days, closes + self.moved_days


def make_claims(seed: int, count: int, people: People, moved_days: int = 0) -> Claims:
    """The columns of `count` claims, sorted by company, last update and id."""
    rows = np.arange(count, dtype=np.int64)
    draws = Draws(seed, "claim")
    created = creation_times(draws, rows, count)
    claimant = draws.below("claimant", rows, people.count)
    fate = lifecycle.decide(draws, rows, created).moved(moved_days * DAY_S)
    order, starts = in_order(people.company[claimant], sort_key(fate.updated, rows))
    return Claims(
        number=order.astype(np.int32),
        company=people.company[claimant][order].astype(np.int8),
        created=(created + moved_days * DAY_S)[order].astype(np.int32),
        claimant=claimant[order].astype(np.int16),
        kind=draws.weighted("kind", rows, _KIND_WEIGHTS)[order].astype(np.int8),
        fate=picked(fate, order, np.dtype(np.int32)),
        starts=starts,
        moved_days=moved_days,
    )


def in_order(company: Ints, keys: Ints) -> tuple[Ints, Ints]:
    """The order by company and key, and where each company's rows start in it."""
    order = np.lexsort((keys, company))
    return order, np.searchsorted(company[order], np.arange(COMPANY_COUNT + 1)).astype(np.int64)


def picked(fate: Fate, rows: Ints, dtype: np.dtype[np.int32] | np.dtype[np.int64]) -> Fate:
    """The columns of some rows."""
    return Fate(
        status=fate.status[rows].astype(dtype),
        first_approved=fate.first_approved[rows].astype(dtype),
        second_approved=fate.second_approved[rows].astype(dtype),
        finalised=fate.finalised[rows].astype(dtype),
        updated=fate.updated[rows].astype(dtype),
        has_second=fate.has_second[rows].astype(dtype),
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counted lines under some documents add to totals: owner, currency, and cents there and at home."""

    owner: Ints
    currency: Ints
    gross: Ints
    tax: Ints
    home_gross: Ints
    home_tax: Ints


def claim_table(seed: int, claims: Claims, people: People, counted: Callable[[Ints], Counted]) -> Table:
    """The table of claims; `counted` gives the amounts of the expenses under some claims that enter totals."""
    keys = sort_key(claims.fate.updated.astype(np.int64), claims.ids.astype(np.int64))
    return Table(
        name="claim",
        starts=claims.starts,
        keys=keys,
        ids=claims.ids,
        write=lambda rows: _write(Draws(seed, "claim"), claims, people, rows, counted(rows)),
        conditions=fate_conditions(claims.fate, keys),
    )


def fate_conditions(fate: Fate, keys: Ints) -> dict[str, Condition]:
    """The filters that claims and invoices share."""
    return {
        "status": lambda rows, value: fate.status[rows] == STATUSES.index(cast("str", value)),
        "finaliseddate": lambda rows, value: (fate.status[rows] == FINALISED) & (fate.finalised[rows] >= value),
        "minupdateddate": updated_since(keys),
    }


def _write(draws: Draws, claims: Claims, people: People, rows: Ints, counted: Counted) -> Texts:
    number = claims.number[rows].astype(np.int64)
    company = claims.company[rows]
    claimant = claims.claimant[rows]
    fate = picked(claims.fate, rows, np.dtype(np.int64))
    first_day, last_day = claims.period(rows)
    fields: dict[str, Value] = {
        "id": quoted((integers(number + FIRST_ID),)),
        "companyId": (take(people.company_texts, claimant),),
        **claimant_fields(people, claimant),
        "claimType": (take(_KIND_TEXTS, claims.kind[rows]),),
        "status": (take(STATUS_TEXTS, fate.status),),
        "claimCurrencyTotals": home_totals(counted, company),
        "transactionTotals": currency_totals(counted, len(rows)),
        "summary": (take(_SUMMARIES, draws.below("summary", number, len(names.SUMMARIES))),),
        "notes": (take(_NOTES, draws.below("notes", number, len(names.NOTES))),),
        "approvers": lifecycle.approvers(
            fate, people, first=people.manager[claimant], second=people.director[claimant]
        ),
        "fromDate": midnights(first_day),
        "toDate": midnights(last_day),
        **fate_fields(fate, claims.created[rows].astype(np.int64)),
        "customFields": (take(CUSTOM_FIELDS, draws.below("custom fields", number, len(CUSTOM_FIELDS))),),
    }
    return put_together((*record(fields), ","))


def fate_fields(fate: Fate, created: Ints) -> dict[str, Value]:
    """The four instants of a document's life."""
    approved = fate.approved
    return {
        "approvedDate": instants(approved, present=approved > 0),
        "finalisedDate": instants(fate.finalised, present=fate.finalised > 0),
        "createdDate": instants(created),
        "updatedDate": instants(fate.updated),
    }


def currency_totals(counted: Counted, count: int) -> Value:
    """One total for each currency among the counted lines, in the order of `CURRENCIES`."""
    slot = counted.owner * CURRENCY_COUNT + counted.currency
    lines = np.bincount(slot, minlength=count * CURRENCY_COUNT)
    gross, tax = (_sums(slot, cents, count * CURRENCY_COUNT) for cents in (counted.gross, counted.tax))
    used = np.flatnonzero(lines)
    if not used.size:
        return ("[]",)
    items = put_together(money_object(gross[used], tax[used], take(CURRENCY_TEXTS, used % CURRENCY_COUNT)))
    return lists(np.bincount(used // CURRENCY_COUNT, minlength=count), items)


def home_totals(counted: Counted, company: Ints) -> Value:
    """The total in the company's currency; an empty list when no line counts."""
    count = len(company)
    has_lines = np.bincount(counted.owner, minlength=count) > 0
    used = np.flatnonzero(has_lines)
    if not used.size:
        return ("[]",)
    gross, tax = (_sums(counted.owner, cents, count)[used] for cents in (counted.home_gross, counted.home_tax))
    items = put_together(money_object(gross, tax, take(HOME_TEXTS, company[used])))
    return lists(has_lines.astype(np.int64), items)


def _sums(slots: Ints, cents: Ints, count: int) -> Ints:
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, slots, cents)
    return sums
