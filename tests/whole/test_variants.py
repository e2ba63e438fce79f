"""Whatever the vendor's pages leave open, the client publishes every row: one night against each variant."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from published import TABLES, content_columns, contents

import pipeline
import pipeline.nightly
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.variants import Variants, read_variants, switches
from pipeline.settings import Api, Settings, Site, Storage, Token

TOTALS = ("claim_currency_total", "claim_transaction_total", "invoice_transaction_total")
EACH = [(f"{switch.name}={value}",) for switch in switches() for value in switch.values[1:]]
ALL_TOGETHER = (
    *("end_marker=empty", "company=array", "not_yet=epoch", "seven_digits=on"),
    *("number_ids=on", "names=old", "error_body=text", "gzip=off"),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Contents = dict[str, Counter[tuple[object, ...]]]


def night(running: Running, data_dir: Path, page_limit: int | str = 20) -> tuple[pipeline.RunReport, Contents]:
    """Publish one night, several pages a list, and read all tables but for what tells one night from another."""
    settings = Settings(
        site=Site(name="test", base_url=running.base_url),
        token=Token(env="PROSPEND_VARIANT_TOKEN"),
        storage=Storage(data_dir=data_dir),
        api=Api(ca_file=running.ca_file, page_limit=page_limit),
    )
    report = pipeline.nightly.run(settings, environ={"PROSPEND_VARIANT_TOKEN": running.token})
    return report, contents(data_dir)


@pytest.fixture(scope="module")
def usual(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    with in_thread(SandboxSettings(state_dir=authority, claims=16)) as running:
        return night(running, tmp_path_factory.mktemp("usual") / "data")[1]


@pytest.fixture
def sandbox(authority: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    with in_thread(SandboxSettings(state_dir=authority, claims=16, variants=read_variants(request.param))) as running:
        yield running


@pytest.mark.parametrize(
    "sandbox",
    [*(one for one in EACH if one not in (("company=object",), ("totals=single",))), ALL_TOGETHER],
    indirect=True,
    ids="+".join,
)
def test_every_row_is_the_same_row(sandbox: Running, usual: Contents, tmp_path: Path):
    """All tables hold what they hold by default, value by value; a 1970 sent for a date not yet set stays one."""
    report, found = night(sandbox, tmp_path)
    assert report.outcome == "published"
    assert [check.name for check in report.checks if not check.passed] == []
    if sandbox.settings.variants.not_yet == "epoch":
        assert any(EPOCH in row for rows in found.values() for row in rows)
        found = {
            name: Counter(tuple(None if value == EPOCH else value for value in row) for row in rows.elements())
            for name, rows in found.items()
        }
    for name, rows in usual.items():
        assert found[name] == rows, name
        assert rows, name
    assert sum(one.rows for one in report.resources) == sum(sandbox.journal.counts.keys.values())


@pytest.mark.parametrize("sandbox", [("company=object",)], indirect=True, ids="+".join)
def test_a_single_company_is_read_as_a_list_of_one(sandbox: Running, usual: Contents, tmp_path: Path):
    """What hangs under the first company is read whole; of the others nothing is heard."""
    report, found = night(sandbox, tmp_path)
    assert report.outcome == "published"
    for table in TABLES:
        place = [column.name for column in table.columns].index("company_id")
        wanted = Counter({row: count for row, count in usual[table.name].items() if row[place] == "1"})
        assert found[table.name] == wanted, table.name
        assert wanted


@pytest.mark.parametrize("sandbox", [("totals=single",)], indirect=True, ids="+".join)
def test_one_total_instead_of_lists_is_kept_as_it_was_sent(sandbox: Running, usual: Contents, tmp_path: Path):
    """The catalogue knows no such field: its records are rows, the total is in `_extra`, and a check says so."""
    report, found = night(sandbox, tmp_path)
    assert report.outcome == "published"
    assert [check.name for check in report.checks if not check.passed] == ["fields_known"]
    for name, rows in usual.items():
        assert found[name].total() == (0 if name in TOTALS else rows.total()), name
    (claim,) = [table for table in TABLES if table.name == "claim"]
    names = content_columns(claim)
    kept = {}
    for row in found["claim"]:
        record = dict(zip(names, row, strict=True))
        kept[record["id"]] = json.loads(record["_extra"], parse_float=Decimal)["total"]
    first = {r["id"]: r["claimCurrencyTotals"] for _, r in plain_claims(sandbox)}
    assert kept == {key: totals[0] if totals else None for key, totals in first.items()}


def plain_claims(sandbox: Running) -> list[tuple[tuple[str, ...], dict]]:
    """The claims of the same books as they are by default."""
    with in_thread(replace(sandbox.settings, variants=Variants())) as plain:
        return plain.records("claim")


def test_a_refused_limit_is_asked_for_smaller(authority: Path, usual: Contents, tmp_path: Path):
    """A greatest page that nobody knows is found, and the night is as whole as with any other."""
    refusing = SandboxSettings(state_dir=authority, claims=16, page_cap=50, variants=read_variants(["over_cap=refuse"]))
    with in_thread(refusing) as running:
        report, found = night(running, tmp_path, "auto")
        assert running.journal.counts.statuses[400] >= 1
    assert report.outcome == "published"
    assert found == usual


@pytest.mark.parametrize(
    "sandbox", [("error_body=array",), ("error_body=problem",), ("error_body=text",)], indirect=True, ids="+".join
)
@pytest.mark.parametrize(("status", "code"), [(401, 11), (403, 12)])
def test_a_refusal_is_understood_in_any_shape(sandbox: Running, site_file: Path, prospend, status: int, code: int):
    """What counts is the status; the body only explains."""
    sandbox.force("/beta/company/1/supplier", status)
    assert prospend("run", "--config", site_file, "--quiet").code == code
