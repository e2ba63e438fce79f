"""How each resource is read, and how far that brings it: never past what was read without a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import ConfigError
from pipeline.readings import (
    ANY_COMPANY,
    Reached,
    Reading,
    Wanted,
    lower_bound,
    reached_after,
    reached_by,
    readings,
    sample_of,
)
from pipeline.resources import read_catalogue

NOW = datetime(2026, 3, 8, 2, 0, tzinfo=UTC)
MARK = datetime(2026, 3, 7, 1, 0, 0, 500_000, tzinfo=UTC)
CATALOGUE = read_catalogue()
LISTS = {"claim", "invoice", "project", "portfolio"}  # that can be asked for what changed
BELOW = {
    "claim": {"expense", "expense_split"},
    "invoice": {"invoice_line", "invoice_split"},
    "project": {"project_wbs"},
}


def manifest(*, full_days_ago: float = 1, marks: dict[str, datetime] | None = None, is_ascending: bool = True) -> dict:
    full_at = (NOW - timedelta(days=full_days_ago)).isoformat()
    watermarks = {company: mark.isoformat() for company, mark in ({"1": MARK} if marks is None else marks).items()}
    facts = {"watermarks": watermarks, "full_at": full_at, "walks": {"is_ascending": is_ascending}, "asked": []}
    return {"resources": dict.fromkeys(CATALOGUE.names, facts)}


def planned(last=None, wanted=Wanted(), **asked):  # noqa: B008
    return readings(CATALOGUE, last, NOW, wanted=wanted, full_every_s=7 * 86_400, overlap_s=900, **asked)


def modes(found) -> dict[str, set[str]]:
    by_mode: dict[str, set[str]] = {}
    for name, reading in found.items():
        by_mode.setdefault(reading.mode, set()).add(name)
    return by_mode


def test_the_first_night_reads_everything():
    """Nothing is known yet."""
    assert modes(planned()) == {"full": set(CATALOGUE.names)}


def test_later_nights_read_what_changed_where_the_list_can_be_asked():
    """From the watermark less the overlap; other lists in full; what hangs under a list follows it."""
    found = planned(manifest())
    incremental = LISTS | set().union(*BELOW.values())
    assert modes(found) == {"incremental": incremental, "full": set(CATALOGUE.names) - incremental}
    assert found["claim"].since == {"1": MARK - timedelta(minutes=15)}
    assert found["expense"].since == {}


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        (manifest(full_days_ago=7), Wanted()),
        (manifest(), Wanted(is_full=True)),
        (manifest(marks={}), Wanted()),
        (manifest(is_ascending=False), Wanted()),
        ({"resources": {}}, Wanted()),
    ],
    ids=["full_every has passed", "asked for", "no watermark", "it went back in time", "resource is new"],
)
def test_a_list_is_read_in_full_when_it_is_due(last, wanted):
    """After `full_every`, on `--full`, and when there is nothing to go on from."""
    assert modes(planned(last, wanted)) == {"full": set(CATALOGUE.names)}


def test_a_list_is_read_in_full_when_something_new_hangs_under_it():
    """A resource added to the catalogue is read under every parent once, not only under those that change."""
    last = manifest()
    del last["resources"]["expense_split"]
    found = planned(last)
    assert {found[name].mode for name in ("claim", "expense", "expense_split")} == {"full"}
    assert found["invoice"].mode == "incremental"


def test_other_switches_ask_for_everything_again():
    """Lines that were left out before hang under documents that have not changed."""
    assert planned(manifest())["claim"].mode == "incremental"
    assert planned(manifest(), asked=("include_personal",))["claim"].mode == "full"
    after = reached_after(Reading("full"), BEFORE, {}, began_at=NOW, asked=("include_personal",))
    assert after.asked == ("include_personal",)
    assert reached_after(Reading("kept"), BEFORE, {}, began_at=NOW, asked=("include_personal",)).asked == ()


@pytest.mark.parametrize("name", ["claim", "expense", "expense_split"])
def test_only_takes_the_whole_tree_of_a_list(name):
    """What hangs under a list is read with it: read alone, its changes would be taken for known and missed for good."""
    found = modes(planned(manifest(), Wanted(only=(name,))))
    assert found["incremental"] == {"claim", "expense", "expense_split"}
    assert found["full"] == {"company"}


def test_only_refuses_what_there_is_not():
    """With the nearest name."""
    with pytest.raises(ConfigError) as caught:
        planned(manifest(), Wanted(only=("claims",)))
    assert "did you mean claim?" in caught.value.do


def test_since_reads_from_a_moment_on_at_every_company():
    """Also at those that have no watermark."""
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    found = planned(manifest(), Wanted(since=moment))
    assert found["claim"].since == {"1": moment, ANY_COMPANY: moment}
    assert found["supplier"].mode == "full"


def test_a_lower_bound_is_never_later_than_its_moment():
    """The source is asked in whole seconds, rounded down."""
    assert lower_bound(MARK) == "2026-03-07T01:00:00Z"
    assert lower_bound(MARK.astimezone()) == "2026-03-07T01:00:00Z"
    assert lower_bound(MARK.replace(year=506)) == "0506-03-07T01:00:00Z"


def test_whether_walkers_shared_a_list_is_said_of_its_last_full_reading():
    """A night that reads what changed says nothing of it."""
    full = reached_after(Reading("full"), BEFORE, {}, began_at=NOW, was_shared=True)
    assert full.was_shared
    on = reached_after(Reading("incremental", {"1": EARLIER}), full, {"1": LATER}, began_at=NOW, was_shared=False)
    assert on.was_shared
    assert not reached_after(Reading("full"), on, {}, began_at=NOW).was_shared


BEFORE = Reached({"1": MARK}, NOW - timedelta(days=1))
LATER, EARLIER = MARK + timedelta(hours=3), MARK - timedelta(hours=3)


@pytest.mark.parametrize(
    ("reading", "newest", "after"),
    [
        (Reading("kept"), {"1": LATER}, BEFORE),
        (Reading("full"), {"1": LATER}, Reached({"1": LATER}, NOW)),
        (Reading("full"), {"1": EARLIER}, Reached({"1": EARLIER}, NOW)),
        (Reading("full"), {}, Reached({"1": MARK}, NOW)),
        (Reading("incremental", {"1": EARLIER}), {"1": LATER}, Reached({"1": LATER}, BEFORE.full_at)),
        (Reading("incremental", {"1": EARLIER}), {"1": EARLIER}, BEFORE),
        (Reading("incremental", {"1": EARLIER}), {}, BEFORE),
        (Reading("incremental", {"1": LATER}), {"1": NOW}, BEFORE),
        (Reading("incremental", {"1": EARLIER}), {"2": LATER}, Reached({"1": MARK, "2": LATER}, BEFORE.full_at)),
        (Reading("incremental", {"1": EARLIER, ANY_COMPANY: EARLIER}), {"2": LATER}, BEFORE),
        (Reading("full"), {"1": NOW + timedelta(hours=2)}, Reached({"1": NOW}, NOW)),
    ],
    ids=[
        "not read", "read in full", "the newest record was deleted", "the list is empty", "read on", "nothing new",
        "nothing at all", "a gap was left by --since", "a new company is read in full",
        "a new company was read from a moment only", "a time in the future",
    ],
)  # fmt: skip
def test_a_watermark_moves_only_over_what_was_read(reading, newest, after):
    """Never past a gap, never back on an incremental night, never into the future."""
    assert reached_after(reading, BEFORE, newest, began_at=NOW) == after


def test_what_was_reached_stands_in_the_manifest():
    """And is nothing for a resource that it does not know."""
    assert reached_by(manifest(), "claim") == BEFORE
    assert reached_by(manifest(), "other") == reached_by(None, "claim") == Reached()


@pytest.mark.parametrize("percent", [0.5, 2.0, 33.0, 100.0])
def test_samples_rotate_until_each_parent_was_read_once(percent):
    """In as many runs as there are buckets, every key belongs to exactly one sample; the share is about as asked."""
    keys = [("1", str(number)) for number in range(1000)]
    buckets = sample_of(0, percent).buckets
    held = [sum(sample_of(turn, percent).holds(key) for turn in range(buckets)) for key in keys]
    assert held == [1] * len(keys)
    assert sum(map(sample_of(3, percent).holds, keys)) <= 1000 * percent / 100 * 2 + 5


def test_no_sample_is_wanted():
    """`recheck_percent = 0` switches it off."""
    assert sample_of(0, 0) is None
