"""A trace and a few metrics of a run for an OpenTelemetry collector, over OTLP by HTTP: an extra, if asked for.

Who asks is the environment, by the variables that the standard names (OTEL_EXPORTER_OTLP_ENDPOINT and its kin). Nothing
is imported and nothing measured before the run is over: its spans are drawn from the times of its events.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from pipeline.model import RunEnded

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

_PROTOCOL: Final = "http/protobuf"
_SERVICE: Final = "prospend-pipeline"


@dataclass(frozen=True, slots=True)
class Course:
    """A run as it went: its stages, each with when it began, and how it all ended."""

    site: str
    version: str
    run_id: str | None
    began_at: datetime
    ended_at: datetime
    stages: Sequence[tuple[str, datetime]]
    ended: RunEnded


def endpoints(environ: Mapping[str, str]) -> dict[str, str]:
    """Where traces and metrics are asked for, by signal; none where nobody asks in a way that is spoken here."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return {}
    found = {}
    for signal in ("traces", "metrics"):

        def said(what: str, of: str = f"{signal.upper()}_") -> str:
            return environ.get(f"OTEL_EXPORTER_OTLP_{of}{what}", "").strip()

        shared = said("ENDPOINT", of="")
        url = said("ENDPOINT") or (f"{shared.rstrip('/')}/v1/{signal}" if shared else "")
        protocol = said("PROTOCOL") or said("PROTOCOL", of="") or _PROTOCOL
        if url and protocol == _PROTOCOL and environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp") == "otlp":
            found[signal] = url
    return found


def is_installed() -> bool:
    """Whether the extra is there."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def export(course: Course, environ: Mapping[str, str], *, within_s: float) -> tuple[str, ...]:
    """The run is told to who asked; what was not, by signal and never with an address, which may hold a secret."""
    asked = endpoints(environ)
    if not asked or not is_installed():
        return ()
    problems: list[str] = []

    def send() -> None:
        with _silent():
            for signal, url in asked.items():
                if not _accepted(lambda signal=signal, url=url: _SENDERS[signal](course, environ, url)):  # type: ignore[misc]
                    problems.append(f"{signal}: the collector did not take them")

    thread = threading.Thread(target=send, name="otel", daemon=True)
    thread.start()
    thread.join(within_s)
    return (f"no answer within {within_s:g} s",) if thread.is_alive() else tuple(problems)


def _accepted(send: Callable[[], bool]) -> bool:
    try:
        return send()
    except Exception:  # noqa: BLE001 - another package's, and none of its errors may show an address
        return False


def _send_traces(course: Course, environ: Mapping[str, str], url: str) -> bool:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    spans = spans_of(course, _resource(course, environ))
    exporter = OTLPSpanExporter(endpoint=url)
    try:
        return not spans or exporter.export(spans) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]


def _send_metrics(course: Course, environ: Mapping[str, str], url: str) -> bool:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import MetricExportResult

    data = metrics_of(course, _resource(course, environ))
    exporter = OTLPMetricExporter(endpoint=url)
    try:
        return data is None or exporter.export(data) is MetricExportResult.SUCCESS
    finally:
        exporter.shutdown()


_SENDERS: Final = {"traces": _send_traces, "metrics": _send_metrics}


def spans_of(course: Course, resource: Resource) -> Sequence[ReadableSpan]:
    """A span for the run, and below it one for each stage; the one in which it failed says so."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.trace import StatusCode, set_span_in_context

    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer(_SERVICE, course.version)
    ended = course.ended
    facts = {"prospend.run_id": course.run_id, "prospend.outcome": ended.outcome, "prospend.exit_code": ended.exit_code}
    run = tracer.start_span(
        "run",
        attributes={key: value for key, value in facts.items() if value is not None},
        start_time=_nanoseconds(course.began_at),
    )
    below = set_span_in_context(run)
    ends = [*(at for _, at in course.stages[1:]), course.ended_at][: len(course.stages)]
    for left, ((stage, began_at), ended_at) in enumerate(zip(course.stages, ends, strict=True), 1 - len(ends)):
        span = tracer.start_span(stage, context=below, start_time=_nanoseconds(began_at))
        if ended.exit_code and not left:
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(max(began_at, ended_at)))
    if ended.exit_code:
        run.set_status(StatusCode.ERROR)
    run.end(_nanoseconds(max(course.began_at, course.ended_at)))
    return kept.get_finished_spans()


def metrics_of(course: Course, resource: Resource) -> MetricsData | None:
    """How long the run took, what it called and what it moved; what it did not come to know is left out."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter(_SERVICE, course.version)
    gauge = cache(lambda name, unit: meter.create_gauge(f"prospend.{name}", unit))
    for name, unit, value, labels in _measured(course.ended):
        if value is not None:
            gauge(name, unit).set(value, labels)
    return reader.get_metrics_data()


def _measured(ended: RunEnded) -> Iterator[tuple[str, str, float | None, dict[str, str]]]:
    outcome: dict[str, str] = {"outcome": ended.outcome}
    yield "run.duration", "s", ended.seconds, outcome
    yield "run.exit_code", "1", ended.exit_code, outcome
    yield "run.calls", "{call}", ended.calls_used, {}
    yield "run.planned_calls", "{call}", ended.calls_planned, {}
    yield "run.quarantined", "{record}", ended.quarantined, {}
    for change in ("new", "changed", "deleted"):
        yield "run.rows", "{row}", getattr(ended, change), {"change": change}
    yield "rows", "{row}", ended.rows, {}


def _resource(course: Course, environ: Mapping[str, str]) -> Resource:
    """Whose run it is; the environment's own words come first."""
    from opentelemetry.sdk.resources import Resource

    ours = {"service.name": _SERVICE, "service.version": course.version, "prospend.site": course.site}
    if environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        del ours["service.name"]
    return Resource.create(ours)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


@contextmanager
def _silent() -> Iterator[None]:
    """What the package logs of a failure could hold the address, and is said in our own words."""
    logger = logging.getLogger("opentelemetry")
    nobody, before = logging.NullHandler(), logger.propagate
    logger.addHandler(nobody)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(nobody)
