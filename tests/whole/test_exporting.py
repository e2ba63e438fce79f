"""`prospend export` on a published night: what readers see, as files."""

from __future__ import annotations

import csv
import json

import pyarrow.parquet as pq
from openpyxl import load_workbook

import pipeline


def test_the_current_state_as_csv_and_parquet(prospend, earlier_night, tmp_path):
    """Every table of the night, with the rows that the warehouse has, in both forms."""
    with pipeline.connect(earlier_night) as connection:
        ((claims,),) = connection.execute("SELECT count(*) FROM prospend.claim").fetchall()
        ((tables,),) = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name IN ('mart', 'prospend')"
        ).fetchall()
    for form in ("csv", "parquet"):
        done = prospend("export", form, tmp_path / form, "--all", "--data", earlier_night, "--json")
        assert done.code == 0, done.err
        told = {one["name"]: one for one in json.loads(done.out)["tables"]}
        assert len(told) == tables
        assert told["prospend.claim"]["rows"] == claims
        assert json.loads((tmp_path / form / "export.json").read_text())["run_id"] == json.loads(done.out)["run_id"]
    with (tmp_path / "csv" / "prospend.claim.csv").open(newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == claims + 1
    assert pq.read_metadata(tmp_path / "parquet" / "prospend.claim.parquet").num_rows == claims


def test_every_schema_can_be_named(prospend, earlier_night, tmp_path):
    """History and what the file says of itself, too."""
    wanted = ("--table", "history.claim", "--table", "meta.quarantine")
    done = prospend("export", "csv", tmp_path / "out", *wanted, "--data", earlier_night)
    assert done.code == 0, done.err
    assert "2 tables" in done.out
    with (tmp_path / "out" / "history.claim.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert json.loads(first["_key"])[-1] == first["id"]


def test_what_is_in_the_way_is_told_in_four_lines(prospend, earlier_night, tmp_path):
    """A folder that is not empty and a slip in a name: exit 10, and how to go on."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    wanted = ("--table", "prospend.claim", "--data", earlier_night)
    refused = prospend("export", "csv", tmp_path / "full", *wanted)
    assert (refused.code, "--force" in refused.lines["DO"]) == (10, True)
    refused = prospend("export", "csv", tmp_path / "out", "--table", "prospend.claims", "--data", earlier_night)
    assert (refused.code, "did you mean prospend.claim?" in refused.lines["DO"]) == (10, True)
    refused = prospend("export", "csv", tmp_path / "out", "--all", *wanted)
    assert (refused.code, "exclude each other" in refused.lines["WHAT"]) == (10, True)
    assert not (tmp_path / "out").exists()


def test_every_mart_as_a_workbook(prospend, earlier_night, tmp_path):
    """One sheet a mart, answers before facts before what they point to, with the rows that the warehouse has."""
    done = prospend("export", "xlsx", tmp_path / "book.xlsx", "--data", earlier_night, "--json")
    assert done.code == 0, done.err
    with pipeline.connect(earlier_night) as connection:
        marts = [name for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'mart'"
        ).fetchall()]  # fmt: skip
        counts = {
            f"mart.{name}": connection.execute(f"SELECT count(*) FROM mart.{name}").fetchall()[0][0] for name in marts
        }
    told = json.loads(done.out)["sheets"]
    assert {one["name"]: one["shown"] for one in told} == counts
    book = load_workbook(tmp_path / "book.xlsx")
    assert len(book.sheetnames) == len(marts) + 1
    order = [book.sheetnames.index(name) for name in ("Cover", "Spend month", "Spend line", "Calendar")]
    assert order == sorted(order)
    spent = book["Spend line"]
    headings = [cell.value for cell in spent[5]]
    gross, currency = headings.index("Gross amount"), headings.index("Currency code")
    formats = {
        (row[currency].value, row[gross].number_format[:6]) for row in spent.iter_rows(min_row=6) if row[gross].value
    }
    assert formats == {(code, f"[${code}]"[:6]) for code, _ in formats}
    refused = prospend("export", "xlsx", tmp_path / "book.xlsx", "--data", earlier_night)
    assert (refused.code, "--force" in refused.lines["DO"]) == (10, True)


def test_a_masked_workbook_names_nobody(prospend, earlier_night, tmp_path):
    """No claimant, approver or recipient of the night stands in any cell."""
    done = prospend("export", "xlsx", tmp_path / "book.xlsx", "--data", earlier_night, "--mask-people")
    assert done.code == 0, done.err
    with pipeline.connect(earlier_night) as connection:
        people = {name for (name,) in connection.execute(
            "SELECT claimant_name FROM prospend.claim UNION SELECT name FROM prospend.claim_approver UNION "
            "SELECT name FROM prospend.invoice_approver UNION SELECT name FROM prospend.expense_recipient"
        ).fetchall() if name}  # fmt: skip
    assert len(people) > 5
    book = load_workbook(tmp_path / "book.xlsx")
    cells = {str(cell.value) for page in book for row in page.iter_rows() for cell in row if cell.value is not None}
    assert not [text for text in cells for name in people if name in text]
