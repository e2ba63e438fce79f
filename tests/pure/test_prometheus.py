"""The file for Prometheus, read by Prometheus' own parser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.model import RunEnded
from pipeline.watching.prometheus import METRICS, page_of

AT = datetime(2026, 11, 27, 2, 5, tzinfo=UTC)
NOTHING = {
    "site": "acme",
    "data_as_at": None,
    "last_success_at": None,
    "resources": {},
    "budget": None,
    "token": None,
    "disk": None,
}
EVERYTHING = {
    **NOTHING,
    "data_as_at": "2026-11-27T02:00:00+00:00",
    "last_success_at": "2026-11-27T02:04:00+00:00",
    "resources": {
        "claim": {
            "rows": 7,
            "read_at": "2026-11-27T02:00:00+00:00",
            "changed_at": "2026-11-26T10:00:00+00:00",
            "quarantined": 2,
        },
        "tax_code": {"rows": 3, "read_at": "2026-11-27T02:00:00+00:00", "changed_at": None, "quarantined": 0},
    },
    "budget": {"hour": {"used": 5, "limit": None}, "month": {"used": 50, "limit": 1000}},
    "token": {"expires_at": "2027-01-01T00:00:00+00:00"},
    "disk": {"sizes": {"warehouse": 100}, "free_bytes": 10**12, "growth_bytes_a_night": 9},
}
GOOD = RunEnded("published", 0, 1.5, calls_planned=9, calls_used=10, rows=10, new=1, changed=2, deleted=3)


def read(health, ended=GOOD):
    """Every sample by name and labels, and the families."""
    families = list(text_string_to_metric_families(page_of(health, ended, AT, version="0.1.0")))
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels["site"] == health["site"] for sample in samples)
    labels = [tuple(value for name, value in sample.labels.items() if name != "site") for sample in samples]
    found = {(one.name, *label): one.value for one, label in zip(samples, labels, strict=True)}
    assert len(found) == len(samples), "no sample stands twice"
    return found, families


def test_every_metric_has_its_help_and_type_and_a_base_unit():
    """Seconds, bytes, and counts; names say so where there is a unit."""
    _, families = read(EVERYTHING)
    assert {family.name for family in families} == {f"prospend_{name}" for name in METRICS}
    assert all(family.type == "gauge" and family.documentation == METRICS[family.name[9:]] for family in families)
    units = ("_seconds", "_bytes", "_rows", "_records", "_calls", "_used", "_limit", "_info", "_outcome", "_exit_code")
    assert all(family.name.endswith(units) for family in families)


def test_values_are_those_of_the_run_and_of_the_site():
    """Instants are seconds since 1970, so that whoever asks later sees the data grow old."""
    found, _ = read(EVERYTHING)
    assert found["prospend_last_run_outcome", "published"] == 1
    assert found["prospend_last_run_outcome", "failed"] == 0
    assert found["prospend_last_run_ended_timestamp_seconds",] == AT.timestamp()
    assert found["prospend_data_timestamp_seconds",] == datetime(2026, 11, 27, 2, tzinfo=UTC).timestamp()
    assert [found["prospend_last_run_rows", kind] for kind in ("new", "changed", "deleted")] == [1, 2, 3]
    assert found["prospend_resource_quarantined_records", "claim"] == 2
    assert found["prospend_calls_limit", "month"] == 1000
    assert found["prospend_token_expiry_timestamp_seconds",] == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert found["prospend_disk_bytes", "warehouse"] == 100


def test_what_is_not_known_is_left_out_and_never_zero():
    """A first run that failed before it read anything: how it ended is all there is."""
    found, _ = read(NOTHING, RunEnded("failed", 11, 0.2))
    assert {name for name, *_ in found} == {
        "prospend_build_info",
        "prospend_last_run_outcome",
        "prospend_last_run_exit_code",
        "prospend_last_run_ended_timestamp_seconds",
        "prospend_last_run_duration_seconds",
    }
    assert ("prospend_calls_limit", "hour") not in read(EVERYTHING)[0]
    assert ("prospend_resource_changed_timestamp_seconds", "tax_code") not in read(EVERYTHING)[0]


@pytest.mark.parametrize("name", ['a "b"', "a\\b", "a\nb"])
def test_a_label_holds_any_name(name):
    """No name of a site can begin another sample."""
    read({**NOTHING, "site": name})
