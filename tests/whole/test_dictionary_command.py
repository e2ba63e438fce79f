"""`prospend dictionary` tells all of a published file, and the page in docs/ is what it says without one."""

from __future__ import annotations

import json
from pathlib import Path

import pipeline
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables

ROOT = Path(__file__).parents[2]


def test_a_published_file_is_told_whole(prospend, earlier_night):
    """Every table, view and column that DuckDB finds in it, with type and comment, and the run it shows."""
    document = json.loads(prospend("dictionary", "--data", earlier_night, "--json").out)
    told = {
        (table["schema"], table["name"], column["name"], column["type"], column["about"])
        for table in document["tables"]
        for column in table["columns"]
    }
    with pipeline.connect(earlier_night) as connection:
        found = connection.execute(
            "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
        (run_id,) = connection.execute("SELECT run_id FROM meta.snapshot_info").fetchone()
    assert told == set(found)
    assert document["run_id"] == run_id


def test_nothing_in_a_published_file_is_without_a_comment(earlier_night):
    """Tables, views, columns and macros."""
    with pipeline.connect(earlier_night) as connection:
        blank = connection.execute(
            """
            SELECT schema_name, table_name, NULL FROM duckdb_tables() WHERE coalesce(comment, '') = ''
            UNION ALL SELECT schema_name, view_name, NULL FROM duckdb_views() WHERE NOT internal AND coalesce(comment, '') = ''
            UNION ALL SELECT schema_name, table_name, column_name FROM duckdb_columns()
                WHERE NOT internal AND coalesce(comment, '') = ''
            UNION ALL SELECT schema_name, function_name, NULL FROM duckdb_functions()
                WHERE schema_name IN ('history', 'mart', 'meta', 'prospend') AND coalesce(comment, '') = ''
            """
        ).fetchall()
    assert blank == []


def test_a_mart_column_names_the_fields_of_the_api(prospend, earlier_night):
    """Through lines and their parts, and that nobody documents them."""
    document = json.loads(prospend("dictionary", "--data", earlier_night, "--json").out)
    (spend,) = [table for table in document["tables"] if (table["schema"], table["name"]) == ("mart", "spend_line")]
    columns = {column["name"]: column for column in spend["columns"]}
    assert columns["gross_amount"]["sources"] == [
        "expense.grossAmount",
        "expense_split.grossAmount",
        "invoice_line.grossAmount",
        "invoice_split.grossAmount",
    ]
    assert columns["gross_amount"]["evidence"] == "inferred"
    assert columns["gross_amount"]["currency"] == "currency_code"
    assert (columns["created_on"]["sources"], columns["status"]["evidence"]) == (
        ["claim.createdDate", "invoice.createdDate"],
        "documented",
    )


def test_every_field_of_the_catalogue_is_told(prospend, tmp_path):
    """Without a warehouse as with one: nothing that the catalogue knows is left out."""
    document = json.loads(prospend("dictionary", "--catalogue-only", "--json").out)
    told = {(table["name"], column["name"]) for table in document["tables"] for column in table["columns"]}
    assert {(table.name, column.name) for table in all_tables(read_catalogue()) for column in table.columns} <= told
    assert (document["run_id"], document["site"]) == (None, None)


def test_the_page_in_docs_is_what_the_command_writes(prospend, tmp_path):
    """After a change of the catalogue or a mart: `make lineage`."""
    target = tmp_path / "dictionary.md"
    assert prospend("dictionary", "--catalogue-only", "--output", target).code == 0
    assert target.read_text() == (ROOT / "docs" / "data-dictionary.md").read_text()


def test_before_the_first_night_the_catalogue_is_told(prospend, site_file):
    """Nothing published yet is no error; a folder that is not there is one."""
    assert "# Data dictionary" in prospend("dictionary", "--config", site_file).out
    assert prospend("dictionary", "--data", site_file.with_name("nowhere")).code == 10
