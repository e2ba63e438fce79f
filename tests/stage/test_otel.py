"""A run told to an OpenTelemetry collector: a real one over loopback, read by the standard's own messages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from collecting import Collector

from pipeline.model import RunEnded
from pipeline.ops.otel import Course, endpoints, export

AT = datetime(2026, 11, 27, 2, tzinfo=UTC)
COURSE = Course(
    site="acme",
    version="0.1.0",
    run_id="20261127T020000Z",
    began_at=AT,
    ended_at=AT + timedelta(seconds=60),
    stages=[("extract", AT + timedelta(seconds=1)), ("load", AT + timedelta(seconds=50))],
    ended=RunEnded("published", 0, 60.0, calls_used=9, rows=10, new=1, changed=2, deleted=3),
)
ERROR = 2  # of the standard's status codes


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def told(course: Course, url: str, **environ: str) -> tuple[str, ...]:
    return export(course, {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **environ}, within_s=20)


def test_a_run_is_a_span_and_each_stage_one_below_it(collector):
    """At the times of its events, whoever looks later."""
    assert told(COURSE, collector.url) == ()
    resource, spans = collector.spans
    assert {one.key: one.value.string_value for one in resource.attributes}.items() >= {
        ("service.name", "prospend-pipeline"),
        ("prospend.site", "acme"),
    }
    run = spans["run"]
    assert {one.key: one.value.string_value or one.value.int_value for one in run.attributes} == {
        "prospend.run_id": COURSE.run_id,
        "prospend.outcome": "published",
        "prospend.exit_code": 0,
    }
    assert {name for name, span in spans.items() if span.parent_span_id == run.span_id} == {"extract", "load"}
    seconds = {name: (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 for name, span in spans.items()}
    assert seconds == {"run": 60, "extract": 49, "load": 10}
    assert run.start_time_unix_nano == int(AT.timestamp()) * 10**9
    assert not any(span.status.code for span in spans.values())


def test_calls_rows_and_duration_are_metrics(collector):
    """What a run did not come to know is left out."""
    assert told(COURSE, collector.url) == ()
    assert collector.points == {
        ("prospend.run.duration", "published"): 60.0,
        ("prospend.run.exit_code", "published"): 0,
        ("prospend.run.calls",): 9,
        ("prospend.run.rows", "new"): 1,
        ("prospend.run.rows", "changed"): 2,
        ("prospend.run.rows", "deleted"): 3,
        ("prospend.rows",): 10,
    }


def test_a_run_that_failed_says_in_which_stage(collector):
    """The last one that had begun, and the run as a whole; one that failed before the first has none to blame."""
    failed = replace(COURSE, ended=RunEnded("failed", 20, 60.0))
    assert told(failed, collector.url) == ()
    _, spans = collector.spans
    assert {name: span.status.code for name, span in spans.items()} == {"run": ERROR, "extract": 0, "load": ERROR}
    collector.taken.clear()
    assert told(replace(failed, run_id=None, stages=[]), collector.url) == ()
    assert list(collector.spans[1]) == ["run"]


def test_nobody_is_told_unless_the_environment_asks(collector):
    """Neither without an address, nor where the standard's own switches say no."""
    assert export(COURSE, {}, within_s=20) == ()
    assert told(COURSE, collector.url, OTEL_SDK_DISABLED="true") == ()
    assert told(COURSE, collector.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc") == ()
    assert collector.taken == []
    assert told(COURSE, collector.url, OTEL_METRICS_EXPORTER="none") == ()
    assert [path for path, _ in collector.taken] == ["/v1/traces"]


def test_a_signal_can_have_an_address_of_its_own():
    """Taken as it is; the shared one gets the path of the signal."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a/", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/x"}
    assert endpoints(environ) == {"traces": "http://b/x", "metrics": "http://a/v1/metrics"}


def test_a_collector_that_does_not_take_it_is_told_without_its_address(caplog, capfd):
    """Refused or not there: one line a signal in our words; the package's own words may hold a secret."""
    refusing = Collector(status=400)
    try:
        refused = told(COURSE, f"http://user:secret@127.0.0.1:{refusing.server.server_port}")
        assert refused == ("traces: the collector did not take them", "metrics: the collector did not take them")
        assert logging.getLogger("opentelemetry").propagate, "whoever else uses the package hears of it as before"
        nobody = export(COURSE, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1/secret"}, within_s=1)
        assert nobody == ("no answer within 1 s",)
        assert "secret" not in "".join((caplog.text, *capfd.readouterr()))
    finally:
        refusing.close()
