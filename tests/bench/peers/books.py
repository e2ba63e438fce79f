"""The books that everybody reads: a sandbox, the lists without fan-out, and what is truly in them.

Lines under claims and invoices are left out: with one request a document it would be a test of small requests. The lists
that are left hold lists inside their records.
"""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline.resources import Column, Kind, Resource, default_path, parse_catalogue
from tests.bench.peers.exactness import Amount, Measure
from tests.bench.serving import pages_of

LISTS = ("entity", "division", "tax_code", "portfolio", "project", "supplier", "claim", "invoice")
MONEY = {"claim": ("claimCurrencyTotals", "transactionTotals"), "invoice": ("transactionTotals",)}
AMOUNTS = ("grossAmount", "netAmount", "taxAmount")
_ROWS_A_CLAIM = 1 + 3 / 4 + 0.05  # itself, invoices, active suppliers


@dataclass(frozen=True)
class Books:
    """A sandbox that serves, and what a complete and exact reader must have found in it."""

    served: dict[str, Any]
    bodies: Path
    page_limit: int
    rows: dict[str, int] = field(default_factory=dict)
    amounts: dict[Measure, Amount] = field(default_factory=dict)

    @property
    def row_count(self) -> int:
        """Records of all lists."""
        return sum(self.rows.values())

    @property
    def byte_count(self) -> int:
        """Bytes of all pages."""
        return sum(path.stat().st_size for path in self.bodies.iterdir())

    def requests(self) -> int:
        """Requests answered so far."""
        context = ssl.create_default_context(cafile=self.served["ca_file"])
        with urllib.request.urlopen(f"{self.served['admin_url']}/counters", context=context) as answer:
            return int(json.load(answer)["requests"])


def catalogue_text() -> str:
    """The catalogue of the product with nothing but these lists, each read by one walk a company."""
    kept, is_kept = [], True
    for line in default_path().read_text().splitlines():
        if line.startswith("["):
            name = re.match(r"\[(resource|shape)\.(\w+)", line)
            is_kept = name is None or name[1] == "shape" or name[2] in (*LISTS, "company")
        if is_kept:
            kept.append(re.sub(r"^requests = \[(\{[^}]*\}).*\]$", r"requests = [\1]", line))
    return "\n".join(kept) + "\n"


def lists() -> list[dict[str, Any]]:
    """The lists as a job says them to a contestant."""
    catalogue = parse_catalogue(catalogue_text(), "the bench")
    return [
        {
            "name": one.name,
            "path": one.path.removeprefix("/{version}/"),
            "query": dict(one.requests[0]),
            "schema": schema_of(one),
        }
        for one in catalogue
        if one.name in LISTS
    ]


def schema_of(resource: Resource) -> dict[str, Any]:
    """The JSON schema of a record, with the company it belongs to."""
    company = {"companyId": {"type": ["string", "null"]}}
    return {"type": "object", "properties": {column.name: _typed(column) for column in resource.columns} | company}


_PLAIN = {
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.DECIMAL: {"type": ["number", "null"]},
    Kind.INTEGER: {"type": ["integer", "null"]},
    Kind.BOOLEAN: {"type": ["boolean", "null"]},
    Kind.TIMESTAMP: {"type": ["string", "null"], "format": "date-time"},
    Kind.DATE: {"type": ["string", "null"], "format": "date"},
}


def _typed(column: Column) -> dict[str, Any]:
    if column.kind not in (Kind.OBJECT, Kind.LIST):
        return _PLAIN[column.kind]
    fields = {"type": ["object", "null"], "properties": {one.name: _typed(one) for one in column.columns}}
    if column.kind is Kind.OBJECT:
        return fields
    return {"type": ["array", "null"], "items": _typed(column.item) if column.item else fields}


def claims_for(rows: int) -> int:
    """The size of books with about so many records in these lists."""
    return max(10, round(rows / _ROWS_A_CLAIM))


@contextmanager
def open_books(folder: Path, rows: int, page_limit: int, latency_ms: int) -> Iterator[Books]:
    """A sandbox in a process of its own, read once: its text is made, its bytes lie on the disk, its truth is known."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "pipeline", "sandbox", "serve", "--json", "--claims", str(claims_for(rows))]
    late = ("--fault", f"latency:seconds={latency_ms / 1000}") if latency_ms else ()
    process = subprocess.Popen(
        [*command, "--state", str(folder / "sandbox"), *late],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    try:
        assert process.stdout is not None
        books = Books(json.loads(process.stdout.readline()), folder / "bodies", page_limit)
        books.bodies.mkdir()
        _read_once(books)
        yield books
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _read_once(books: Books) -> None:
    rows: Counter[str] = Counter()
    totals: dict[Measure, Amount] = {}
    count = 0
    companies: list[str] = []
    wanted = [("company", "company", "")]
    while wanted:
        name, path, query = wanted.pop(0)
        for body in pages_of(books.served, f"/beta/{path}", f"limit={books.page_limit}{query}"):
            (books.bodies / f"{count:06}.json").write_bytes(body)
            count += 1
            records = json.loads(body, parse_float=Decimal)["page"]
            rows[name] += len(records)
            _add(totals, name, records)
            if name == "company":
                companies += [one["companyId"] for one in records]
        if name == "company":
            wanted = [
                (
                    one["name"],
                    one["path"].replace("{companyId}", company),
                    "".join(f"&{k}={v}" for k, v in one["query"].items()),
                )
                for one in lists()
                for company in companies
            ]
    books.rows.update(rows)
    books.amounts.update(totals)


def _add(totals: dict[Measure, Amount], name: str, records: list[dict[str, Any]]) -> None:
    for nested in MONEY.get(name, ()):
        for amount in AMOUNTS:
            values = [Decimal(item[amount]) for record in records for item in record[nested]]
            known = totals.get((name, nested, amount), Amount("JSON", Decimal(0), 0))
            totals[name, nested, amount] = Amount("JSON", known.total + sum(values), known.count + len(values))
