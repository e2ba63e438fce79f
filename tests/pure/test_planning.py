"""What a run is expected to cost, told from the last manifest."""

from __future__ import annotations

import pytest

from pipeline.planning import PlannedResource, RunPlan, plan_of
from pipeline.resources import read_catalogue

CATALOGUE = read_catalogue()


FULL = dict.fromkeys(CATALOGUE.names, "full")


def manifest(run_id: str = "20261123T020000Z", modes: dict[str, str] = FULL, **pages: int) -> dict[str, object]:
    """A manifest in which each named resource has so many pages in as many walks, and ten records a page."""
    return {
        "run_id": run_id,
        "resources": {
            name: {
                "mode": mode,
                "walks": {"count": pages.get(name, 0), "pages": pages.get(name, 0), "records": 10 * pages.get(name, 0)},
            }
            for name, mode in modes.items()
        },
    }


def planned(*history: dict[str, object], modes: dict[str, str] = FULL, seconds: float | None = None) -> RunPlan:
    return plan_of(CATALOGUE, modes, history, lambda _: seconds)


def test_before_the_first_run_nothing_is_known():
    """Every resource of the catalogue is named, and nothing is guessed."""
    plan = planned()
    assert plan == RunPlan(tuple(PlannedResource(one.name, "full") for one in CATALOGUE), None, None)
    assert (plan.calls, plan.rows) == (None, None)


def test_a_run_is_planned_as_the_last_one_went():
    """Walks, records and calls of each resource; the minutes shared out by calls; sums over the run."""
    plan = planned(manifest(company=1, claim=3), manifest("older", claim=99), seconds=480.0)
    assert plan.of("company") == PlannedResource("company", "full", walks=1, rows=10, calls=1, minutes=2.0)
    assert plan.of("claim") == PlannedResource("claim", "full", walks=3, rows=30, calls=3, minutes=6.0)
    assert (plan.calls, plan.rows, plan.based_on, plan.seconds) == (4, 40, "20261123T020000Z", 480.0)


INCREMENTAL = FULL | {"claim": "incremental", "expense": "incremental"}


def test_the_last_run_of_the_same_kind_tells():
    """A full night says nothing about what an incremental one costs, nor the other way round."""
    history = (manifest("full", company=1, claim=900), manifest("changes", INCREMENTAL, company=1, claim=3))
    assert planned(*history, modes=INCREMENTAL).of("claim").calls == 3
    assert planned(*history).of("claim").calls == 900


def test_without_one_of_the_same_kind_the_rest_is_told():
    """What was read in another way is unknown, and no time is made up."""
    plan = planned(manifest(company=1, claim=900), modes=INCREMENTAL, seconds=60.0)
    assert plan.of("claim") == PlannedResource("claim", "incremental")
    assert plan.of("company").calls == 1
    assert plan.seconds is None


def test_what_is_not_read_costs_nothing():
    """A run of some lists only keeps the others."""
    plan = planned(manifest(company=1, claim=9), modes=FULL | {"claim": "kept"})
    assert plan.of("claim") == PlannedResource("claim", "kept", walks=0, rows=0, calls=0)


def test_what_the_last_run_did_not_read_is_unknown():
    """A resource new in the catalogue has no counts and no share; one that is not in it has none either."""
    modes = {name: mode for name, mode in FULL.items() if name != "claim"}
    plan = planned(manifest("r", modes, company=1), seconds=60.0)
    assert plan.of("claim") == PlannedResource("claim", "full")
    assert plan.of("no such") == PlannedResource("no such", "full")


@pytest.mark.parametrize(("pages", "seconds"), [({}, 60.0), ({"company": 1}, None)])
def test_no_minutes_without_calls_or_a_duration(pages, seconds):
    """Nothing is divided by nought, and no time is made up."""
    assert {one.minutes for one in planned(manifest(**pages), seconds=seconds).resources} == {None}
