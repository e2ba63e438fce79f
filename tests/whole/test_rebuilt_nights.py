"""A warehouse made again from the snapshots is the one that grew night by night; `make soak` has a month of them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from drifting import drifting_nights

import pipeline
from pipeline.settings import load_settings

pytestmark = pytest.mark.marts


def test_a_rebuild_is_what_the_nights_had_made(authority: Path):
    """With drift, deletions and quarantined records in the books: every table equal, row by row."""
    with drifting_nights(authority, 7, seed=3) as nights:
        assert nights.counted("SELECT count(*) FROM meta.quarantine") > 0
        assert nights.counted("SELECT count(*) FROM meta.schema_change") > 0
        assert nights.deleted() > 0
        assert nights.counted("SELECT count(DISTINCT _run_id) FROM past.claim") > 3
        rebuilt = nights.rebuilt()
    assert (rebuilt.run_count, rebuilt.differs) == (nights.nights, ())


def test_a_rebuild_makes_the_marts_by_the_rules_of_their_night(prospend, sandbox, site_file):
    """The manifest keeps how the site reports: fiscal year, zone and thresholds are not those by default."""
    text = site_file.read_text().replace(
        'name = "test"', 'name = "test"\nfiscal_year_start = 2\ntimezone = "Pacific/Auckland"'
    )
    site_file.write_text(text + "approval_thresholds = [100]\nthreshold_percent = 90.0\n")
    assert prospend("run", "--config", site_file, "--quiet").code == 0
    data_dir = load_settings(site_file, environ={}).storage.data_dir
    asked = (
        "SELECT max(date_on), count(DISTINCT fiscal_year_start_on) FROM mart.calendar WHERE month(fiscal_year_start_on) = 2",
        "SELECT count(*) FROM mart.below_threshold WHERE threshold_amount = 100",
    )
    before = [prospend("query", "--data", data_dir, sql).out for sql in asked]
    rebuilt = prospend("rebuild", "--data", data_dir, "--json")
    assert json.loads(rebuilt.out)["differs"] == []
    assert [prospend("query", "--data", data_dir, sql).out for sql in asked] == before
    with closing(pipeline.connect(data_dir)) as connection:
        for sql in asked:
            assert all(connection.sql(sql).fetchall()[0]), sql
