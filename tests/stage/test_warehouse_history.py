"""Random nights against a model of dictionaries: current rows, every version, what held when, what differs, what was counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from warehouse_model import KEYS, Model, Version
from warehouse_nights import CATALOGUE, FIRST, Night, written

from pipeline import warehouse
from pipeline.tables import tables_of
from pipeline.warehouse import Built, RunParts

COMPANIES, CLAIMS, LINES = ("1", "2"), ("a", "b", "c", "d"), ("x", "y")


def made_up_nights(seed: int, count: int) -> list[Night]:
    """Nights that read everything or some of it, some records twice, some spelled otherwise, and delete a few keys."""
    random = Random(seed)
    nights = []
    for number in range(count):
        records: dict[str, list[dict[str, Any]]] = {}
        if random.random() < 0.8:
            records["company"] = [{"companyId": one, "rate": Decimal(random.randint(1, 2))} for one in COMPANIES]
        for name in ("claim", "line"):
            if number == 0 or random.random() < 0.8:
                share = random.choice((0.1, 0.5, 1.0))
                keys = [key for key in _keys(name) if random.random() < share]
                records[name] = [_record(random, name, key) for key in keys for _ in range(random.choice((1, 1, 1, 2)))]
                random.shuffle(records[name])
        deleted = [(name, key) for name in ("claim", "line") for key in _keys(name) if random.random() < 0.12]
        closed = datetime(2026, 6, random.choice((2, 3)), tzinfo=UTC) if random.random() < 0.7 else None
        nights.append(Night(number, records, deleted if number else [], closed))
    return nights


def _keys(name: str) -> list[tuple[str, ...]]:
    claims = [(company, claim) for company in COMPANIES for claim in CLAIMS]
    return claims if name == "claim" else [(*claim, line) for claim in claims for line in LINES]


def _record(random: Random, name: str, key: tuple[str, ...]) -> dict[str, Any]:
    record: dict[str, Any] = dict(zip(KEYS[name], key, strict=True)) | {"_spelling": random.randint(0, 1)}
    amounts = (None, Decimal("0.3000"), Decimal("99999999999999.9999"))
    if name == "line":
        return record | {"amount": random.choice(amounts), "currencyCode": random.choice(("AUD", None))}
    return record | {
        "order": random.choice((None, "x")),
        "spentOn": random.choice((None, date(2026, 6, 1), date(2026, 6, 30))),
        "updatedDate": random.choice((None, FIRST, FIRST + timedelta(seconds=1))),
        "fee": random.choice(amounts),
        "totals": [
            {"grossAmount": random.choice(amounts), "currencyCode": random.choice(("AUD", "NZD")), "_extra": None}
            for _ in range(random.choice((0, 1, 2)))
        ],
        "tags": [random.choice(("t", None)) for _ in range(random.choice((0, 0, 1)))],
        "_extra": random.choice((None, None, '{"colour":1}')),
    }


@contextmanager
def opened(built: Built) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(built.path), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def built_on(folder: Path, runs: list[RunParts], name: str, base: Path | None = None) -> Built:
    return warehouse.build(folder / f"{name}.duckdb", runs, base=base, temp_dir=folder)


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_nights_is_kept_as_it_was(tmp_path: Path, seed: int):
    """After every night the file holds what the model does, and after all of them it equals one made from nothing."""
    nights, model = made_up_nights(seed, 6), Model()
    runs = [written(tmp_path / "parts", night) for night in nights]
    base: Path | None = None
    for night, run in zip(nights, runs, strict=True):
        model.live_through(night)
        built = built_on(tmp_path, [run], f"night{night.number}", base)
        with opened(built) as connection:
            assert_current(connection, model)
            assert_versions(connection, model)
        assert_counts(built, model, night)
        assert built.key_problems == ()
        base = built.path
    rebuilt = built_on(tmp_path, runs, "rebuilt")
    with opened(built) as live, opened(rebuilt) as again:
        assert warehouse.content_hash(live) == warehouse.content_hash(again)
        assert_as_of(live, model, nights)
        assert_diff(live, model, nights, Random(seed))
        assert_restated(live, model)
        assert_run_resources(live, model)


def snake(name: str) -> str:
    return re.sub("([A-Z])", lambda match: "_" + match[1].lower(), name)


def rows_of(versions: list[tuple[tuple[str, ...], Version]], name: str) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of a resource's tables that these versions stand for: key, values, and how long they held."""
    found: dict[str, set[tuple[Any, ...]]] = {table.name: set() for table in tables_of(CATALOGUE[name])}
    for key, one in versions:
        life = (one.run_id, one.came, one.ended, one.ended if one.deleted else None)
        values = one.values
        found[name].add((*key, *(values[field] for field in OWN[name]), values.get("_extra"), *life))
        for place, total in enumerate(values.get("totals", ())):
            found["claim_total"].add((*key, place, total["grossAmount"], total["currencyCode"], *life))
        for place, tag in enumerate(values.get("tags", ())):
            found["claim_tag"].add((*key, place, tag, *life))
    return found


OWN = {
    "company": ("rate",),
    "claim": ("order", "spentOn", "updatedDate", "fee"),
    "line": ("amount", "currencyCode"),
}
LIFE = "_run_id, _valid_from, _valid_to, _deleted_at"
COLUMNS = {
    "company": f"company_id, rate, _extra, {LIFE}",
    "claim": f'company_id, id, "order", spent_on, updated_date, fee, _extra, {LIFE}',
    "line": f"company_id, claim_id, id, amount, currency_code, _extra, {LIFE}",
    "claim_total": f"company_id, claim_id, _index, gross_amount, currency_code, {LIFE}",
    "claim_tag": f"company_id, claim_id, _index, tag, {LIFE}",
}


def assert_rows(connection: duckdb.DuckDBPyConnection, sql: str, expected: set[tuple[Any, ...]]) -> None:
    found = connection.execute(sql).fetchall()
    assert set(found) == expected
    assert len(found) == len(expected)


def assert_current(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """`prospend` holds the newest version of every row, deleted ones with their instant."""
    for name in KEYS:
        for table, expected in rows_of(list(model.current(name).items()), name).items():
            columns = COLUMNS[table].replace("_valid_to", "_deleted_at AS _valid_to")
            assert_rows(connection, f"SELECT {columns} FROM prospend.{table}", expected)


def assert_versions(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """`history` holds every version there ever was, each once."""
    for name in KEYS:
        every = [(key, one) for key, versions in model.versions[name].items() for one in versions]
        for table, expected in rows_of(every, name).items():
            assert_rows(connection, f"SELECT {COLUMNS[table]} FROM history.{table}", expected)


def assert_as_of(connection: duckdb.DuckDBPyConnection, model: Model, nights: list[Night]) -> None:
    """At every night, just before it and long before all of them."""
    for at in [
        FIRST - timedelta(days=9),
        *(one.at - timedelta(microseconds=1) for one in nights),
        *(n.at for n in nights),
    ]:
        for name in KEYS:
            for table, expected in rows_of(list(model.as_of(name, at).items()), name).items():
                found = connection.execute(f"SELECT {COLUMNS[table]} FROM history.as_of(?, ?)", [table, at]).fetchall()
                assert set(found) == expected
                assert len(found) == len(expected)


def assert_diff(connection: duckdb.DuckDBPyConnection, model: Model, nights: list[Night], random: Random) -> None:
    """Between any two nights, forwards and backwards: rows that came, went, or have another value."""
    for name in KEYS:
        for _ in range(4):
            a, b = random.choice(nights), random.choice(nights)
            for table in (one.name for one in tables_of(CATALOGUE[name])):
                keyed = [
                    {
                        row[: _key_length(table)]: row[_key_length(table) : -4]
                        for row in rows_of(list(held.items()), name)[table]
                    }
                    for held in (model.as_of(name, a.at), model.as_of(name, b.at))
                ]
                expected = {
                    (key, "added" if key not in keyed[0] else "removed" if key not in keyed[1] else "changed")
                    for key in keyed[0].keys() | keyed[1].keys()
                    if keyed[0].get(key) != keyed[1].get(key)
                }
                found = connection.execute(
                    "SELECT key, change, before._valid_from, after._valid_from FROM history.diff(?, ?, ?)",
                    [table, a.run_id, b.run_id],
                ).fetchall()
                assert {(tuple(key), change) for key, change, *_ in found} == {
                    (tuple(map(str, key)), change) for key, change in expected
                }
                assert all((before is None) == (change == "added") for _, change, before, _ in found)
                assert all((after is None) == (change == "removed") for _, change, _, after in found)


def _key_length(table: str) -> int:
    return {"company": 1, "claim": 2, "line": 3, "claim_total": 3, "claim_tag": 3}[table]


def assert_counts(built: Built, model: Model, night: Night) -> None:
    """What was done, what is there, and what the night's records stand for: rows, elements and amounts."""
    found = {one.resource: one for one in built.changes}
    for name in KEYS:
        counted = model.counts[night.run_id, name]
        assert {kind: getattr(found[name], kind) for kind in counted} == counted, name
    alive = {name: [(k, v) for k, v in model.current(name).items() if not v.deleted] for name in KEYS}
    assert dict(built.rows) == {table: len(rows) for name in KEYS for table, rows in rows_of(alive[name], name).items()}
    fees = [one.values["fee"] for _, one in alive["claim"] if one.values["fee"] is not None]
    assert [(one.value_count, one.total) for one in built.totals if one.column == "fee"] == (
        [(len(fees), sum(fees))] if fees else []
    )
    for name in night.records:
        read = len({tuple(record[field] for field in KEYS[name]) for record in night.records[name]})
        assert dict(built.read_rows)[name] == read
        assert dict(built.superseded)[name] == len(night.records[name]) - read
    sent = [one["fee"] for one in night.records.get("claim", ()) if one["fee"] is not None]
    there = [one for one in (*built.read_totals, *built.superseded_totals) if one.column == "fee"]
    assert (sum(one.value_count for one in there), sum(one.total for one in there)) == (len(sent), sum(sent))


def assert_restated(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Every value of a closed period that changed, with before and after."""
    found = connection.execute(
        "SELECT run_id, resource, table_name, key, column_name, before, after, kind FROM meta.restatement"
    ).fetchall()
    assert {(*row[:3], tuple(row[3]), *row[4:]) for row in found} == {
        (run_id, name, table, key, snake(column), *rest) for run_id, name, table, key, column, *rest in model.restated
    }
    assert len(found) == len(model.restated)


def assert_run_resources(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """`meta` says of every run what it did."""
    found = connection.execute("SELECT run_id, as_at FROM meta.run ORDER BY run_id").fetchall()
    assert [run_id for run_id, _ in found] == sorted({run_id for run_id, _ in model.counts})
