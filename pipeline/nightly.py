"""One night, top to bottom: the only file that knows the order of the stages.

    plan -> extract (with decode) -> seal -> load -> check -> publish -> record

Whatever fails, the earlier warehouse stays published, what the run staged is removed, and the run leaves a record.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline import auth, budget, checks, earlier, warehouse
from pipeline.account import Achieved, manifest_facts, program_version, reading_of, report_of, results_of
from pipeline.auth import Secret
from pipeline.decode import decode_pages
from pipeline.durable import make_folder, os_failure, storing
from pipeline.errors import (
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_PUBLISHED,
    EXIT_TERMINATED,
    CheckRefused,
    LocalResource,
    PipelineError,
)
from pipeline.extract import Extracted, Scope, extract
from pipeline.forecast import ageing_of, plan_next, refuse_short_lived
from pipeline.model import (
    CheckResult,
    ErrorLines,
    Observe,
    Outcome,
    Page,
    RunReport,
    StageBegan,
    World,
)
from pipeline.ops import records, runs
from pipeline.ops.ledger import Ledger, folder_of, forget_old, used_now
from pipeline.ops.lock import run_lock
from pipeline.ops.token_source import find_token
from pipeline.resources import Catalogue, Resource, read_catalogue
from pipeline.session import open_session
from pipeline.settings import Settings, seconds_of
from pipeline.snapshot import (
    QUARANTINE,
    Began,
    KeptPages,
    SealedResource,
    Staging,
    begin,
    go_on,
    seal,
)
from pipeline.totals import add_totals

_DECODERS = 2


def real_world() -> World:
    """The machine's own clock, sleep and randomness."""
    return World(lambda: datetime.now(UTC), asyncio.sleep, time.monotonic, random.random)


@dataclass(frozen=True, slots=True)
class _Night:
    """What every stage of one run is given."""

    settings: Settings
    catalogue: Catalogue
    run_id: str
    started_at: datetime
    world: World
    observe: Observe
    renew: Callable[[], Secret]

    @property
    def data_dir(self) -> Path:
        return self.settings.storage.data_dir

    @property
    def pointer(self) -> Path:
        return runs.pointer_of(self.data_dir)


def run(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    world: World | None = None,
    observe: Observe = lambda _: None,
    on_report: Callable[[RunReport], None] = lambda _: None,
) -> RunReport:
    """Everything the token can see has been read, checked and published; readers open it from now on.

    Args:
        settings: what to read, from where, and where to keep it.
        environ: where an environment token is looked up; the process environment by default.
        world: clock, sleep and randomness; the machine's own by default.
        observe: is told of stages and pages.
        on_report: is given the result whether the run published or failed.

    Raises:
        PipelineError: nothing was published. Its class is the exit code, its lines say what to do.
    """
    world = world or real_world()
    catalogue = read_catalogue(settings.api.resources)
    renew = partial(find_token, settings.token, os.environ if environ is None else environ)
    token = renew()
    started_at = world.clock()
    refuse_short_lived(token, settings, started_at)
    data_dir = settings.storage.data_dir
    with storing(f"storage.data_dir = {data_dir}"):
        make_folder(data_dir)
        run_id = runs.free_run_id(data_dir, started_at)
    with run_lock(data_dir, run_id, started_at):
        night = _Night(settings, catalogue, run_id, started_at, world, observe, renew)
        return _recorded(night, token, on_report)


def _recorded(night: _Night, token: Secret, on_report: Callable[[RunReport], None]) -> RunReport:
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


def _stages(night: _Night, token: Secret, achieved: Achieved) -> Path:
    """Make room, go on from what an earlier run kept, then the way of the data. Returns the published file."""
    began = Began(night.run_id, night.started_at, reading_of(night.settings, night.catalogue))
    lefts = earlier.judged(night.data_dir, began, within_s=seconds_of(night.settings.extract.resume_within))
    used = next((left for left, not_used in lefts if not not_used), None)
    achieved.calls_planned = _planned_calls(night, used.pages if used else 0)
    folder = night.data_dir / "staging" / night.run_id
    kept = begin(folder, began) if used is None else go_on(used, folder)
    earlier.tidy(night.data_dir, night.run_id, lefts, night.observe)
    try:
        published = _way_of_the_data(night, token, achieved, kept)
    except BaseException as failure:
        are_sound = not isinstance(failure, Exception) or (isinstance(failure, PipelineError) and failure.keeps_pages)
        if are_sound and kept.count:
            kept.close()
            achieved.pages_kept = kept.count
        else:
            kept.discard()  # the next run must not meet the same pages again
        raise
    with suppress(PipelineError):  # published is published; the next run sweeps what could not be removed
        kept.discard()
    return published


def _way_of_the_data(night: _Night, token: Secret, achieved: Achieved, kept: KeptPages) -> Path:
    """Extract, seal, load, check, publish; whatever fails, nothing is left of it but the kept pages."""
    staging = Staging(night.data_dir, night.run_id, night.catalogue, compression=night.settings.storage.compression)
    try:
        night.observe(StageBegan("extract"))
        extracted = _completed(_extract(night, token, staging, achieved, kept))
        night.observe(StageBegan("seal"))
        sealed = staging.seal_parts()
        achieved.results = results_of(extracted, sealed, staging, achieved.calls)
        facts = manifest_facts(night.settings, night.catalogue, night.started_at, extracted, staging, achieved, kept)
        manifest_sha256 = seal(night.data_dir, night.run_id, facts, sealed)
        night.observe(StageBegan("load"))
        built = _load(night, sealed, staging, achieved, manifest_sha256, kept.began.began_at)
        night.observe(StageBegan("check"))
        achieved.checks = _check(night, sealed, staging, achieved, built)
        warehouse.finish(built, achieved.checks)
        _refuse(achieved.checks)
        night.observe(StageBegan("publish"))
        return warehouse.publish(built.path, night.data_dir / "warehouse", night.pointer, night.run_id)
    except OSError as error:
        raise os_failure(error, f"run {night.run_id}") from error
    except MemoryError:
        raise LocalResource("this machine ran out of memory", where=f"run {night.run_id}") from None
    finally:
        staging.abandon()
        warehouse.discard(_building(night))


def _completed(work: Coroutine[None, None, Extracted]) -> Extracted:
    """The result of asynchronous work, also for a caller whose thread runs an event loop already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        try:
            return asyncio.run(work)
        except asyncio.CancelledError:  # whoever ends this process has cancelled the loop's tasks
            raise SystemExit(EXIT_TERMINATED) from None
    with ThreadPoolExecutor(1, thread_name_prefix="extract") as thread:
        return thread.submit(asyncio.run, work).result()


def _planned_calls(night: _Night, pages_kept: int) -> int | None:
    """Expected calls, None before the first run. A run that the month has no room for does not begin.

    Pages that an earlier run kept need no call; one more is planned at least.
    """
    settings, now = night.settings, night.world.clock()
    calls = plan_next(settings).calls
    used = used_now(folder_of(night.data_dir, settings.site.name), now)
    budget.refuse_if_hopeless(settings.budget, used, max(1, (calls or 1) - pages_kept), now)
    return calls


async def _extract(night: _Night, token: Secret, staging: Staging, achieved: Achieved, kept: KeptPages) -> Extracted:
    """Read everything; decode and write on other threads, so that the network never waits for the processor."""
    settings = night.settings
    loop = asyncio.get_running_loop()
    scope = Scope(
        catalogue=night.catalogue,
        version=settings.site.version,
        companies=None if settings.site.companies == "all" else settings.site.companies,
        switches=frozenset(name for name in ("include_personal", "include_omitted") if getattr(settings.extract, name)),
        page_limit=None if settings.api.page_limit == "auto" else settings.api.page_limit,
        concurrency=settings.api.concurrency,
    )
    ledger = Ledger(folder_of(night.data_dir, settings.site.name), settings.budget, night.world.clock)
    forget_old(ledger.folder, night.started_at)
    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode") as decoders, closing(ledger):

        def store(resource: Resource, pages: Sequence[Page]) -> None:
            staging.add(resource, decode_pages(pages, resource, run_id=night.run_id))

        async def deliver(resource: Resource, pages: Sequence[Page]) -> None:
            await loop.run_in_executor(decoders, store, resource, pages)

        async with open_session(
            settings.api, settings.site.base_url, token, night.world, count=ledger.count, renew=night.renew
        ) as session:
            achieved.calls = session.calls
            try:
                return await extract(scope, kept.answering(session.send), deliver, night.observe)
            finally:
                achieved.advice = tuple(session.advice)


def _load(
    night: _Night,
    sealed: Sequence[SealedResource],
    staging: Staging,
    achieved: Achieved,
    manifest_sha256: str,
    data_as_at: datetime,
) -> warehouse.Built:
    """The new warehouse file stands aside, loaded from the sealed parts."""
    parts = tuple(
        warehouse.Parts(night.catalogue[one.name], tuple(night.data_dir / part.path for part in one.parts))
        for one in sealed
        if one.name != QUARANTINE
    )
    facts = warehouse.RunFacts(
        run_id=night.run_id,
        started_at=night.started_at,
        site=night.settings.site.name,
        program_version=program_version(),
        resources=achieved.results,
        control_totals=staging.page_totals(),
        quarantined=staging.quarantined(),
        notes=staging.notes(),
        manifest_sha256=manifest_sha256,
        data_as_at=data_as_at,
    )
    target = _building(night)
    make_folder(target.parent)
    temp_dir = night.data_dir / "staging" / night.run_id / "spill"
    temp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    run_parts = warehouse.RunParts(night.run_id, data_as_at, parts, deleted=None, facts=facts)
    return warehouse.build(target, [run_parts], temp_dir=temp_dir)


def _check(
    night: _Night,
    sealed: Sequence[SealedResource],
    staging: Staging,
    achieved: Achieved,
    built: warehouse.Built,
) -> tuple[CheckResult, ...]:
    """Compare what was served, what lies in Parquet and what was loaded."""
    loaded, superseded = dict(built.read_rows), dict(built.superseded)
    parquet = {one.name: one.rows for one in sealed}
    counts = [
        checks.ResourceCounts(
            resource=one.name,
            records=one.records,
            quarantined=one.quarantined,
            parquet_rows=parquet[one.name],
            superseded=superseded.get(one.name, 0),
            warehouse_rows=loaded[one.name],
        )
        for one in achieved.results
    ]
    judged = checks.judge(
        counts=counts,
        roots=[one.name for one in night.catalogue if one.parent is None],
        element_counts={table: count for one in sealed for table, count in one.elements},
        loaded_rows=loaded,
        page_totals=staging.page_totals(),
        parquet_totals=add_totals(*(one.totals for one in sealed)),
        loaded_totals=add_totals(built.read_totals, built.superseded_totals),
        key_problems=[checks.KeyProblems(*problem) for problem in built.key_problems],
        notes=staging.notes(),
        max_quarantined_percent=night.settings.checks.max_quarantined_percent,
    )
    return (*judged, checks.token_lasts(achieved.token), checks.advice_given(achieved.advice))


def _refuse(results: Sequence[CheckResult]) -> None:
    failed = checks.refusals(results)
    if failed:
        raise CheckRefused("; ".join(f"check {one.name} did not pass: {one.detail}" for one in failed), where="check")


def _state(night: _Night, achieved: Achieved) -> str:
    """What readers have, and what the next run has, in one line."""
    state = runs.state_line(night.pointer, night.world.clock())
    if not achieved.pages_kept:
        return state
    return f"{state}; the {achieved.pages_kept:,} pages read so far are kept, and the next run goes on from them"


def _building(night: _Night) -> Path:
    return night.data_dir / "warehouse" / f".building-{night.run_id}.duckdb"


def _record(night: _Night, report: RunReport, on_report: Callable[[RunReport], None]) -> RunReport:
    """Save and tell the result. A failure to save never hides the failure that is being recorded."""
    try:
        records.save(night.data_dir, report)
    except PipelineError as error:
        if report.outcome == "published":
            state = "the new warehouse is published; only the record of the run is missing"
            raise error.filled_in(state=state) from None
    on_report(report)
    return report
