"""Counted at the server: what was served is what readers find, exactly once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline import warehouse
from pipeline.ops.runs import pointer_of
from pipeline.resources import default_path, read_catalogue, snake_case
from pipeline.sandbox import Running
from pipeline.settings import Extract, Settings

CATALOGUE = read_catalogue()
ODD_AMOUNTS = ("0.1", "1143.3", "99999999999999.99", "12345678901234.5678", "-0.05", "0", "1e3", "7.0000")


def rows_of(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with pipeline.connect(settings.storage.data_dir) as connection:
        return connection.execute(sql).fetchall()


def parquet_of(settings: Settings, resource: str) -> list[dict[str, object]]:
    return pq.read_table(settings.storage.data_dir / "snapshots" / resource).to_pylist()


def claim_with(amount: str, key: str) -> bytes:
    money = f'{{"grossAmount":{amount},"netAmount":{amount},"taxAmount":0,"currencyCode":"AUD"}}'
    return (
        f'{{"id":"{key}","companyId":"1","status":"Finalised","claimCurrencyTotals":[{money}],'
        f'"updatedDate":"2026-06-30T00:00:00Z"}}'
    ).encode()


def test_every_record_served_is_one_row(sandbox: Running, site: Settings):
    """For every resource: the server's counter = pages' records = distinct keys = rows that readers find."""
    report = pipeline.run(site)
    served = sandbox.journal.counts
    with pipeline.connect(site.storage.data_dir) as connection:
        found = warehouse.table_rows(connection)
    assert report.outcome == "published"
    assert {one.name for one in report.resources} == set(CATALOGUE.names)
    for one in report.resources:
        assert one.records == served.records[one.name] == served.keys[one.name] == found[one.name] == one.rows, one.name
        assert one.calls == served.requests_by_resource[one.name], one.name
    assert report.calls_used == served.requests
    assert sum(one.rows for one in report.resources) > 400


def test_readers_find_the_keys_the_books_hold(sandbox: Running, site: Settings):
    """Not only as many: for every resource the very keys under the very parents, by the server's own books."""
    pipeline.run(site)
    for declared in CATALOGUE:
        books = [one for request in declared.requests for one in sandbox.records(declared.name, **dict(request))]
        expected = sorted((*context, record[declared.key]) for context, record in books)
        names = ", ".join(snake_case(name) for name in declared.identity)
        assert sorted(rows_of(site, f"SELECT {names} FROM prospend.{declared.name}")) == expected, declared.name
        assert expected


def test_amounts_arrive_as_they_were_sent(sandbox: Running, site: Settings):
    """Odd amounts are equal as decimals in Parquet and in DuckDB; none passed through a float."""
    sandbox.inject("claim", ("1",), [claim_with(amount, f"odd-{n}") for n, amount in enumerate(ODD_AMOUNTS)])
    pipeline.run(site)
    wanted = {f"odd-{n}": Decimal(amount) for n, amount in enumerate(ODD_AMOUNTS)}
    found = rows_of(
        site, "SELECT claim_id, gross_amount FROM prospend.claim_currency_total WHERE claim_id LIKE 'odd-%'"
    )
    stored = {
        row["id"]: row["claimCurrencyTotals"][0]["grossAmount"]
        for row in parquet_of(site, "claim")
        if str(row["id"]).startswith("odd-")
    }
    assert dict(found) == stored == wanted


def test_an_unknown_field_is_found_again(sandbox: Running, site: Settings):
    """What the catalogue does not know is kept as sent in `_extra`, in Parquet and DuckDB, and reported."""
    record = b'{"id":"extra-1","name":"Entity","code":"E","status":"active","mood":{"sunny":0.10},"rank":7}'
    sandbox.inject("entity", ("1",), [record])
    report = pipeline.run(site)
    ((extra,),) = rows_of(site, "SELECT _extra FROM prospend.entity WHERE id = 'extra-1'")
    assert json.loads(extra, parse_float=str) == {"mood": {"sunny": "0.10"}, "rank": 7}
    assert [row["_extra"] for row in parquet_of(site, "entity") if row["id"] == "extra-1"] == [extra]
    noted = rows_of(
        site, "SELECT field, record_count FROM meta.schema_change WHERE kind = 'unknown_field' ORDER BY field"
    )
    assert noted == [("mood", 1), ("rank", 1)]
    assert [check.passed for check in report.checks if check.name == "fields_known"] == [False]


def test_names_of_any_kind_are_data(sandbox: Running, site: Settings):
    """Statements, reserved words, other letters, nothing, a thousand characters: kept as sent, columns to nobody."""
    names = ('"; DROP TABLE prospend.division; --', "", "\0", "select", "ID", "\u202eid", "_run_id", "a.b", "x" * 1000)
    pipeline.run(site)
    tables = "SELECT table_schema, table_name, column_name FROM information_schema.columns ORDER BY ALL"
    before = rows_of(site, tables)
    record = {
        "id": "odd",
        "entityId": "10",
        "name": "x",
        "glCode": "1",
        "status": "active",
        **dict.fromkeys(names, "it"),
    }
    sandbox.inject("division", ("1",), [json.dumps(record).encode()])
    pipeline.run(site)
    assert rows_of(site, tables) == before
    ((kept,),) = rows_of(site, "SELECT _extra FROM prospend.division WHERE id = 'odd'")
    assert json.loads(kept) == dict.fromkeys(names, "it")


def test_a_record_that_does_not_fit_is_quarantined_and_the_others_load(sandbox: Running, site: Settings):
    """Text in a money field: resource, field and reason are told, the raw record is kept, the night is published."""
    for n in range(200):
        sandbox.inject("claim", ("1",), [claim_with("10.50", f"good-{n}")])
    sandbox.inject("claim", ("1",), [claim_with('"ten dollars"', "bad-1")])
    report = pipeline.run(site)
    (claim,) = [one for one in report.resources if one.name == "claim"]
    assert (claim.quarantined, claim.records) == (1, claim.rows + 1)
    ((resource, field, reason, raw),) = rows_of(site, "SELECT resource, field, reason, raw FROM meta.quarantine")
    assert (resource, field) == ("claim", "claimCurrencyTotals[].grossAmount")
    assert "ten dollars" not in reason
    assert "bad-1" in (raw if isinstance(raw, str) else bytes(raw).decode())
    assert rows_of(site, "SELECT count(*) FROM prospend.claim WHERE id LIKE 'good-%'") == [(200,)]


def test_too_many_misfits_refuse_the_night(sandbox: Running, site: Settings, prospend):
    """Beyond the site's limit nothing is published (41); the reason names the resource and the numbers."""
    pipeline.run(site)
    before = pointer_of(site.storage.data_dir).resolve()
    sandbox.inject("entity", ("1",), [b'{"name":"no key"}'])
    with pytest.raises(pipeline.CheckRefused) as caught:
        pipeline.run(site)
    assert "entity: 1 of " in caught.value.what
    assert pointer_of(site.storage.data_dir).resolve() == before


def test_a_record_served_twice_is_one_row(sandbox: Running, site: Settings):
    """The newest version of a key wins; the older one is accounted for, not lost in silence."""
    older = claim_with("1.00", "twice-1").replace(b"2026-06-30", b"2026-06-01")
    sandbox.inject("claim", ("1",), [claim_with("2.00", "twice-1"), older])
    report = pipeline.run(site)
    amounts = rows_of(site, "SELECT gross_amount FROM prospend.claim_currency_total WHERE claim_id = 'twice-1'")
    assert amounts == [(Decimal("2.00"),)]
    (claim,) = [one for one in report.resources if one.name == "claim"]
    assert rows_of(site, "SELECT count(*) FROM prospend.claim") == [(claim.rows,)] == [(claim.records - 1,)]
    told = [check.name for check in report.checks if not check.passed]
    # The record has an amount and no expenses, and an older version came after a newer one.
    assert told == ["lines_add_up.expense.claim_currency_totals", "lists_in_order"]


def test_another_companys_record_stops_the_run(sandbox: Running, site: Settings):
    """A record that says it belongs to another company is never stored: the list may be another tenant's."""
    sandbox.inject("division", ("1",), [b'{"id":"d-1","companyId":"2","entityId":"1","name":"n","glCode":"g"}'])
    with pytest.raises(pipeline.SourceContractBroken):
        pipeline.run(site)


def test_an_own_catalogue_adds_a_column_and_a_resource(sandbox: Running, site: Settings, tmp_path):
    """A column or a resource is an edit of the file that `api.resources` names, and nothing else."""
    own = tmp_path / "own.toml"
    added = """
[resource.cost_centre]
path = "/{version}/company/{companyId}/division"
parent = "company"
key = "id"
order = "inferred"
evidence = "inferred"
about = "Divisions once more, under another name"
column.id = { type = "text", evidence = "inferred", about = "key" }
"""
    text = (
        default_path()
        .read_text()
        .replace(
            "[resource.entity.column]\n",
            '[resource.entity.column]\nmood = { type = "decimal(5,2)", evidence = "inferred", about = "how they feel" }\n',
        )
    )
    own.write_text(text + added)
    sandbox.inject("entity", ("1",), [b'{"id":"e-1","name":"n","code":"c","status":"active","mood":0.10}'])
    mine = replace(site, api=replace(site.api, resources=own))
    report = pipeline.run(mine)
    assert rows_of(mine, "SELECT mood, _extra FROM prospend.entity WHERE id = 'e-1'") == [(Decimal("0.10"), None)]
    assert rows_of(mine, "SELECT count(*) > 0 FROM prospend.cost_centre") == [(True,)]
    assert report.resources[-1].mode == "full"


def test_personal_and_omitted_lines_are_read_when_asked_for(sandbox: Running, site: Settings, tmp_path):
    """They stay out by default, and come with the setting; claim totals never include them."""
    pipeline.run(site)
    without = rows_of(site, "SELECT count(*), count(*) FILTER (is_personal OR is_omitted) FROM prospend.expense")[0]
    wide = replace(site, extract=Extract(include_personal=True, include_omitted=True))
    pipeline.run(wide)
    having = rows_of(wide, "SELECT count(*), count(*) FILTER (is_personal OR is_omitted) FROM prospend.expense")[0]
    assert without[1] == 0
    assert having[1] > 0
    assert having[0] == without[0] + having[1]


def test_headers_tie_to_their_lines(site: Settings):
    """In the warehouse, claim totals per currency equal the sum of their expenses, to the cent."""
    pipeline.run(site)
    headers = rows_of(site, "SELECT claim_id, currency_code, gross_amount FROM prospend.claim_transaction_total")
    lines: Counter[tuple[object, object]] = Counter()
    for claim_id, currency, amount in rows_of(
        site, "SELECT claim_id, currency_code, gross_amount FROM prospend.expense"
    ):
        lines[claim_id, currency] += amount
    assert {(claim, currency): amount for claim, currency, amount in headers} == dict(lines)
