"""Hears everything of a run from before its first stage to after its last, and hands it to who watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pipeline.errors import EXIT_PUBLISHED, PipelineError, RunActive, exit_code_of
from pipeline.model import (
    ErrorLines,
    Event,
    NotExported,
    Observe,
    RunBegan,
    RunEnded,
    RunPublished,
    RunReport,
    StageBegan,
    World,
)
from pipeline.ops import event_log, otel
from pipeline.settings import Settings
from pipeline.watching import prometheus
from pipeline.watching.health import health_after_run

_OTEL: Final = "OpenTelemetry"
_AT_MOST_S: Final = 10.0
_WHEN_STOPPED_S: Final = 1.0  # a run that is terminated ends within 5 s


@dataclass(slots=True)
class Watch:
    """One run's. `observe` is who else hears of it, and of what could not be written; `version` is this program's."""

    settings: Settings
    environ: Mapping[str, str]
    world: World
    observe: Observe
    version: str
    _log: event_log.EventLog = field(init=False)
    _began_at: datetime = field(init=False)
    _began_s: float = field(init=False)
    _run_id: str | None = field(default=None, init=False)
    _stages: list[tuple[str, datetime]] = field(default_factory=list, init=False)
    _report: RunReport | None = field(default=None, init=False)
    _is_published: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._began_at, self._began_s = self.world.clock(), self.world.monotonic()
        self._log = event_log.EventLog(self.settings.storage.data_dir, self.settings.site.name, self.world.clock)

    def heard(self, event: Event) -> None:
        """Something happened."""
        if isinstance(event, RunBegan):
            self._run_id = event.run_id
        if isinstance(event, StageBegan):
            self._stages.append((event.stage, self.world.clock()))
        if isinstance(event, RunPublished):
            self._is_published = True
        self.observe(event)
        not_logged = self._log.take(event)
        if not_logged is not None:
            self.observe(not_logged)

    def reported(self, on_report: Callable[[RunReport], None]) -> Callable[[RunReport], None]:
        """The same receiver of the run's report, which is heard of here, too."""

        def told(report: RunReport) -> None:
            self._report = report
            on_report(report)

        return told

    def ended(self, error: BaseException | None = None) -> None:
        """The run is over; `error` is what leaves it."""
        seconds = max(self.world.monotonic() - self._began_s, 0.0)
        ended = ended_as(self._report, error, seconds, is_published=self._is_published)
        if not isinstance(error, RunActive):  # the other run tells how it ended
            self._safely("watch.prometheus_file", lambda: self._write_metrics(ended))
            is_stopped = isinstance(error, SystemExit | KeyboardInterrupt)
            self._safely(_OTEL, lambda: self._send_trace(ended, within_s=_WHEN_STOPPED_S if is_stopped else _AT_MOST_S))
        self.heard(ended)
        self._log.close()
        event_log.forget_old(self.settings.storage.data_dir, self.settings.storage.keep_log_days)

    def _write_metrics(self, ended: RunEnded) -> None:
        if (path := self.settings.watch.prometheus_file) is not None:
            now = self.world.clock()
            health = health_after_run(self.settings, now)
            prometheus.write(path, prometheus.page_of(health, ended, now, version=self.version))

    def _send_trace(self, ended: RunEnded, *, within_s: float) -> None:
        course = otel.Course(
            self.settings.site.name,
            self.version,
            self._run_id,
            self._began_at,
            self.world.clock(),
            self._stages,
            ended,
        )
        for problem in otel.export(course, self.environ, within_s=within_s):
            self.heard(NotExported(f"{_OTEL}: {problem}"))

    def _safely(self, where: str, act: Callable[[], None]) -> None:
        """It is done, or told why not; no bug in it reaches the run either."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - see above
            reason = getattr(error, "what", None) or getattr(error, "strerror", None) or type(error).__name__
            self.heard(NotExported(f"{where}: {reason}"))


def ended_as(report: RunReport | None, error: BaseException | None, seconds: float, *, is_published: bool) -> RunEnded:
    """How a run ended: by its report, if it came to one, and by what left it."""
    exit_code = EXIT_PUBLISHED if error is None else exit_code_of(error)
    seconds = round(seconds, 3)
    if report is None:
        lines = _lines(error) if isinstance(error, PipelineError) else None
        return RunEnded("published" if is_published else "failed", exit_code, seconds, error=lines)

    def of_all(count: str) -> int | None:
        counts = [getattr(one, count) for one in report.resources]
        return sum(one or 0 for one in counts) if any(one is not None for one in counts) else None

    return RunEnded(
        report.outcome,
        exit_code,
        seconds,
        calls_planned=report.calls_planned,
        calls_used=report.calls_used,
        rows=of_all("rows"),
        new=of_all("new"),
        changed=of_all("changed"),
        deleted=of_all("deleted"),
        quarantined=of_all("quarantined"),
        checks_not_passed=tuple(one.name for one in report.checks if not one.passed),
        error=report.error,
    )


def _lines(error: PipelineError) -> ErrorLines:
    what, where, state, do = (text for _, text in error.lines())
    return ErrorLines(what, where, state, do)
