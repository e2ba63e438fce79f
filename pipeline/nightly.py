"""One night, top to bottom: the only file that knows the order of the stages.

    plan -> extract (with decode) -> place the parts -> load -> marts -> check -> seal -> publish -> record -> report

Whatever fails, the earlier warehouse stays published, what the run staged is removed, and the run leaves a record.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline import auth, checks, earlier, reports, upkeep, warehouse
from pipeline.account import Achieved, program_version, reading_of, report_of
from pipeline.auth import Secret
from pipeline.durable import make_folder, os_failure, room_at, storing
from pipeline.errors import (
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_PUBLISHED,
    EXIT_TERMINATED,
    BudgetReached,
    CheckRefused,
    DiskFull,
    LocalResource,
    PipelineError,
)
from pipeline.forecast import ageing_of, readings_of, refuse_short_lived
from pipeline.lean import lean
from pipeline.model import (
    ErrorLines,
    Observe,
    Outcome,
    ReadingPlanned,
    ReportFailed,
    RunBegan,
    RunPublished,
    RunReport,
    StageBegan,
    SurroundingsIgnored,
    World,
)
from pipeline.night import (
    Base,
    Loaded,
    Night,
    add_marts,
    end_erasure,
    finish_publication,
    forget_staged,
    judge,
    load,
    manifest_facts,
    parquet_follows,
    planned,
    read,
    refuse,
    results_of,
    room,
    standing,
    with_changes,
)
from pipeline.ops import records, runs
from pipeline.ops.lock import run_lock
from pipeline.ops.places import refuse_shared
from pipeline.ops.surroundings import ignored
from pipeline.ops.token_source import Surroundings, find_token
from pipeline.readings import Wanted, refuse_unknown_resources
from pipeline.resources import read_catalogue
from pipeline.settings import Settings, seconds_of
from pipeline.snapshot import (
    Began,
    KeptPages,
    Staging,
    accepted_runs,
    begin,
    go_on,
    seal,
)
from pipeline.telling import Teller
from pipeline.watching import Watch


def real_world() -> World:
    """The machine's own clock, sleep, randomness and disk."""
    return World(lambda: datetime.now(UTC), asyncio.sleep, time.monotonic, random.random, room_at)


def run(
    settings: Settings,
    *,
    wanted: Wanted | None = None,
    accepts_shrink: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    world: World | None = None,
    observe: Observe = lambda _: None,
    on_report: Callable[[RunReport], None] = lambda _: None,
) -> RunReport:
    """Everything the token can see has been read, checked and published; readers open it from now on.

    Args:
        settings: what to read, from where, and where to keep it.
        wanted: what is to be read of it in this run; what is due by default.
        accepts_shrink: resources that are published for once though they shrank beyond the site's limits.
        environ: where an environment token is looked up; the process environment by default.
        world: clock, sleep and randomness; the machine's own by default.
        observe: is told of stages and pages.
        on_report: is given the result whether the run published or failed.

    Raises:
        PipelineError: nothing was published. Its class is the exit code, its lines say what to do.
    """
    world = world or real_world()
    environ = Surroundings(os.environ if environ is None else environ)
    is_attended = sys.stdin is not None and sys.stdin.isatty()
    watch = Watch(settings, environ, world, observe, program_version())
    teller = Teller(settings, environ, watch.heard, is_attended=is_attended)
    try:
        with lean(), runs.state_told(runs.pointer_of(settings.storage.data_dir), world.clock):
            teller.began()
            asked = (wanted or Wanted(), frozenset(accepts_shrink))
            report = _begun(settings, environ, world, teller.heard, watch.reported(on_report), asked)
    except BaseException as error:
        teller.failed(error)
        watch.ended(error)
        raise
    teller.published(report)
    watch.ended()
    return report


def _begun(
    settings: Settings,
    environ: Mapping[str, str],
    world: World,
    observe: Observe,
    on_report: Callable[[RunReport], None],
    asked: tuple[Wanted, frozenset[str]],
) -> RunReport:
    """Everything that can be told without the source is in order; then the run goes."""
    refuse_shared(settings)
    catalogue = read_catalogue(settings.api.resources)
    checks.refuse_unknown(settings.checks.required, settings.checks.advisory, catalogue)
    refuse_unknown_resources("--accept-shrink", asked[1], catalogue)
    renew = partial(find_token, settings.token, environ)
    token = renew()
    started_at = world.clock()
    refuse_short_lived(token, settings, started_at)
    data_dir = settings.storage.data_dir
    with storing(f"storage.data_dir = {data_dir}"):
        make_folder(data_dir)
        run_id = runs.free_run_id(data_dir, started_at)
    with run_lock(data_dir, run_id, started_at):
        observe(RunBegan(run_id, program_version()))
        if names := ignored(environ):
            observe(SurroundingsIgnored(names))
        night = Night(settings, catalogue, run_id, started_at, world, observe, renew, *asked)
        return _recorded(night, token, on_report)


def _recorded(night: Night, token: Secret, on_report: Callable[[RunReport], None]) -> RunReport:
    """Run the stages; whatever comes of it is recorded and told."""
    found, warn_days = auth.passport(token, night.started_at), night.settings.token.warn_days
    achieved = Achieved(calls={}, token=auth.state_of(found, night.started_at, warn_days))

    def record(outcome: Outcome, exit_code: int, published: Path | None, error: ErrorLines | None) -> RunReport:
        finished_at = night.world.clock()
        report = report_of(
            night.run_id,
            night.started_at,
            finished_at,
            achieved,
            outcome=outcome,
            exit_code=exit_code,
            published=published,
            error=error,
        )
        return _record(night, report, on_report)

    try:
        ageing = ageing_of(night.data_dir, achieved.token, warn_days)
        if ageing is not None:
            night.observe(ageing)
        published = _stages(night, token, achieved)
    except PipelineError as error:
        error.filled_in(where=f"run {night.run_id}", state=_state(night, achieved))
        what, where, state, do = (text for _, text in error.lines())
        outcome: Outcome = "refused" if isinstance(error, CheckRefused) else "failed"
        record(outcome, error.exit_code, None, ErrorLines(what, where, state, do))
        raise
    except (KeyboardInterrupt, SystemExit) as signalled:
        told = ErrorLines(
            "the run was interrupted", f"run {night.run_id}", _state(night, achieved), "run again when ready"
        )
        record("failed", EXIT_INTERRUPTED if isinstance(signalled, KeyboardInterrupt) else EXIT_TERMINATED, None, told)
        raise
    except Exception as error:
        told = ErrorLines(f"a bug: {type(error).__name__}", f"run {night.run_id}", "nothing published", "report it")
        record("failed", EXIT_INTERNAL, None, told)
        raise
    return record("published", EXIT_PUBLISHED, published, None)


def _stages(night: Night, token: Secret, achieved: Achieved) -> Path:
    """Find what to build on and to go on from, then the way of the data. Returns the published file."""
    finish_publication(night)
    end_erasure(night)
    parquet_follows(night)
    base = Base(accepted_runs(night.data_dir))
    how = readings_of(night.settings, night.catalogue, base.last, night.started_at, night.wanted)
    night = replace(night, base=base, how=how)
    bearer = auth.passport(token, night.started_at)
    began = Began(
        night.run_id,
        night.started_at,
        reading_of(night.settings, night.catalogue, night.base.run_id, night.how, (bearer.site, bearer.subject)),
    )
    max_bytes = night.settings.storage.max_kept_bytes
    within_s = seconds_of(night.settings.extract.resume_within)
    lefts = earlier.judged(night.data_dir, began, within_s=within_s, max_bytes=max_bytes)
    used = next((left for left, not_used in lefts if not not_used), None)
    achieved.plan = planned(night, used.pages if used else 0)
    folder = night.data_dir / "staging" / night.run_id
    kept = begin(folder, began, max_bytes=max_bytes) if used is None else go_on(used, folder, max_bytes=max_bytes)
    earlier.tidy(night.data_dir, night.run_id, lefts, night.observe)
    try:
        room.refuse_cramped(night, kept.size_bytes)
        published = _way_of_the_data(night, token, achieved, kept)
    except BaseException as failure:
        are_sound = not isinstance(failure, Exception) or (isinstance(failure, PipelineError) and failure.keeps_pages)
        are_too_many = isinstance(failure, DiskFull) and room.told(failure, night, kept)
        if are_sound and kept.count and not are_too_many:
            if isinstance(failure, BudgetReached) and failure.again_at is not None:
                with suppress(PipelineError):  # then they are kept for less long
                    kept.pause_until(failure.again_at)
            kept.close()
            achieved.pages_kept = kept.count
        else:
            kept.discard()  # the next run must not meet the same pages, or the same lack of room, again
        raise
    with suppress(PipelineError):  # published is published; the next run does what could not be done now
        parquet_follows(night)
    with suppress(PipelineError):
        kept.discard()
        upkeep.prune_generations(night.data_dir, night.settings.storage.keep_generations, night.world.clock())
    return published


def _way_of_the_data(night: Night, token: Secret, achieved: Achieved, kept: KeptPages) -> Path:
    """Extract, place, load, report, check, seal, publish; whatever fails, nothing is left of it but the kept pages."""
    staging = Staging(night.data_dir, night.run_id, night.catalogue, compression=night.settings.storage.compression)
    try:
        night = replace(night, base=standing(night))
        night.observe(StageBegan("extract"))
        planned_lines = achieved.plan.resources if achieved.plan is not None else ()
        night.observe(ReadingPlanned(tuple((one.name, one.calls, one.rows) for one in planned_lines)))
        found = read(night, token, staging, achieved, kept)
        night.observe(StageBegan("seal"))
        forget_staged(night, staging)
        sealed = staging.seal_parts()
        achieved.results = results_of(found, night.how, sealed, staging, achieved)
        night.observe(StageBegan("load"))
        built = load(night, sealed, staging, achieved, kept.began.began_at)
        achieved.results = with_changes(achieved.results, built)
        night.observe(StageBegan("marts"))
        marts = add_marts(night, built, kept.began.began_at)
        night.observe(StageBegan("check"))
        verdict = judge(night, Loaded(found, sealed, staging, achieved, built, marts))
        achieved.checks = verdict.results
        # The seal comes after the checks, because it says what they found: a run that they refuse is evidence only.
        facts = manifest_facts(night, found, staging, achieved, kept)
        is_accepted = not checks.refusals(verdict.results)
        sha256 = seal(night.data_dir, night.run_id, facts, sealed, accepted=is_accepted, base=night.base.run_id)
        refuse(verdict.results, night.data_dir / "runs" / night.run_id)
        warehouse.finish(built, verdict.results, manifest_sha256=sha256, figures=verdict.figures)
        upkeep.vouch(night.data_dir, night.run_id, built.path)
        if night.settings.report.parquet:
            upkeep.parquet.write(night.data_dir, night.run_id, built.path)
        night.observe(StageBegan("publish"))
        return warehouse.publish(built.path, night.data_dir / "warehouse", night.pointer, night.run_id)
    except OSError as error:
        raise os_failure(error, f"run {night.run_id}") from error
    except MemoryError:
        raise LocalResource("this machine ran out of memory", where=f"run {night.run_id}") from None
    finally:
        staging.abandon()
        warehouse.discard(night.building)
        warehouse.discard(night.borrowed)


def _state(night: Night, achieved: Achieved) -> str:
    """What readers have, and what the next run has, in one line."""
    state = runs.state_line(night.pointer, night.world.clock())
    if not achieved.pages_kept:
        return state
    return f"{state}; the {achieved.pages_kept:,} pages read so far are kept, and the next run goes on from them"


def _record(night: Night, report: RunReport, on_report: Callable[[RunReport], None]) -> RunReport:
    """Save and tell the result. A failure to save never hides the failure that is being recorded."""
    if report.outcome == "published":
        night.observe(RunPublished(report.run_id))
    try:
        records.save(night.data_dir, report)
    except PipelineError as error:
        if report.outcome == "published":
            state = "the new warehouse is published; only the record of the run is missing"
            raise error.filled_in(state=state) from None
    try:
        if report.outcome == "published":
            report = _with_what_people_read(night, report)
    finally:
        on_report(report)
    return report


def _with_what_people_read(night: Night, report: RunReport) -> RunReport:
    """Page and workbook are written. Published is published: where they cannot be, the run only tells so."""
    night.observe(StageBegan("report"))
    expires_at = report.token.expires_at if report.token else None
    try:
        written = reports.write(
            night.data_dir,
            night.settings.report,
            written_at=night.world.clock(),
            token_expires_at=expires_at,
        )
    except Exception as error:  # noqa: BLE001 - a bug in a report takes no night from its readers
        is_ours = isinstance(error, PipelineError)
        night.observe(ReportFailed(str(error) if is_ours else f"a bug: {type(error).__name__}"))
        return report
    page, workbook = (written.page, written.workbook) if written else (None, None)
    return replace(report, page=str(page) if page else None, workbook=str(workbook) if workbook else None)
