"""dbt-duckdb carries out an exported project: models, every test, docs and freshness, over a demo's warehouse."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import duckdb
import pytest

import pipeline


@pytest.fixture(scope="module")
def project(earlier_night, interpreter, tmp_path_factory):
    """The exported project, and dbt to run in it."""
    from click.testing import CliRunner

    from pipeline.cli import prospend

    folder = tmp_path_factory.mktemp("dbt") / "project"
    done = CliRunner().invoke(prospend, ["export", "dbt", str(folder), "--data", str(earlier_night)])
    assert done.exit_code == 0, done.output
    dbt = interpreter("dbt").with_name("dbt")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_USE_COLORS": "false", "HOME": str(folder)}
        return subprocess.run(
            [dbt, *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **quiet},
            capture_output=True,
            text=True,
            check=False,
        )

    return folder, run


def results(folder: Path, name: str) -> list[dict]:
    return json.loads((folder / "target" / name).read_text())["results"]


def test_dbt_builds_the_models_and_every_test_holds(project, earlier_night):
    """Nothing fails, nothing is warned of on sound books, and the models hold the marts' amounts to the cent."""
    folder, run = project
    done = run("build", "--warn-error")
    assert done.returncode == 0, done.stdout
    told = results(folder, "run_results.json")
    assert {one["status"] for one in told} == {"success", "pass"}
    assert len([one for one in told if one["unique_id"].startswith("test.")]) > 150
    with pipeline.connect(earlier_night) as connection:
        wanted = connection.execute(
            "SELECT currency_code, sum(gross_amount) FROM mart.spend_month GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    with duckdb.connect(folder / "prospend_models.duckdb", read_only=True) as connection:
        found = connection.execute(
            "SELECT currency_code, sum(gross_amount) FROM spend_by_division GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert found == wanted != []


def test_dbt_docs_tell_what_the_warehouse_tells(project, earlier_night):
    """The description of each table is its comment, that of each column begins with it."""
    folder, run = project
    done = run("docs", "generate")
    assert done.returncode == 0, done.stdout
    manifest = json.loads((folder / "target" / "manifest.json").read_text())
    told = {(one["schema"], one["name"]): one for one in manifest["sources"].values()}
    with pipeline.connect(earlier_night) as connection:
        listed = connection.execute(
            "SELECT schema_name, table_name, column_name, about FROM meta.data_dictionary WHERE schema_name <> 'past'"
        ).fetchall()
    for schema, table, column, about in listed:
        if column is None:
            assert told[schema, table]["description"] == about
        else:
            assert told[schema, table]["columns"][column]["description"].startswith(about)
    assert {(schema, table) for schema, table, *_ in listed} == told.keys()
    assert (folder / "target" / "catalog.json").exists()


def test_dbt_tells_how_old_the_data_are(project):
    """A night of just now is fresh; one of three days ago would be an error."""
    folder, run = project
    assert run("source", "freshness").returncode == 0
    assert {one["status"] for one in results(folder, "sources.json")} == {"pass"}
    stale = folder / "models" / "sources" / "meta.yml"
    text = stale.read_text()
    stale.write_text(text.replace('loaded_at_field: "data_as_at"', 'loaded_at_field: "data_as_at - INTERVAL 3 DAY"'))
    try:
        assert run("source", "freshness").returncode == 1
    finally:
        stale.write_text(text)


def test_no_command_of_dbt_changes_the_warehouse(project, earlier_night):
    """A model that would write into it is refused."""
    folder, run = project
    model = folder / "models" / "intruder.sql"
    model.write_text("{{ config(database='prospend', schema='mart') }} select 1 as x")
    try:
        done = run("run", "--select", "intruder")
    finally:
        model.unlink()
    assert done.returncode != 0
    assert "read-only" in done.stdout
