"""The page without a browser: figures are what their statements give, nothing comes from outside, people can be masked."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from report_page import answers_of, assert_figures_are_answers, changed, facts, page_of, taken_apart
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline
from pipeline import warehouse
from pipeline.errors import ConfigError
from pipeline.report import drawing
from pipeline.report.page import page
from pipeline.report.people import people_of
from pipeline.sandbox import SandboxSettings, in_thread

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert(1)</script>"


SELDOM = {"restatement", "duplicate_suspect", "gst_departure"}
BAR = {"data": {"values": [{"a": 1}]}, "mark": "bar", "encoding": {"x": {"field": "a", "type": "quantitative"}}}
PLANTED = (
    """INSERT INTO mart.gst_departure BY NAME
        SELECT company_id, document_type, document_id, line_id, 'GST on Expenses' AS tax_code_name, 10.0 AS tax_rate,
            spent_on, currency_code, gross_amount, net_amount, tax_amount, net_amount / 10 AS expected_tax_amount,
            tax_amount - net_amount / 10 AS departure_amount
        FROM mart.spend_line WHERE document_type = 'claim' AND split_id IS NULL
        ORDER BY company_id, document_id, line_id LIMIT 60""",
    """INSERT INTO mart.duplicate_suspect BY NAME
        SELECT 'claimant_amount_date' AS rule, claimant_id || ' ' || claimant_name AS group_key, 2 AS group_size,
            company_id, document_type, document_id, line_id, claimant_id, claimant_name, spent_on AS dated_on,
            currency_code, gross_amount
        FROM mart.spend_line WHERE document_type = 'claim' AND split_id IS NULL
        ORDER BY company_id, document_id, line_id LIMIT 90""",
    """INSERT INTO mart.restatement BY NAME
        SELECT '20261127T000000Z' AS run_id, DATE '2026-11-27' AS restated_on, 'claim' AS document_type, document_id,
            claimant_name, 'claim' AS table_name, [company_id, document_id] AS record_key, column_name,
            'changed' AS kind, if(column_name = 'gross_amount', '11.0000', claimant_name) AS value_before,
            if(column_name = 'gross_amount', '12.5000', claimant_name) AS value_after
        FROM (SELECT unnest(['claimant_name', 'gross_amount']) AS column_name, document.*
            FROM mart.document WHERE document_type = 'claim' ORDER BY company_id, document_id LIMIT 8)""",
)


def published(place: Path, *, claims: int) -> Path:
    """A data folder with one night of books that end this week."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    settings = SandboxSettings(state_dir=place / "sandbox", claims=claims, until=yesterday)
    with in_thread(settings) as running:
        pipeline.nightly.run(site_of(running, place / "data", marts=True), environ={TOKEN_VARIABLE: running.token})
    return place / "data"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("reported"), claims=300)


@pytest.fixture(scope="module")
def html(night: Path) -> str:
    return page_of(night / "warehouse.duckdb")


def visible(html: str) -> str:
    return re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)


def test_every_figure_is_the_answer_of_the_statement_beside_it(night, html):
    """Not one value on the page comes from anywhere else; each statement is complete, as anybody would paste it."""
    read = taken_apart(html)
    assert_figures_are_answers(night / "warehouse.duckdb", read, at_least=1500)
    assert read.statements.keys() - {cell.of for cell in read.cells} <= SELDOM
    for name in ("headline_spend", "spend_trend", "payable_ageing", "approval_month", "gst_quarter", "calls", "checks"):
        assert any(cell.of == name and cell.exact not in (None, "") for cell in read.cells), name


def test_what_is_seldom_found_is_shown_all_the_same(night, tmp_path):
    """Departing tax, possible duplicates and restatements, planted: as their statements give them, the first of many."""
    file = changed(night, tmp_path, *PLANTED)
    html = page_of(file)
    read = taken_apart(html)
    assert {cell.of for cell in read.cells} >= SELDOM
    assert_figures_are_answers(file, read, at_least=2500)
    assert "60 of 90: the statement says how to get all" in html
    assert {cell.column for cell in read.cells if cell.of == "restatement" and cell.shown == "12.5000"} == {
        "value_after"
    }


BY_ANOTHER = """
import duckdb, sys
sys.path.append(sys.argv[1])
from pathlib import Path
from pipeline import warehouse
from pipeline.report.page import page
from pipeline.report.people import people_of
from report_page import facts

assert duckdb.__version__.startswith(sys.argv[2])
with warehouse.connect(Path(sys.argv[3])) as connection:
    sys.stdout.write(page(connection, facts(), draw=lambda _: None))
"""


@pytest.mark.parametrize("version", ["1.4", "1.5"])
def test_every_duckdb_that_tools_bring_gives_the_same_figures(night, html, version):
    """Statements mean the same to all of them: the page has the same values, whichever is installed."""
    folder = ROOT / ".venv" / f"duckdb-{version}"
    if not folder.is_dir():
        pytest.skip(f"make test installs DuckDB {version} into {folder}")
    done = subprocess.run(
        [sys.executable, "-c", BY_ANOTHER, str(ROOT / "tests"), version, str(night / "warehouse.duckdb")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    read, other = taken_apart(html), taken_apart(done.stdout)
    assert other.statements == read.statements
    assert [cell for cell in other.cells if cell not in read.cells] == []
    assert len(other.cells) == len(read.cells)


def test_currencies_are_never_added(night, html):
    """Each statement that gives an amount gives its currency in the same row, and no row holds two."""
    answers = answers_of(night / "warehouse.duckdb", taken_apart(html).statements)
    amounts = ("gross", "net", "tax", "approved_net", "incurred_net", "fifty_fifty", "actual")
    with_amounts = [name for name, rows in answers.items() if rows and any(one in rows[0] for one in amounts)]
    assert len(with_amounts) >= 15
    assert all(rows[0]["currency"] for name, rows in answers.items() if name in with_amounts)
    assert {row["currency"] for row in answers["headline_spend"]} >= {"AUD", "NZD"}


def test_nothing_comes_from_outside(html):
    """No address but the name of a format, no style attribute, and a policy that names exactly this style and script."""
    assert set(re.findall(r"\w+://[^\s\"'<>)]*", html)) <= {"http://www.w3.org/2000/svg"}
    read = taken_apart(html)
    for tag, attributes in read.elements:
        assert not attributes.keys() & {"style", "srcset", "onclick", "onload"}, tag
        assert attributes.get("src") is None
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    (policy,) = (
        named["content"] for tag, named in read.elements if named.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_it_is_made_for_everybody(html):
    """Language, landmarks, one first heading, no heading skipped; tables have captions, charts a text, ids are unique."""
    read = taken_apart(html)
    names = [tag for tag, _ in read.elements]
    assert ("html", {"lang": "en-AU"}) in read.elements
    assert [names.count(one) for one in ("main", "nav", "h1", "footer")] == [1, 1, 1, 1]
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert names.count("table") == names.count("caption") > 20
    charts = [named for tag, named in read.elements if tag == "svg"]
    assert len(charts) > 10
    assert all(named["role"] == "img" and len(named["aria-label"]) > 20 for named in charts)
    ids = [named["id"] for _, named in read.elements if named.get("id")]
    assert len(ids) == len(set(ids))
    targets = {named["href"][1:] for tag, named in read.elements if tag == "a" and named["href"].startswith("#")}
    assert targets <= set(ids)


def test_people_are_masked_everywhere(night, tmp_path):
    """With `mask_people` no name of a person is in the document, in no statement either; figures are the same."""
    file = changed(night, tmp_path, *PLANTED)
    with warehouse.connect(file) as connection:
        people = connection.execute(
            "SELECT claimant_name FROM mart.claimant UNION SELECT approver_name FROM mart.approval"
        ).fetchall()
    names = {name for (name,) in people if name}
    assert len(names) > 10
    named, masked = page_of(file), page_of(file, mask_people=True)
    assert sum(name in named for name in names) > 10
    assert [name for name in names if name in masked] == []
    read = taken_apart(masked)
    assert_figures_are_answers(file, read, at_least=1500)
    shown = {cell.shown for cell in read.cells if cell.of == "spend_by_claimant" and cell.column == "name"}
    assert all(re.fullmatch(r"Person [0-9A-F]{10}", name) for name in shown)
    assert len(read.cells) == len(taken_apart(named).cells)
    with warehouse.connect(file) as connection:
        called = {people_of(connection).pseudonym(name) for name in names}
    assert shown <= called, "whoever is on the page has the same name in the workbook"


def test_a_name_is_text_whatever_it_holds(night, tmp_path):
    """Names with markup are shown as they are and are no element of the page: in tables, charts, titles and statements."""
    file = changed(
        night,
        tmp_path,
        f"UPDATE mart.spend_line SET supplier_name = '{HOSTILE}' WHERE document_type = 'invoice'",
        f"UPDATE mart.spend_line SET division_name = '\" onmouseover=\"x' || '{HOSTILE}'",
        f"UPDATE mart.payable_due SET supplier_name = '{HOSTILE}'",
        f"UPDATE mart.approval SET approver_name = '{HOSTILE}'",
    )
    html = page_of(file)
    read = taken_apart(html)
    assert HOSTILE not in html
    assert html.count("<script") == 1
    assert HOSTILE in {cell.shown for cell in read.cells if cell.column in ("name", "supplier")}
    assert not any("onmouseover" in named for _, named in read.elements)
    assert_figures_are_answers(file, read, at_least=1000)


def test_missing_line_fields_are_told_and_never_zero(night, tmp_path):
    """Where the source sends no amounts on lines, the page says so; what rests on documented totals is there."""
    file = changed(night, tmp_path, "UPDATE mart.spend_line SET claim_gross_amount = NULL")
    html = page_of(file)
    text = visible(html)
    assert "spend cannot be told from lines" in text
    read = taken_apart(html)
    assert not {cell.of for cell in read.cells} & {"headline_spend", "spend_trend", "gst_quarter", "accrual"}
    assert {"headline_payable", "headline_claim", "payable_ageing"} <= {cell.of for cell in read.cells}
    assert_figures_are_answers(file, read, at_least=300)


def test_a_field_that_no_line_has_is_named(night, tmp_path):
    file = changed(night, tmp_path, "UPDATE mart.spend_line SET division_id = NULL, division_name = NULL")
    assert "The source names no division on lines." in page_of(file)


def test_empty_books_make_a_sensible_page(tmp_path):
    """No claim and no invoice: no figure, no error, and it is said."""
    data_dir = published(tmp_path, claims=0)
    html = page_of(data_dir / "warehouse.duckdb")
    assert "hold no claim and no invoice yet" in visible(html)
    read = taken_apart(html)
    assert_figures_are_answers(data_dir / "warehouse.duckdb", read, at_least=100)
    assert {cell.of for cell in read.cells} <= {"checks", "calls", "runs", "freshness", "line_fields", "suspects"} | {
        "approval_month"
    }


@pytest.mark.parametrize(
    ("days", "told"),
    [(20, "20 days left"), (1, "1 day left"), (-1, "expired"), (None, "expiry unknown")],
)
def test_the_token_s_days_are_told(night, days, told):
    now = datetime.now(UTC)
    expires_at = None if days is None else now + timedelta(days=days, minutes=1)
    with warehouse.connect(night / "warehouse.duckdb") as connection:
        html = page(connection, replace(facts(written_at=now), token_expires_at=expires_at), draw=lambda _: None)
    assert f"<dd>{told}<small>" in html


def test_checks_are_counted_on_top(night, tmp_path):
    """All that were made and all that held; those that did not come first, where they can be read."""
    file = changed(
        night,
        tmp_path,
        "UPDATE meta.check_result SET passed = false, detail = 'a <b>detail</b>' WHERE position IN (3, 5)",
    )
    with warehouse.connect(file) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM meta.check_result").fetchall()
    html = page_of(file)
    assert f"<dd>{count - 2} of {count} held<small>" in html
    assert "Checks that did not hold" in html
    details = [cell.shown for cell in taken_apart(html).cells if cell.of == "checks" and cell.column == "detail"]
    assert details[:2] == ["a <b>detail</b>"] * 2


def test_charts_can_fetch_nothing():
    """Whatever a specification asks for, drawing it opens no connection: it is no drawing."""
    (picture,) = drawing.drawn([BAR])
    assert picture.startswith("<svg")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
        assert drawing.drawn([{**BAR, "data": {"url": address}}]) is None
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(("limit", "can_draw"), [("resource.RLIM_INFINITY", True), ("10**9", False)])
def test_an_engine_that_is_denied_memory_ends_its_own_process_alone(monkeypatch, tmp_path, limit, can_draw):
    """As with `ulimit -v`: no drawing, no signal to us. The same way without the limit draws."""
    shell = tmp_path / "python"
    shell.write_text(
        f"#!{sys.executable} -I\nimport resource, runpy\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({limit}, resource.RLIM_INFINITY))\n"
        "runpy.run_module('pipeline.report.drawing', run_name='__main__')\n"
    )
    shell.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(shell))
    assert (drawing.drawn([BAR]) is not None) == can_draw


def test_where_nothing_can_be_drawn_the_figures_are_there(night):
    file = night / "warehouse.duckdb"
    with warehouse.connect(file) as connection:
        html = page(connection, facts(), draw=lambda _: None)
    assert "<svg" not in html
    assert html.count("could not be drawn on this machine") > 10
    assert_figures_are_answers(file, taken_apart(html), at_least=1500)


def test_drawing_is_given_no_secret(monkeypatch, tmp_path):
    """The process that draws has nothing of the environment but where programs are."""
    shell = tmp_path / "python"
    shell.write_text(f"#!/bin/sh\nenv > {tmp_path}/environ\necho '[\"<svg></svg>\"]'\n")
    shell.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(shell))
    monkeypatch.setenv(TOKEN_VARIABLE, "a secret")
    assert drawing.drawn([{}]) == ["<svg></svg>"]
    names = {line.partition("=")[0] for line in (tmp_path / "environ").read_text().splitlines()}
    assert names <= {"PATH", "LD_LIBRARY_PATH", "PWD", "_", "SHLVL", "OLDPWD"}


def test_times_are_those_of_the_site(night):
    """Moments are told in the site's zone, with its name; a zone that nobody knows is a setting to correct."""
    with warehouse.connect(night / "warehouse.duckdb") as connection:
        html = page(connection, facts(written_at=datetime(2027, 1, 15, 3, 5, tzinfo=UTC)))
        assert "15 Jan 2027, 2:05 pm AEDT" in html
        unknown = pipeline.report.values.ReportFacts("s", "Nowhere/Here", "r", datetime.now(UTC))
        with pytest.raises(ConfigError, match="time zone is not known"):
            page(connection, unknown)


def test_the_page_stays_small_for_a_million_lines(night, tmp_path):
    """Tables show the first rows and say how many there are: 3 MB are never reached, and it is written in seconds."""
    file = changed(
        night,
        tmp_path,
        """CREATE TABLE more AS SELECT line.* REPLACE (
            line.supplier_name || ' ' || n AS supplier_name, line.supplier_id || '-' || n AS supplier_id,
            line.division_name || ' ' || n AS division_name, line.division_id || '-' || n AS division_id,
            line.claimant_id || '-' || n AS claimant_id
        ) FROM mart.spend_line AS line, range(1 + 1_000_000 // (SELECT count(*) FROM mart.spend_line)) AS times(n)""",
        "DROP TABLE mart.spend_line",
        "CREATE TABLE mart.spend_line AS FROM more",
        "DROP TABLE more",
        "INSERT INTO mart.payable_due SELECT due.* FROM mart.payable_due AS due, range(100)",
    )
    began = datetime.now(UTC)
    html = page_of(file)
    seconds = (datetime.now(UTC) - began).total_seconds()
    assert len(html.encode()) < 3_000_000
    assert seconds < 30, "a few seconds on an idle machine"
    assert re.search(r"50 of [0-9]{2},[0-9]{3}: the statement says how to get all", html)
