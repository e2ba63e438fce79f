"""Claims and invoices as whole documents: header, lines and parts of lines; what they come to, and changing amounts.

Amounts are whole cents while they are calculated with. Not here: which document changes, and when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from pipeline.sandbox.clock.filters import Record
from pipeline.sandbox.clock.ledger import Ledger
from pipeline.sandbox.clock.overlay import Context
from pipeline.sandbox.data.coding import CURRENCIES, RATE_SCALE, ranges
from pipeline.sandbox.data.splits import WHOLE

_FIELDS: Final = ("grossAmount", "netAmount", "taxAmount")


@dataclass(frozen=True, slots=True)
class Kind:
    """Claims or invoices: their resource, and the resources of their lines and parts."""

    name: str
    line: str
    part: str


CLAIM: Final = Kind("claim", "expense", "expense_split")
INVOICE: Final = Kind("invoice", "invoice_line", "invoice_split")
KINDS: Final = (CLAIM, INVOICE)
COMPANIES: Final = ("1", "2")


@dataclass(slots=True)
class Line:
    """A line and its parts."""

    record: Record
    parts: list[Record]


@dataclass(slots=True)
class Document:
    """A claim or an invoice with all that hangs under it."""

    kind: Kind
    company: str
    header: Record
    lines: list[Line]

    @property
    def key(self) -> str:
        return str(self.header["id"])

    @property
    def home(self) -> Context:
        """The parents of its header."""
        return (self.company,)

    @property
    def under(self) -> Context:
        """The parents of its lines."""
        return (self.company, self.key)


def load(ledger: Ledger, kind: Kind, company: str, key: str) -> Document:
    """A document as it stands.

    Raises:
        KeyError: there is none.
    """
    header = ledger.get(kind.name, (company,), key)
    if header is None:
        raise KeyError(key)
    lines = [
        Line(
            version.record,
            [part.record for part in ledger.standing(kind.part, (company, key, version.key))],
        )
        for version in ledger.standing(kind.line, (company, key))
    ]
    return Document(kind, company, header.record, lines)


def prefetch(
    ledger: Ledger,
    kind: Kind,
    keys: Iterable[tuple[str, str]],
    *,
    rows: Iterable[int] = (),
    headers_only: bool = False,
) -> None:
    """Make the text of the documents that will be read, by company and key or by row, as far as the tables have it."""
    tables = ledger.books.tables
    found = (tables[kind.name].find(COMPANIES.index(company), key) for company, key in keys)
    wanted = sorted({*rows, *(row for row in found if row is not None)})
    ledger.prefetch(kind.name, wanted)
    if not headers_only:
        lines, _, _ = ranges(tables[kind.line].starts, np.array(wanted, dtype=np.int64))
        parts, _, _ = ranges(tables[kind.part].starts, lines)
        ledger.prefetch(kind.line, lines.tolist())
        ledger.prefetch(kind.part, parts.tolist())


def put(ledger: Ledger, document: Document, at_s: int) -> None:
    """Write a document with all its lines, visible from that second on."""
    ledger.put(document.kind.name, document.home, document.header, at_s)
    for line in document.lines:
        put_line(ledger, document, line, at_s)


def put_line(ledger: Ledger, document: Document, line: Line, at_s: int) -> None:
    """Write one line with its parts."""
    ledger.put(document.kind.line, document.under, line.record, at_s)
    for part in line.parts:
        ledger.put(document.kind.part, (*document.under, line.record["id"]), part, at_s)


def drop_line(ledger: Ledger, document: Document, line: Line, at_s: int) -> None:
    """Delete one line with its parts."""
    for part in line.parts:
        ledger.drop(document.kind.part, (*document.under, line.record["id"]), part["id"], at_s)
    ledger.drop(document.kind.line, document.under, line.record["id"], at_s)


def drop(ledger: Ledger, document: Document, at_s: int) -> None:
    """Delete a document with all that hangs under it."""
    for line in document.lines:
        drop_line(ledger, document, line, at_s)
    ledger.drop(document.kind.name, document.home, document.key, at_s)


def cents(value: int | Decimal) -> int:
    """Hundredths of an amount."""
    return int(value * 100)


def amount(value_cents: int) -> int | Decimal:
    """An amount as the books write it: no trailing zeros."""
    if value_cents % 100 == 0:
        return value_cents // 100
    places = -1 if value_cents % 10 == 0 else -2
    return Decimal(value_cents // (10 if places == -1 else 1)).scaleb(places)


def set_money(holder: Record, gross: int, tax: int) -> None:
    """Write gross, net and tax into a money object or a line."""
    for name, value in zip(_FIELDS, (gross, gross - tax, tax), strict=True):
        holder[name] = amount(value)


def is_counted(line: Record) -> bool:
    """Whether a line enters its document's totals: the personal and the omitted do not."""
    return not line.get("isPersonal", False) and not line["isOmitted"]


def write_totals(document: Document) -> None:
    """Make the header's totals the sums of the counted lines."""
    counted = [line.record for line in document.lines if is_counted(line.record)]
    by_currency = {code: [r for r in counted if r["currencyCode"] == code] for code in CURRENCIES}
    document.header["transactionTotals"] = [total(found, code) for code, found in by_currency.items() if found]
    if "claimCurrencyTotals" in document.header:
        at_home = [record["claimCurrencyTotal"] for record in counted]
        document.header["claimCurrencyTotals"] = [total(at_home, at_home[0]["currencyCode"])] if at_home else []


def total(amounts: Iterable[Record], code: str) -> Record:
    """The sum of some amounts of one currency, as a money object."""
    sums = [(cents(each["grossAmount"]), cents(each["taxAmount"])) for each in amounts]
    made: Record = {}
    set_money(made, sum(gross for gross, _ in sums), sum(tax for _, tax in sums))
    made["currencyCode"] = code
    return made


def raise_price(line: Line, dollars: int) -> None:
    """Make a line dearer by whole dollars a unit (kilometres, for mileage); its tax and its parts follow."""
    record = line.record
    if "claimCurrencyTotal" in record:
        _raise_expense(record, dollars)
    else:
        _raise_invoice_line(record, dollars)
    done = 0
    for part in line.parts:
        share = done, done + int(Decimal(part["percentage"]) * 10_000)
        done = share[1]
        unit = 100 if record["currencyCode"] == "JPY" else 1  # yen have no cents
        set_money(part, *(_share(cents(record[name]) // unit, share) * unit for name in ("grossAmount", "taxAmount")))
        if "claimCurrencyTotal" in part:
            whole = record["claimCurrencyTotal"]
            shares = (_share(cents(whole[name]), share) for name in ("grossAmount", "taxAmount"))
            set_money(part["claimCurrencyTotal"], *shares)


def _share(value: int, between: tuple[int, int]) -> int:
    """The part of a value between two ten-thousandths of a per cent; the parts of a line add up to it."""
    return value * between[1] // WHOLE - value * between[0] // WHOLE


def _scaled(tax: int, new: int, old: int) -> int:
    return (2 * tax * new + old) // (2 * old) if old else tax


def _raise_expense(record: Record, dollars: int) -> None:
    gross, tax = cents(record["grossAmount"]), cents(record["taxAmount"])
    if record["quantity"] != 1:
        record["quantity"] += dollars
        raised = record["quantity"] * cents(record["unitPrice"])
    else:
        raised = gross + dollars * 100
        record["unitPrice"] = amount(raised)
    tax = _scaled(tax, raised, gross)
    if record["currencyCode"] == "JPY":
        tax -= tax % 100
    set_money(record, raised, tax)
    rate = int(record["exchangeRate"] * RATE_SCALE)
    at_home = ((value * rate + RATE_SCALE // 2) // RATE_SCALE for value in (raised, tax))
    set_money(record["claimCurrencyTotal"], *at_home)


def _raise_invoice_line(record: Record, dollars: int) -> None:
    net, tax = cents(record["netAmount"]), cents(record["taxAmount"])
    # Quarter units and whole dollars more: the net amount stays units times price, exactly.
    record["unitPrice"] = amount(cents(record["unitPrice"]) + dollars * 100)
    raised = int(record["quantity"] * record["unitPrice"] * 100)
    tax = _scaled(tax, raised, net)
    set_money(record, raised + tax, tax)
