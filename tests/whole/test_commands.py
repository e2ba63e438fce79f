"""The commands as people and programs use them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline.sandbox import tokens


def test_demo_from_nothing_to_answers(prospend, tmp_path):
    """One command: exit 0, a published warehouse, three queries with their answers; again: a second generation."""
    first = prospend("demo", "--claims", 60, "--data", tmp_path / "demo")
    assert first.code == 0, first.err
    assert first.out.startswith("published ")
    assert first.out.count("SELECT ") == 3
    assert first.out.count("───") > 9
    assert "reading every list" in first.err
    assert prospend("demo", "--claims", 60, "--data", tmp_path / "demo", "--quiet").code == 0
    status = json.loads(prospend("status", "--data", tmp_path / "demo", "--json").out)
    assert [run["outcome"] for run in status["runs"]] == ["published", "published"]
    assert [one["is_current"] for one in status["generations"]] == [True, False]
    newest = prospend(
        "query",
        "--data",
        tmp_path / "demo",
        "--format",
        "csv",
        "SELECT max(created_date)::DATE::VARCHAR FROM prospend.invoice",
    )
    age = datetime.now(UTC).date() - date.fromisoformat(newest.out.split()[-1])
    assert timedelta(0) < age < timedelta(days=30), "the demo's books end this week"
    told = prospend("status", "--data", tmp_path / "demo").out
    assert all(run["run_id"] in told for run in status["runs"])


def test_run_json_is_the_documented_document(prospend, site_file):
    """Published or failed, `--json` prints one document with the same keys."""
    good = json.loads(prospend("run", "--json", "--quiet", "--config", site_file).out)
    site_file.write_text(site_file.read_text().replace('name = "test"', 'name = "test"\nversion = "v9"'))
    bad = json.loads(prospend("run", "--json", "--quiet", "--config", site_file).out)
    keys = [
        "run_id",
        "outcome",
        "exit_code",
        "started_at",
        "finished_at",
        "warehouse",
        "calls",
        "resources",
        "checks",
        "error",
        "token",
        "report",
    ]
    assert list(good) == list(bad) == keys
    assert (good["outcome"], good["exit_code"], good["error"]) == ("published", 0, None)
    assert (bad["outcome"], bad["exit_code"], bad["warehouse"]) == ("failed", 21, None)
    assert sorted(bad["error"]) == ["do", "state", "what", "where"]
    claim = good["resources"]["claim"]
    assert {"mode", "rows", "new", "changed", "deleted", "quarantined", "calls"} <= set(claim)
    assert all(sorted(check) == ["detail", "name", "passed", "required"] for check in good["checks"])
    assert list(good["token"]) == list(bad["token"]) == ["expires_at", "days_left", "is_assumed", "warning"]


@pytest.fixture
def published(earlier_night):
    """A data folder with one published night; queries leave it as it is."""
    return earlier_night


QUERY = "SELECT claim_id, _index, gross_amount, currency_code FROM prospend.claim_currency_total ORDER BY ALL"


def test_query_formats_agree(prospend, published, tmp_path):
    """Table, CSV, JSON and Parquet hold the same exact values."""
    target = tmp_path / "out.parquet"
    assert prospend("query", "--data", published, "--format", "parquet", "--output", target, QUERY).code == 0
    stored = [tuple(row.values()) for row in pq.read_table(target).to_pylist()]
    text = prospend("query", "--data", published, "--format", "csv", QUERY).out
    header, *rows = csv.reader(io.StringIO(text))
    assert header == ["claim_id", "_index", "gross_amount", "currency_code"]
    assert [(c, int(i), Decimal(g), y) for c, i, g, y in rows] == stored
    found = json.loads(prospend("query", "--data", published, "--json", QUERY).out, parse_float=Decimal)
    assert [(row["claim_id"], row["_index"], row["gross_amount"], row["currency_code"]) for row in found] == stored
    table = prospend("query", "--data", published, QUERY).out
    assert all(f"{row[2]:f}" in table for row in stored)


def test_data_leaves_unescaped_and_terminals_stay_safe(prospend, published, tmp_path):
    """Line breaks and control characters are exact in CSV and JSON, and only shown as escapes in a table."""
    sql = "SELECT 'a' || chr(10) || chr(27) || '[31m' || chr(160) || '\u00e9' AS t"
    value = "a\n\x1b[31m\xa0\u00e9"
    text = prospend("query", "--data", published, "--format", "csv", sql).out
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [value]
    assert json.loads(prospend("query", "--data", published, "--json", sql).out) == [{"t": value}]
    assert "a\\n\\x1b[31m\\xa0\u00e9" in prospend("query", "--data", published, sql).out


def test_a_query_result_that_cannot_be_told_is_refused(prospend, published, tmp_path):
    """Two columns of one name in JSON, parquet without a file, a file in a missing folder."""
    assert prospend("query", "--data", published, "--json", "SELECT 1 AS id, 2 AS id").code == 10
    assert prospend("query", "--data", published, "--format", "parquet", "SELECT 1 AS id").code == 10
    for form in ("csv", "parquet"):
        done = prospend(
            "query", "--data", published, "--format", form, "--output", tmp_path / "no" / "x", "SELECT 1 AS i"
        )
        assert done.code == 31, done.err


def test_a_full_or_closed_standard_output_does_not_change_the_result(prospend, site_file, tmp_path):
    """The run is published, and says 0, whoever listens."""
    command = f"{sys.executable} -m pipeline run --config {site_file}"
    for redirection in (">/dev/full 2>/dev/full", ">&- 2>&-"):
        assert subprocess.run(["sh", "-c", f"{command} {redirection}"], check=False, cwd=tmp_path).returncode == 0
    assert len(list((tmp_path / "data" / "warehouse").iterdir())) == 2


def read_everything_each_night(site_file):
    """A plan is told from a run that read each list the same way; after a full night the next would be incremental."""
    site_file.write_text(site_file.read_text() + '[extract]\nfull_every = "0s"\n')


def test_plan_tells_what_the_last_run_cost(prospend, sandbox, site_file):
    """Before the first run nothing is known; afterwards calls and rows are those of the last run, without a request."""
    read_everything_each_night(site_file)
    assert "no earlier run" in prospend("plan", "--config", site_file).out
    report = json.loads(prospend("run", "--json", "--quiet", "--config", site_file).out)
    requests = sandbox.journal.counts.requests
    plan = json.loads(prospend("plan", "--json", "--config", site_file).out)
    assert plan["calls"] == report["calls"]["used"]
    assert {one["name"]: one["rows"] for one in plan["resources"]} == {
        name: one["rows"] for name, one in report["resources"].items()
    }
    assert sandbox.journal.counts.requests == requests
    again = json.loads(prospend("run", "--json", "--quiet", "--config", site_file).out)
    assert again["calls"]["planned"] == again["calls"]["used"]


def test_the_plan_stands_beside_what_came_of_it(prospend, sandbox, site_file, tmp_path):
    """Calls and rows by resource in the report, in the warehouse, in status and in the summary; null without a plan."""
    read_everything_each_night(site_file)
    first = json.loads(prospend("run", "--json", "--quiet", "--config", site_file).out)
    assert {(one["calls_planned"], one["rows_planned"]) for one in first["resources"].values()} == {(None, None)}
    assert first["calls"]["planned"] is None
    data_dir = tmp_path / "data"
    sql = "SELECT resource, planned_call_count, planned_row_count FROM meta.run_resource"
    with pipeline.connect(data_dir) as connection:
        assert {row[1:] for row in connection.execute(sql).fetchall()} == {(None, None)}
    plan = json.loads(prospend("plan", "--json", "--config", site_file).out)
    planned = {one["name"]: (one["calls"], one["rows"]) for one in plan["resources"]}
    sandbox.inject("division", ("1",), [{"id": f"new-{n}"} for n in range(7)])
    told = prospend("run", "--config", site_file)
    assert told.code == 0, told.err
    assert f" calls ({first['calls']['used']:,} planned), " in told.out.splitlines()[0]
    (second,) = json.loads(prospend("status", "--json", "--last", 1, "--config", site_file).out)["runs"]
    found = {name: (one["calls_planned"], one["rows_planned"]) for name, one in second["resources"].items()}
    assert found == planned
    assert second["calls"]["planned"] == plan["calls"] == sum(calls for calls, _ in planned.values())
    division = second["resources"]["division"]
    assert division["rows"] == division["rows_planned"] + 7
    with pipeline.connect(data_dir) as connection:
        assert {name: rest for name, *rest in connection.execute(sql).fetchall()} == {
            name: list(both) for name, both in planned.items()
        }


def test_a_plan_forecasts_minutes_by_resource(prospend, site_file):
    """Shared out in proportion to calls, and said to be; together they are the last run's."""
    read_everything_each_night(site_file)
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    plan = json.loads(prospend("plan", "--json", "--config", site_file).out)
    assert plan["minutes"] > 0
    assert plan["rows"] == sum(one["rows"] for one in plan["resources"])
    assert abs(sum(one["minutes"] for one in plan["resources"]) - plan["minutes"]) < 0.01 * len(plan["resources"])
    told = prospend("plan", "--config", site_file).out
    assert f"{plan['rows']:,} rows, by the run " in told.splitlines()[0]
    assert "shared out by calls" in told


def test_after_the_first_night_the_plan_says_what_is_not_known(prospend, site_file):
    """Nights after it read what changed, and none has: totals are unknown, lists that are read in full are told."""
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    for command in (("plan",), ("run", "--dry-run")):
        told = prospend(*command, "--config", site_file)
        assert (told.code, told.err) == (0, "")
        assert told.out.startswith("not known yet what it costs: ")
        assert "calls this month: " in told.out
    plan = json.loads(prospend("plan", "--json", "--config", site_file).out)
    assert (plan["calls"], plan["minutes"], plan["rows"]) == (None, None, None)
    known = {one["name"]: one["calls"] for one in plan["resources"]}
    assert known["claim"] is None
    assert known["company"] > 0
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    assert prospend("plan", "--config", site_file).out.startswith("about ")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM prospend.claim", "nothing"),
        ("CREATE TABLE x (i INT)", "no rows"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled"),
        ("FROM history.diff('claim', '2026', '2027')", "run_a is not in meta.run"),
        ("FROM history.diff('claim', (SELECT run_id FROM meta.run), '2027')", "run_b is not in meta.run"),
        ("SELECT error('of ' || id) FROM prospend.claim", ": InvalidInputException"),
        ("COPY prospend.claim TO '/tmp/never.csv'", ""),
        ("ATTACH '/tmp/never.duckdb'", ""),
        ("DELETE FROM prospend.claim", ""),
    ],
)
def test_a_wrong_query_is_told_and_touches_nothing(prospend, published, sql, said):
    """Mistakes and attempts to leave the warehouse end with exit 10 and four lines."""
    done = prospend("query", "--data", published, sql)
    assert done.code == 10
    assert said in done.lines["WHAT"]


def test_query_before_the_first_run_says_what_to_do(prospend, tmp_path):
    """No warehouse yet is a clear message, not a traceback."""
    done = prospend("query", "--data", tmp_path / "none", "SELECT 1")
    assert done.code == 10
    assert "prospend run" in done.lines["DO"]


def test_status_before_the_first_run(prospend, site_file):
    """Nothing published yet is said so; the token's days are told."""
    done = prospend("status", "--config", site_file)
    assert done.code == 0
    assert "nothing published yet" in done.out
    document = json.loads(prospend("status", "--json", "--config", site_file).out)
    assert document["token"]["days_left"] in (729, 730)
    assert document["data_as_at"] is None


@pytest.mark.parametrize("command", ["status", "rebuild", "rollback", "verify"])
def test_a_mistyped_data_folder_is_told_and_not_made(prospend, tmp_path, command):
    """Exit 10, and nothing there that looks like a data folder afterwards."""
    done = prospend(command, "--data", tmp_path / "nowhere")
    assert (done.code, done.out) == (10, "")
    assert "there is no such data folder" in done.lines["WHAT"]
    assert done.lines["WHERE"] == str(tmp_path / "nowhere")
    assert "--data" in done.lines["DO"]
    assert not (tmp_path / "nowhere").exists()


def test_the_python_door(site):
    """Run, connect and frame; decimals stay exact in pandas."""
    report = pipeline.run(site)
    claims = pipeline.frame("prospend.claim", warehouse=site.storage.data_dir)
    totals = pipeline.frame("SELECT sum(gross_amount) AS s FROM prospend.expense", warehouse=site.storage.data_dir)
    assert len(claims) == next(one.rows for one in report.resources if one.name == "claim")
    assert isinstance(totals["s"][0], Decimal)
    with pipeline.connect(site.storage.data_dir) as connection:
        assert connection.execute("SELECT sum(gross_amount) FROM prospend.expense").fetchone()[0] == totals["s"][0]


def test_sandbox_tokens_from_the_command_line(prospend, sandbox, site_file, authority, tmp_path):
    """New, list, revoke: a new token works at once, a revoked one is refused at once."""
    fresh = prospend("sandbox", "token", "new", "--state", authority)
    (tmp_path / "token").write_text(fresh.out)
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    listed = json.loads(prospend("sandbox", "token", "list", "--json", "--state", authority).out)
    assert fresh.out.strip() not in json.dumps(listed)
    newest = tokens.listed(authority)[-1].id
    assert prospend("sandbox", "token", "revoke", newest, "--state", authority).code == 0
    assert prospend("run", "--quiet", "--config", site_file).code == 11
    assert prospend("sandbox", "token", "revoke", "unknown", "--state", authority).code == 10


def test_help_begins_with_examples_and_loads_nothing_heavy(prospend):
    """Every command's help has examples; showing it imports none of the heavy packages."""
    assert "Examples:" in prospend("--help").out.split("Options:")[0]
    for command in ("run", "demo", "query", "status", "sandbox", "sandbox serve", "sandbox token"):
        assert "Examples:" in prospend(*command.split(), "--help").out, command
    code = (
        "import sys\nfrom pipeline.cli import run_command\nrun_command(['--help'])\n"
        "heavy = {'duckdb', 'pyarrow', 'aiohttp', 'pandas', 'numpy', 'jwt', 'rich', 'cryptography', 'msgspec'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_mistyped_command_or_option_is_a_configuration_error(prospend):
    """Usage errors exit 10 like any other wrong configuration."""
    assert prospend("rum").code == 10
    assert prospend("run", "--confg", "x").code == 10
    assert prospend("--version").out.startswith("prospend ")


@pytest.mark.parametrize(
    ("option", "value", "forms"),
    [
        ("--since", "2026-13-01", "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ"),
        ("--closed-until", "30/06/2026", "YYYY-MM-DD"),
    ],
)
def test_a_mistyped_day_is_told_the_form_of_days(prospend, option, value, forms):
    """As people write it, not in the codes of a program."""
    done = prospend("run", option, value)
    assert done.code == 10
    assert done.lines["WHAT"].endswith(f"'{option}': '{value}' is not {forms}")


def test_a_reader_that_leaves_early_is_no_failure(published):
    """`query | head -1`: the first line, nothing on standard error, exit 0."""
    command = f'{sys.executable} -m pipeline query --data {published} --format csv "FROM prospend.expense, range(500)"'
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0].startswith("company_id,")
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_a_command_group_alone_shows_its_help(prospend):
    """Whoever types only the beginning is shown how to go on."""
    for words in ((), ("sandbox",), ("token",)):
        shown = prospend(*words)
        assert shown.code == 0
        assert shown.out.startswith("Usage: prospend")


def test_a_quiet_run_that_publishes_says_nothing(prospend, site_file):
    """Under cron, silence is success: no mail."""
    done = prospend("run", "--quiet", "--config", site_file)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_port_in_use_is_named(prospend, sandbox, tmp_path):
    """A second sandbox on the same port: exit 10, and which port."""
    port = sandbox.base_url.rpartition(":")[2]
    done = prospend("sandbox", "serve", "--port", port, "--claims", 20, "--state", tmp_path / "state")
    assert done.code == 10
    assert port in done.lines["WHERE"]
