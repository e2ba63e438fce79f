"""Marts of planted rows: a warehouse with the program's own tables, a few rows put in, and the marts made of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline import warehouse
from pipeline.marts import MartFinding, Reporting
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables
from pipeline.warehouse import Built, Parts

CATALOGUE = read_catalogue()
TODAY = date(2026, 11, 23)
HOUSE = Reporting(
    as_at=datetime(2026, 11, 22, 15, tzinfo=UTC),  # the 23rd in Sydney
    today=TODAY,
    timezone="Australia/Sydney",
    fiscal_month=7,
    due_soon_days=7,
    approval_thresholds=(1000,),
    threshold_percent=5.0,
    entertainment_types=("Entertainment",),
)


@pytest.fixture(scope="session")
def bare_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Built:
    from warehouse_parts import run_of  # stands beside the tests of the stages

    folder = tmp_path_factory.mktemp("empty")
    return warehouse.build(folder / "w.duckdb", [run_of(*(Parts(one, ()) for one in CATALOGUE))], temp_dir=folder)


class Made:
    """The marts of a file, and what their tests found."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, found: tuple[MartFinding, ...]) -> None:
        self.connection = connection
        self.wrong = {one.name: [row.detail for row in one.blamed] for one in found if one.blamed_count}

    def __call__(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


Make = Callable[..., Made]


@pytest.fixture
def made(bare_warehouse: Built, tmp_path: Path) -> Iterator[Make]:
    """Plants rows, makes the marts, and opens the file."""
    file = replace(bare_warehouse, path=tmp_path / "w.duckdb")
    shutil.copy(bare_warehouse.path, file.path)
    file.path.chmod(0o600)
    opened = []

    def make(*rows: str, **house: Any) -> Made:
        with closing(duckdb.connect(str(file.path))) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for one in rows:
                connection.execute(one)
        found = warehouse.make_marts(file, all_tables(CATALOGUE), replace(HOUSE, **house), temp_dir=tmp_path)
        opened.append(duckdb.connect(str(file.path), read_only=True))
        return Made(opened[-1], found)

    yield make
    for one in opened:
        one.close()


def row(table: str, **values: Any) -> str:
    """An INSERT of one row; whatever is not said is missing."""
    texts = ", ".join(
        "NULL" if one is None else repr(one) if isinstance(one, str) else str(one) for one in values.values()
    )
    return f"INSERT INTO prospend.{table} ({', '.join(values)}) VALUES ({texts})"


def claim(key: str = "c", status: str | None = "Approved", **more: Any) -> str:
    given = {"created_date": "2026-10-01T00:00:00Z", "claimant_id": "p", "claimant_name": "Someone"}
    return row("claim", company_id="1", id=key, status=status, **{**given, **more})


def invoice(key: str = "i", status: str | None = "Approved", **more: Any) -> str:
    given = {"created_date": "2026-10-01T00:00:00Z", "invoice_date": "2026-10-01T00:00:00Z", "supplier_id": "s"}
    return row("invoice", company_id="1", id=key, status=status, **{**given, **more})


def total(kind: str, key: str, gross: float, currency: str = "AUD", index: int = 0) -> str:
    place = {"company_id": "1", f"{kind}_id": key, "_index": index}
    return row(f"{kind}_transaction_total", **place, **money(gross, currency))


def money(gross: float, currency: str = "AUD", tax: float = 0) -> dict[str, Any]:
    return {"gross_amount": gross, "net_amount": gross - tax, "tax_amount": tax, "currency_code": currency}


def expense(key: str = "e", gross: float | None = 100, on: str = "c", **more: Any) -> str:
    given = {"transaction_date": "2026-10-02T00:00:00Z"}
    if gross is not None:
        amounts = money(gross)
        given |= amounts | {f"claim_currency_total_{name}": value for name, value in amounts.items()}
    return row("expense", company_id="1", claim_id=on, id=key, **{**given, **more})


def part(key: str, gross: float = 50, of: str = "e", **more: Any) -> str:
    amounts = money(gross)
    given = amounts | {f"claim_currency_total_{name}": value for name, value in amounts.items()}
    return row("expense_split", company_id="1", claim_id="c", expense_id=of, id=key, **{**given, **more})
