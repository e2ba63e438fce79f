"""Where each contestant leaves its rows and amounts, as SQL of one DuckDB that only reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from pipeline.resources import snake_case
from tests.bench.peers.exactness import Amount, Measure

_DIGITS = "DECIMAL(38,10)"


@dataclass(frozen=True)
class Store:
    """How to find the rows of a list, and the values of one amount as a column `amount`; `{target}` is the folder."""

    attach: str
    rows: Callable[[str], str]
    amounts: Callable[[str, str, str], str]


def found_in(store: Store, target: Path, lists: Mapping[str, int], measures: Mapping[Measure, Amount]) -> Found:
    """Rows by list, and amounts by measure; what is not there counts as none."""
    rows, amounts = {}, {}
    with duckdb.connect() as connection:
        if store.attach:
            connection.execute(store.attach.format(target=target))
        for name in lists:
            counted = _asked(connection, f"SELECT count(*) FROM ({store.rows(name).format(target=target)})")
            rows[name] = int(counted[0]) if counted else 0
        for measure in measures:
            amounts[measure] = _amount(connection, store.amounts(*measure).format(target=target))
    return Found(rows, amounts)


@dataclass(frozen=True)
class Found:
    """What one contestant stored."""

    rows: Mapping[str, int]
    amounts: Mapping[Measure, Amount]


def _asked(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple | None:
    try:
        return connection.execute(sql).fetchone()
    except (duckdb.CatalogException, duckdb.IOException):  # it stored no such table, or no such file
        return None


def _amount(connection: duckdb.DuckDBPyConnection, sql: str) -> Amount:
    counted = _asked(
        connection,
        f"SELECT any_value(typeof(amount)), sum(CAST(amount AS {_DIGITS}))::VARCHAR, count(amount) FROM ({sql})",
    )
    if counted is None or not counted[2]:
        return Amount("nothing", Decimal(0), 0)
    kind, total, count = counted
    own = connection.execute(f"SELECT sum(amount) FROM ({sql})").fetchone() if kind in ("DOUBLE", "FLOAT") else None
    return Amount(kind, Decimal(total), count, Decimal(own[0]) if own else None)


def _file(name: str) -> str:
    return f"ATTACH '{{target}}/{name}' AS stored (READ_ONLY)"


def _child_table(template: str) -> Callable[[str, str, str], str]:
    """Amounts in a table of their own; the template may name `list`, `nested` and their snake_case forms."""

    def sql(name: str, nested: str, amount: str) -> str:
        table = template.replace("LIST", name).replace("NESTED", nested).replace("SNAKE", snake_case(nested))
        column = amount if "NESTED" in template else snake_case(amount)
        return f'SELECT "{column}" AS amount FROM {table}'

    return sql


def _inside(relation: str) -> Callable[[str, str, str], str]:
    """Amounts in typed lists inside their records."""

    def sql(name: str, nested: str, amount: str) -> str:
        return f'SELECT item."{amount}" AS amount FROM (SELECT unnest("{nested}") AS item FROM {relation.replace("LIST", name)})'

    return sql


def _inside_json(column: Callable[[str, str], str]) -> Callable[[str, str, str], str]:
    """Amounts in lists that are stored as JSON text."""

    def sql(name: str, nested: str, amount: str) -> str:
        relation = column(name, nested)
        return f"SELECT item ->> '{amount}' AS amount FROM (SELECT unnest(CAST(listed AS JSON[])) AS item FROM ({relation}))"

    return sql


_OUR_TABLES = {
    ("claim", "claimCurrencyTotals"): "claim_currency_total",
    ("claim", "transactionTotals"): "claim_transaction_total",
    ("invoice", "transactionTotals"): "invoice_transaction_total",
}

OURS = Store(
    _file("data/warehouse.duckdb"),
    lambda name: f"FROM stored.prospend.{name}",
    lambda name, nested, amount: (
        f"SELECT {snake_case(amount)} AS amount FROM stored.prospend.{_OUR_TABLES[name, nested]}"
    ),
)
# What changes while lists are read is read once more at their end, so a record can stand in the parts twice.
_NEWEST = (
    "(FROM '{target}/data/snapshots/LIST/*/*.parquet' "
    'QUALIFY row_number() OVER (PARTITION BY "companyId", KEY ORDER BY _fetched_at DESC) = 1)'
)
OUR_PARQUET = Store(
    "",
    lambda name: _NEWEST.replace("LIST", name).replace("KEY", '"companyId"' if name == "company" else "id"),
    _inside(_NEWEST.replace("KEY", "id")),
)
SCRIPT = Store(_file("script.duckdb"), lambda name: f'FROM stored."{name}"', _child_table('stored."LIST_NESTED"'))
DLT_DUCKDB = Store(
    _file("peers.duckdb"), lambda name: f"FROM stored.books.{name}", _child_table("stored.books.LIST__SNAKE")
)
DLT_PARQUET = Store(
    "",
    lambda name: f"FROM '{{target}}/files/books/{name}/*.parquet'",
    _child_table("'{target}/files/books/LIST__SNAKE/*.parquet'"),
)
SINGER = Store(
    _file("singer.duckdb"),
    lambda name: f"FROM stored.books.{name}",
    _inside_json(lambda name, nested: f"SELECT {nested.lower()} AS listed FROM stored.books.{name}"),
)
_MESSAGES = (
    "SELECT line -> '$.record.data' AS data FROM read_json_objects('{{target}}/messages.jsonl', format='newline_delimited') "
    "AS t(line) WHERE line ->> '$.record.stream' = '{name}'"
)
AIRBYTE = Store(
    "",
    lambda name: _MESSAGES.format(name=name),
    _inside_json(lambda name, nested: f"SELECT data -> '$.{nested}' AS listed FROM ({_MESSAGES.format(name=name)})"),
)
