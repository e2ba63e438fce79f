"""The workbook in LibreOffice: it opens without a word, shows every value, and evaluates none of them."""

from __future__ import annotations

import csv
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mart_books import AWKWARD, EXACT, HOSTILE, RUN_ID, made, opened

import pipeline
from pipeline.report.values import ReportFacts
from pipeline.report.workbook import write_workbook

FACTS = ReportFacts("acme", "Australia/Sydney", RUN_ID, datetime(2026, 11, 23, 3, tzinfo=UTC))
# Field separator, quote, UTF-8, from the first line, values as shown or as stored, formulas or results, every sheet by itself.
EVERY_SHEET = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1"
AS_STORED = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
FORMULAS = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,true,false,-1"
HEADINGS = 5


def converted(book: Path, folder: Path, form: str) -> list[str]:
    """What LibreOffice makes of a workbook, without a window; what it says but for what every conversion says."""
    command = [
        "soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", form,
        "--outdir", str(folder), str(book),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    said = (done.stdout + done.stderr).splitlines()
    return [line for line in said if not line.startswith(("convert ", "Writing sheet ")) and "javaldx" not in line]


def sheet(folder: Path, name: str) -> list[list[str]]:
    with (folder / f"prospend-{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[HEADINGS:]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("office")
    with opened(made(folder / "marts.duckdb")) as connection:
        write_workbook(connection, folder / "prospend.xlsx", FACTS)
    return folder / "prospend.xlsx"


def test_no_text_is_evaluated(book, tmp_path):
    """Each hostile text comes out as it went in; asked for formulas, LibreOffice finds none."""
    assert converted(book, tmp_path, EVERY_SHEET) == []
    found = {row[0]: row[1] for row in sheet(tmp_path, "Supplier")}
    for at, text in enumerate(HOSTILE):
        assert found[str(at)].strip("\u240d\t") == text.strip("\r\t")
    for at, text in enumerate(AWKWARD, len(HOSTILE)):
        if text in ('say "hi", twice', " ", "_x0041_") or "好" in text:
            assert found[str(at)] == text
    converted(book, tmp_path, FORMULAS)
    assert {row[0]: row[1] for row in sheet(tmp_path, "Supplier")} == found


def test_numbers_days_and_times_are_shown_as_such(book, tmp_path):
    """Amounts with their currency, Australian days, Sydney's clock; the exact text of what no number holds."""
    assert converted(book, tmp_path, EVERY_SHEET) == []
    first, second = sheet(tmp_path, "Spend line")
    assert first[3:5] == ["30/06/2026", "01/07/2026 00:00:00"]
    assert (first[6], second[6].replace("\u00a0", " ").strip()) == (EXACT, "NZD -0.10")
    converted(book, tmp_path, AS_STORED)
    assert sheet(tmp_path, "Spend line")[1][6] == "-0.1"


def test_a_night_of_the_sandbox_opens_and_prints(earlier_night, tmp_path):
    """A whole night's workbook becomes a PDF without a warning; its rows are all there."""
    with pipeline.connect(earlier_night) as connection:
        write_workbook(connection, tmp_path / "prospend.xlsx", FACTS)
        counts = dict(
            connection.execute(
                "SELECT table_name, estimated_size FROM duckdb_tables() WHERE schema_name = 'mart'"
            ).fetchall()
        )
    assert converted(tmp_path / "prospend.xlsx", tmp_path, EVERY_SHEET) == []
    assert counts["document"] > 60
    assert len(sheet(tmp_path, "Document")) == counts["document"]
    assert converted(tmp_path / "prospend.xlsx", tmp_path, "pdf") == []
    assert (tmp_path / "prospend.pdf").stat().st_size > 100_000
