"""`prospend export dbt`: the project's sources are the warehouse's tables, and what the user changed stays."""

from __future__ import annotations

import json

import yaml

import pipeline


def test_sources_are_the_tables_of_the_warehouse(prospend, earlier_night, tmp_path):
    """Every table of the schemas that people read, every column, with its type and in its order."""
    assert prospend("export", "dbt", tmp_path / "project", "--data", earlier_night).code == 0
    told = [
        (schema["schema"], table["name"], column["name"], column["data_type"])
        for path in sorted((tmp_path / "project" / "models" / "sources").iterdir())
        for schema in yaml.safe_load(path.read_text())["sources"]
        for table in schema["tables"]
        for column in table["columns"]
    ]
    with pipeline.connect(earlier_night) as connection:
        found = connection.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE schema_name IN ('mart', 'prospend', 'history', 'meta') ORDER BY schema_name, table_name, column_index"
        ).fetchall()
    assert told == found


def test_a_second_export_replaces_only_what_it_may(prospend, earlier_night, tmp_path):
    """Without --force nothing, with it the sources; models and profiles are the user's."""
    project = tmp_path / "project"
    prospend("export", "dbt", project, "--data", earlier_night)
    for name in ("profiles.yml", "models/spend_by_division.sql", "models/sources/mart.yml"):
        (project / name).write_text("mine")
    assert "--force" in prospend("export", "dbt", project, "--data", earlier_night).out
    assert (project / "models" / "sources" / "mart.yml").read_text() == "mine"
    done = json.loads(prospend("export", "dbt", project, "--data", earlier_night, "--force", "--json").out)
    assert {path.split("/")[0] for path in done["written"]} == {"models", "tests"}
    assert (project / "models" / "sources" / "mart.yml").read_text() != "mine"
    assert (
        (project / "profiles.yml").read_text() == (project / "models" / "spend_by_division.sql").read_text() == "mine"
    )
