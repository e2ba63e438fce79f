"""Nights that the numbers do not vouch for: nothing is published, yesterday stays, and the rows to blame are named."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline.model import RunReport
from pipeline.ops.runs import pointer_of
from pipeline.sandbox import Reply, Running
from pipeline.settings import Checks, Settings


def rows_of(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with pipeline.connect(settings.storage.data_dir) as connection:
        return connection.execute(sql).fetchall()


def claim_of(key: str, gross: str, net: str, tax: str) -> bytes:
    money = f'{{"grossAmount":{gross},"netAmount":{net},"taxAmount":{tax},"currencyCode":"AUD"}}'
    return (
        f'{{"id":"{key}","companyId":"1","status":"Approved","transactionTotals":[{money}],'
        f'"updatedDate":"2026-06-30T00:00:00Z"}}'
    ).encode()


def refused(settings: Settings) -> pipeline.CheckRefused:
    """The refusal of a run, after which readers have the night before and no other file was left."""
    pointer = pointer_of(settings.storage.data_dir)
    before, files = pointer.resolve(), sorted((settings.storage.data_dir / "warehouse").iterdir())
    with pytest.raises(pipeline.CheckRefused) as caught:
        pipeline.run(settings)
    assert (pointer.resolve(), sorted((settings.storage.data_dir / "warehouse").iterdir())) == (before, files)
    return caught.value


def failures(settings: Settings) -> tuple[Path, dict[str, dict[str, object]]]:
    """What the newest run left of its checks."""
    (path,) = (settings.storage.data_dir / "runs").glob("*/check_failures.json")
    return path, {one["name"]: one for one in json.loads(path.read_bytes())}


def told(report: RunReport) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks if not check.passed}


def test_a_gross_that_is_not_net_plus_tax_refuses_the_night(sandbox: Running, site: Settings):
    """The sums of documented totals are required: the claim is named, its amounts stand in the run's folder."""
    pipeline.run(site)
    sandbox.inject("claim", ("1",), [claim_of("wrong-1", "100", "90.91", "9.08")])
    error = refused(site)
    assert "amounts_add_up.claim_transaction_total did not pass: 1 of " in error.what
    assert "claim 1/wrong-1" in error.what
    path, found = failures(site)
    assert f"runs/{path.parent.name}/check_failures.json" in error.do
    verdict = found["amounts_add_up.claim_transaction_total"]
    assert verdict["blamed"] == [
        {
            "resource": "claim",
            "key": ["1", "wrong-1"],
            "detail": "claim_transaction_total[0]: gross_amount 100.0000 is not "
            "net_amount 90.9100 + tax_amount 9.0800, in AUD",
        }
    ]
    assert (verdict["required"], verdict["passed"], verdict["blamed_count"]) == (True, False, 1)
    assert found["rows_pages_equal_parquet_equal_warehouse"]["passed"]
    assert oct(path.stat().st_mode & 0o777) == "0o640"


def test_records_that_do_not_fit_are_found_where_the_refusal_says(sandbox: Running, site: Settings):
    """No warehouse has them: they stand with the snapshots, each with its field, the reason and its bytes."""
    pipeline.run(site)
    broken = b'{"id":"odd-1","companyId":"1","fromDate":"the first of June","updatedDate":"2026-06-30T00:00:00Z"}'
    sandbox.inject("claim", ("1",), [broken])
    error = refused(replace(site, checks=Checks(max_quarantined_percent=0)))
    assert "quarantine_within_limit did not pass: claim: 1 of " in error.what
    assert "if a column's type in the catalogue is why, correct it" in error.do
    (folder,) = re.findall(r"stand in (snapshots/_quarantine/run=[\w-]+),", error.do)
    (part,) = (site.storage.data_dir / folder).iterdir()
    (found,) = pq.read_table(part).to_pylist()
    assert (found["resource"], found["field"], found["raw"]) == ("claim", "fromDate", broken)


def test_a_claim_that_is_not_the_sum_of_its_expenses_is_told(sandbox: Running, site: Settings):
    """Line amounts are inferred: the night is published, and readers find the claim with both sides."""
    sandbox.inject("claim", ("1",), [claim_of("lone-1", "100", "90", "10")])
    report = pipeline.run(site)
    assert "claim 1/lone-1" in told(report)["lines_add_up.expense.transaction_totals"]
    found = rows_of(site, "SELECT resource, key, detail FROM meta.check_failure WHERE key[2] = 'lone-1'")
    assert [(resource, key) for resource, key, _ in found] == [("claim", ["1", "lone-1"])]
    assert "grossAmount 100.0000 against 0" in str(found[0][2])
    assert rows_of(
        site, "SELECT blamed_count FROM meta.check_result WHERE name LIKE 'lines_add_up.expense.trans%'"
    ) == [(1,)]


def test_a_site_can_require_what_is_only_told_by_default(sandbox: Running, site: Settings):
    """All checks of a kind at once, by their first name; and what is required by default can be only told."""
    pipeline.run(site)
    sandbox.inject("claim", ("1",), [claim_of("wrong-1", "100", "90", "9")])
    strict = replace(site, checks=Checks(required=("lines_add_up",), advisory=("amounts_add_up",)))
    assert "lines_add_up.expense.transaction_totals did not pass" in refused(strict).what
    mild = replace(site, checks=Checks(advisory=("amounts_add_up.claim_transaction_total",)))
    assert "amounts_add_up.claim_transaction_total" in told(pipeline.run(mild))


def test_an_unknown_check_in_the_settings_is_refused_at_the_start(sandbox: Running, site: Settings):
    """Before any request: a typing error would silently switch nothing."""
    with pytest.raises(pipeline.ConfigError) as caught:
        pipeline.run(replace(site, checks=Checks(required=("line_add_up",))))
    assert "did you mean 'lines_add_up'?" in caught.value.what
    assert sandbox.journal.counts.requests == 0


def page_of(records: list[dict[str, object]]) -> Reply:
    return Reply(200, json.dumps({"page": records, "nextCursor": None}).encode())


def divisions_without(sandbox: Running, field: str, **other: object) -> None:
    """From now on every division is served without this field."""
    books = [(context, record) for context, record in sandbox.records("division", includeInactive="true")]
    assert len(books) >= 10
    for company in {context[0] for context, _ in books}:
        kept = [
            {k: v for k, v in record.items() if k != field} | other
            for context, record in books
            if context[0] == company
        ]
        sandbox.answer_with(f"/beta/company/{company}/division", page_of(kept))


def test_a_field_that_vanished_refuses_the_night(sandbox: Running, site: Settings):
    """Renamed at the source: every division would have lost its code. The old name, the new one, and a way out are told."""
    pipeline.run(site)
    divisions_without(sandbox, "glCode", costCode="x")
    error = refused(site)
    assert "fields_sent did not pass: division.gl_code: filled in " in error.what
    assert "new there: costCode" in error.what
    mild = replace(site, checks=Checks(advisory=("fields_sent",)))
    assert "division.gl_code" in told(pipeline.run(mild))["fields_sent"]
    ((types, proposed),) = rows_of(site, "SELECT found, proposed FROM meta.schema_change WHERE field = 'costCode'")
    assert (types, str(proposed).splitlines()[0]) == ("text", "[resource.division.column.costCode]")


def test_a_list_that_shows_much_less_refuses_the_night(sandbox: Running, site: Settings):
    """Half of it hidden by a permission, say: both counts are told, and the command that accepts a true fall."""
    pipeline.run(site)
    books = [(context[0], record) for context, record in sandbox.records("division", includeInactive="true")]
    for company in {company for company, _ in books}:
        own = [record for name, record in books if name == company]
        sandbox.answer_with(f"/beta/company/{company}/division", page_of(own[: len(own) // 2]))
        sandbox.force(f"/beta/company/{company}/division/", 404)
    error = refused(site)
    assert f"division: {len(books)} " in error.what or f" of {len(books)} rows would be deleted" in error.what
    assert "prospend run --accept-shrink division" in error.what


def test_the_night_after_is_compared_with_the_one_readers_have(site: Settings):
    """Nothing changed: every comparison is made, and none finds anything."""
    first, second = pipeline.run(site), pipeline.run(site)
    details = [{one.name: one.detail for one in report.checks} for report in (first, second)]
    compared = ("shrink_within_limit", "deletions_within_limit", "status_counts", "null_rates_steady", "fields_sent")
    assert {details[0][name] for name in compared} == {"no earlier night to compare with"}
    assert not {details[1][name] for name in compared} & {"no earlier night to compare with"}
    assert told(second) == {}
