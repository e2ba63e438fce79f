"""Nights on which several walkers share a list, and the full nights between, on which one reads it alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline
from pipeline import nightly
from pipeline.model import RunReport
from pipeline.ops.remembered import file_of
from pipeline.readings import Wanted
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.faults import plan
from pipeline.settings import Checks, Settings


def night(site: Settings, running: Running, *, is_full: bool) -> tuple[RunReport, dict[str, object]]:
    """A night's report, and what its manifest says of the claims."""
    wanted = Wanted(is_full=is_full)
    report = nightly.run(site, wanted=wanted, environ={TOKEN_VARIABLE: running.token})
    path = site.storage.data_dir / "runs" / report.run_id / "manifest.json"
    return report, json.loads(path.read_text())["resources"]["claim"]


def claims(data_dir: Path) -> list[tuple[object, ...]]:
    with pipeline.connect(data_dir) as connection:
        return connection.sql("SELECT * EXCLUDE (_run_id, _fetched_at) FROM prospend.claim ORDER BY ALL").fetchall()


def test_two_full_readings_in_a_row_are_never_both_shared(authority: Path, tmp_path: Path):
    """What the bounds of walkers hid is seen the next time; rows are the same either way."""
    with in_thread(SandboxSettings(state_dir=authority, claims=120)) as running:
        site = replace(
            site_of(running, tmp_path / "data", page_limit=1),
            checks=Checks(max_shrink_percent=100, max_deleted_percent=100, min_key_overlap_percent=0),
        )
        shared, entries, rows = [], [], []
        for is_full in (True, True, False, True, True):
            _, facts = night(site, running, is_full=is_full)
            shared.append(facts["was_shared"])
            entries.append(facts["walks"]["entries"])
            rows.append(claims(site.storage.data_dir))
    assert shared == [True, False, False, True, False]
    assert [bool(count) for count in entries] == [True, False, False, True, False]
    assert all(one == rows[0] for one in rows)
    walks = facts["walks"]
    assert walks["ended_at_marker"] == walks["count"]
    assert json.loads(file_of(site.storage.data_dir, "test").read_text())["alone"] == {}


def test_what_bounds_may_have_hidden_is_not_taken_for_deleted(authority: Path, tmp_path: Path):
    """A list out of order shows some records to nobody who shares it: before many are judged, one walker reads it all.

    Without that, the night would be held: more are missing than the site takes.
    """
    hidden = 2
    with in_thread(SandboxSettings(state_dir=authority, claims=120)) as running:
        site = site_of(running, tmp_path / "data", page_limit=1)
        site = replace(site, site=replace(site.site, companies=("1",)), checks=Checks(max_deleted_percent=1))
        night(site, running, is_full=True)  # shared, so that the next one is not
        night(site, running, is_full=True)
        before = claims(site.storage.data_dir)
        running.faults(plan(f"misplaced-records:resource=claim,count={hidden}"))
        running.journal.clear()
        report, facts = night(site, running, is_full=True)
        asked = Counter(one.query for one in running.journal.entries if one.path.endswith("/claim"))
        after = claims(site.storage.data_dir)
    assert facts["walks"]["entries"] > 0
    of_claims = next(one for one in report.resources if one.name == "claim")
    assert (of_claims.deleted, of_claims.looked_up) == (0, 0)
    assert after == before
    # Read from its beginning to its end, which no walker of a shared list does.
    assert sum(count for query, count in asked.items() if "minUpdatedDate" not in query) >= len(before)
    assert asked["limit=1"] == 2
    assert not facts["walks"]["is_ascending"]
    remembered = json.loads(file_of(site.storage.data_dir, "test").read_text())["alone"]
    assert set(remembered) == {"claim"}
