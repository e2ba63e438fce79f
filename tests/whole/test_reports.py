"""Page and workbook after a run: one night at a time, never at the price of the night."""

from __future__ import annotations

import json
import shutil

import pytest

from pipeline.ops.records import recent
from pipeline.settings import load_settings


@pytest.fixture
def data_dir(site_file):
    return load_settings(site_file, environ={}).storage.data_dir


def run(prospend, site_file, *more: object):
    done = prospend("run", "--config", site_file, "--quiet", *more)
    assert done.code == 0, done.err
    return done


@pytest.fixture
def site_file(site_file):
    """A site that wants its reports."""
    wanted(site_file, page="true", workbook="true")
    return site_file


def wanted(site_file, **report: str) -> None:
    before, _, _ = site_file.read_text().partition("[report]\n")
    site_file.write_text(before + "[report]\n" + "".join(f"{name} = {value}\n" for name, value in report.items()))


def test_a_run_leaves_a_page_and_a_workbook_of_its_night(prospend, site_file, data_dir):
    """Under reports/<run_id>, found by reports/latest; `run --json` names both; readable by the group, not by all."""
    told = json.loads(run(prospend, site_file, "--json").out)
    latest = data_dir / "reports" / "latest"
    assert latest.readlink().name == told["run_id"]
    assert told["report"] == {"page": str(latest / "index.html"), "workbook": str(latest / "prospend.xlsx")}
    assert told["run_id"] in (latest / "index.html").read_text()
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in latest.iterdir()} == {
        "index.html": "0o640",
        "prospend.xlsx": "0o640",
    }


def test_a_report_can_be_written_again_and_replaces_the_one_before(prospend, site_file, data_dir):
    """`latest` leads to a whole one at every moment; what it replaced is gone."""
    run(prospend, site_file)
    first = (data_dir / "reports" / "latest").resolve()
    (data_dir / "reports" / ".building-cut-off").mkdir()
    told = json.loads(prospend("report", "--config", site_file, "--json").out)
    second = (data_dir / "reports" / "latest").resolve()
    assert second != first
    assert {path.name for path in (data_dir / "reports").iterdir()} == {"latest", second.name}
    assert told["run_id"] == first.name
    assert prospend("report", "--data", data_dir).code == 0  # no settings file is needed


def test_masked_reports_name_nobody(prospend, sandbox, site_file, data_dir):
    """Neither claimants nor approvers, on the page or in the workbook."""
    run(prospend, site_file)
    names = {one["claimantName"] for _, one in sandbox.records("claim")}
    latest = data_dir / "reports" / "latest"
    assert any(name in (latest / "index.html").read_text() for name in names)
    assert prospend("report", "--config", site_file, "--mask-people").code == 0
    page = (latest / "index.html").read_text()
    shutil.unpack_archive(latest / "prospend.xlsx", data_dir / "unpacked", "zip")
    cells = "".join(path.read_text("utf-8") for path in (data_dir / "unpacked").rglob("*.xml"))
    assert not [name for name in names if name in page or name in cells]


def test_no_report_that_names_people_is_left_where_they_are_masked(prospend, site_file, data_dir):
    """Nor those of earlier nights, once a site masks; a rollback finds the masked ones."""
    run(prospend, site_file)
    wanted(site_file, mask_people="true", workbook="false")
    for _ in range(2):
        run(prospend, site_file)
    earlier, newest = sorted(path.name for path in (data_dir / "reports").glob("2*"))
    assert (earlier.endswith(".masked"), newest.endswith(".masked")) == (True, True)
    assert prospend("rollback", "--data", data_dir).code == 0
    assert (data_dir / "reports" / "latest").readlink().name == earlier
    assert prospend("report", "--config", site_file).code == 0
    assert (data_dir / "reports" / "latest").readlink().name == earlier.replace(".masked", ".2.masked")


def test_a_report_that_cannot_be_written_takes_no_night_from_its_readers(prospend, site_file, data_dir):
    """Exit 0, because it is published; told on standard error, also by a quiet run; the report before it stays."""
    run(prospend, site_file)
    first = (data_dir / "reports" / "latest").resolve()
    (data_dir / "reports" / "latest").unlink()
    (data_dir / "reports" / "latest").mkdir()  # which no link can replace
    done = run(prospend, site_file)
    assert "published, but page and workbook could not be written" in done.err
    assert "prospend report" in done.err
    assert first.exists()
    assert recent(data_dir, 1)[0]["outcome"] == "published"
    again = prospend("report", "--config", site_file)
    assert again.code in (30, 31)
    assert set(again.lines) == {"WHAT", "WHERE", "STATE", "DO"}


def test_what_a_site_does_not_want_is_not_written(prospend, site_file, data_dir):
    """Page or workbook alone; without marts neither, and `report` says why."""
    wanted(site_file, workbook="false")
    run(prospend, site_file)
    assert [path.name for path in (data_dir / "reports" / "latest").iterdir()] == ["index.html"]
    wanted(site_file, marts="false")
    told = json.loads(run(prospend, site_file, "--json").out)
    assert told["report"] is None
    refused = prospend("report", "--config", site_file)
    assert refused.code == 10
    assert "no marts" in refused.err


def test_an_erasure_takes_every_report_with_it(prospend, sandbox, site_file, data_dir):
    """They name people; the next run writes a new one."""
    run(prospend, site_file)
    person = next(one["claimantId"] for _, one in sandbox.records("claim"))
    assert prospend("erase", person, "--config", site_file).code == 0
    assert list((data_dir / "reports").iterdir()) == []
    name = next(one["claimantName"] for _, one in sandbox.records("claim"))
    run(prospend, site_file)
    assert name not in (data_dir / "reports" / "latest" / "index.html").read_text()


def test_reports_go_with_their_generations(prospend, site_file, data_dir):
    """Those of generations that are kept stay beside the newest."""
    for _ in range(2):
        run(prospend, site_file)
    kept, newest = sorted(path.name for path in (data_dir / "reports").glob("2*"))
    (data_dir / "warehouse" / f"{kept}.duckdb").unlink()
    assert prospend("report", "--config", site_file).code == 0
    assert sorted(path.name for path in (data_dir / "reports").glob("2*")) == [f"{newest}.2"]


def test_a_rollback_takes_the_report_along(prospend, site_file, data_dir):
    """`latest` and the warehouse tell of one night; where no report of it is kept, that is said."""
    for _ in range(2):
        run(prospend, site_file)
    earlier, newest = sorted(path.name for path in (data_dir / "reports").glob("2*"))
    assert prospend("rollback", "--data", data_dir).code == 0
    assert (data_dir / "reports" / "latest").readlink().name == earlier
    shutil.rmtree(data_dir / "reports" / newest)
    back = prospend("rollback", newest, "--data", data_dir)
    assert "prospend report" in back.out
    assert (data_dir / "reports" / "latest").readlink().name == earlier
