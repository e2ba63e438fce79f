"""Planning and reading: every list through one session; decoded and written aside while the network goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from pipeline import budget
from pipeline.account import Achieved
from pipeline.auth import Secret
from pipeline.decode import decode_pages
from pipeline.errors import EXIT_TERMINATED
from pipeline.extract import Extracted, Scope, extract
from pipeline.forecast import plan_next
from pipeline.model import Page
from pipeline.night.values import Night
from pipeline.ops.ledger import Ledger, folder_of, forget_old, used_now
from pipeline.planning import RunPlan
from pipeline.resources import Resource
from pipeline.session import open_session
from pipeline.snapshot import KeptPages, Staging

_DECODERS = 2


def planned(night: Night, pages_kept: int) -> RunPlan:
    """What the run is expected to do. One that the month has no room for does not begin.

    Pages that an earlier run kept need no call; one more is planned at least.
    """
    settings, now = night.settings, night.world.clock()
    plan = plan_next(settings)
    used = used_now(folder_of(night.data_dir, settings.site.name), now)
    budget.refuse_if_hopeless(settings.budget, used, max(1, (plan.calls or 1) - pages_kept), now)
    return plan


def read(night: Night, token: Secret, staging: Staging, achieved: Achieved, kept: KeptPages) -> Extracted:
    """Everything that is to be read stands in staging; the proof of it."""
    return _completed(_extract(night, token, staging, achieved, kept))


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


async def _extract(night: Night, token: Secret, staging: Staging, achieved: Achieved, kept: KeptPages) -> Extracted:
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
