"""What a run is expected to cost, told from the last manifest."""

from __future__ import annotations

import pytest

from pipeline.planning import PlannedResource, RunPlan, plan_of
from pipeline.resources import read_catalogue

CATALOGUE = read_catalogue()


def manifest(**pages: int) -> dict[str, object]:
    """A manifest in which each named resource has so many pages in as many walks, and ten rows a page."""
    return {
        "run_id": "20261123T020000Z",
        "resources": {name: {"walks": {"count": count, "pages": count}} for name, count in pages.items()},
        "parts": {name: {"rows": count * 10} for name, count in pages.items()},
    }


def test_before_the_first_run_nothing_is_known():
    """Every resource of the catalogue is named, and nothing is guessed."""
    plan = plan_of(CATALOGUE, None, None)
    assert plan == RunPlan(tuple(PlannedResource(one.name, "full") for one in CATALOGUE), None, None)
    assert (plan.calls, plan.rows) == (None, None)


def test_a_run_is_planned_as_the_last_one_went():
    """Walks, rows and calls of each resource; the minutes shared out by calls; sums over the run."""
    plan = plan_of(CATALOGUE, manifest(company=1, claim=3), 480.0)
    assert plan.of("company") == PlannedResource("company", "full", walks=1, rows=10, calls=1, minutes=2.0)
    assert plan.of("claim") == PlannedResource("claim", "full", walks=3, rows=30, calls=3, minutes=6.0)
    assert (plan.calls, plan.rows, plan.based_on, plan.seconds) == (4, 40, "20261123T020000Z", 480.0)


def test_what_the_last_run_did_not_read_is_unknown():
    """A resource new in the catalogue has no counts and no share; one that is not in it has none either."""
    plan = plan_of(CATALOGUE, manifest(company=1), 60.0)
    assert plan.of("claim") == PlannedResource("claim", "full")
    assert plan.of("company").minutes == 1.0
    assert plan.of("no such") == PlannedResource("no such", "full")


@pytest.mark.parametrize(("pages", "seconds"), [({"company": 0}, 60.0), ({"company": 1}, None)])
def test_no_minutes_without_calls_or_a_duration(pages, seconds):
    """Nothing is divided by nought, and no time is made up."""
    assert {one.minutes for one in plan_of(CATALOGUE, manifest(**pages), seconds).resources} == {None}
