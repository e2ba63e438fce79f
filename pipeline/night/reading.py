"""Planning and reading: every list through one session; decoded and written aside while the network goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

from pipeline import budget, warehouse
from pipeline.account import Achieved
from pipeline.auth import Secret
from pipeline.decode import are_ascending, decode_pages, newest_by_company, stamped
from pipeline.errors import EXIT_TERMINATED
from pipeline.extract import Extraction, Scope, all_changed
from pipeline.forecast import plan_next
from pipeline.model import Context, Event, Page, PageProof, PageRead
from pipeline.night.lessons import Lessons
from pipeline.night.proving import prove_deletions
from pipeline.night.standing import spill
from pipeline.night.values import Night, Read
from pipeline.ops.ledger import Ledger, folder_of, forget_old, used_now
from pipeline.planning import RunPlan
from pipeline.readings import reached_by, sample_of
from pipeline.resources import Resource
from pipeline.session import open_session
from pipeline.settings import seconds_of
from pipeline.snapshot import KeptPages, Staging
from pipeline.stretches import Spread
from pipeline.warehouse import DuckDB

_DECODERS = 2


def planned(night: Night, pages_kept: int) -> RunPlan:
    """What the run is expected to do. One that the month has no room for does not begin.

    Pages that an earlier run kept need no call; one more is planned at least.
    """
    settings, now = night.settings, night.world.clock()
    plan = plan_next(settings, now, night.wanted)
    used = used_now(folder_of(night.data_dir, settings.site.name), now)
    budget.refuse_if_hopeless(settings.budget, used, max(1, (plan.calls or 1) - pages_kept), now)
    return plan


def read(night: Night, token: Secret, staging: Staging, achieved: Achieved, kept: KeptPages) -> Read:
    """Everything that is to be read stands in staging, with what proves it."""
    return _completed(_read(night, token, staging, achieved, kept))


def _completed(work: Coroutine[None, None, Read]) -> Read:
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


async def _read(night: Night, token: Secret, staging: Staging, achieved: Achieved, kept: KeptPages) -> Read:
    """The walks, what changed meanwhile, the sample, and the proof of what has ended, through one session."""
    settings, loop = night.settings, asyncio.get_running_loop()
    lessons = Lessons(night)
    ledger = Ledger(folder_of(night.data_dir, settings.site.name), settings.budget, night.world.clock)
    forget_old(ledger.folder, night.started_at)
    store = _Storing(night, staging)
    with (
        ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode") as decoders,
        closing(ledger),
        _known(night) as known,
    ):

        async def deliver(resource: Resource, pages: Sequence[Page]) -> None:
            await loop.run_in_executor(decoders, store, resource, pages)

        async with open_session(
            settings.api,
            settings.site.base_url,
            token,
            night.world,
            count=ledger.count,
            renew=night.renew,
            window=lessons.window,
        ) as session:
            achieved.calls = session.calls
            scope = _scope(night, known, lessons, kept.began.began_at, achieved.plan)

            def tell(event: Event) -> None:
                if isinstance(event, PageRead):
                    event = replace(event, calls=session.calls[event.resource])
                night.observe(event)

            walks = Extraction(scope, kept.answering(session.send), deliver, tell, kept)
            try:
                await walks.read_lists()
                lessons.found_limit(walks.limit)
                await walks.read_alone(store.unordered())
                lessons.found_alone(walks.sharing.refused(), store.unordered() & walks.sharing.names())
                await walks.catch_up(_since(store.newest, kept.began.began_at, seconds_of(settings.extract.overlap)))
                if known is None:
                    return Read(walks.done(), store.newest, store.unordered(), lessons.alone)
                await walks.recheck(_sampled(night, known))
                vanished = await prove_deletions(walks, staging, known, night)
                # A list that did not show what is there stands in another order than several walkers can see.
                hiding = store.unordered() | {one.resource for one in vanished if one.still_there}
                lessons.found_alone({}, hiding & walks.sharing.names())
                differed = {
                    name: warehouse.differing(known, night.catalogue[name], records)
                    for name, records in walks.rechecked.items()
                }
                return Read(walks.done(), store.newest, store.unordered(), lessons.alone, vanished, differed)
            finally:
                achieved.advice = tuple(session.advice)
                lessons.keep(session.strained_window)


@contextmanager
def _known(night: Night) -> Iterator[DuckDB | None]:
    """What was known before this night, to be asked; None before the first."""
    if night.base.path is None:
        yield None
        return
    with warehouse.connect_for_run(night.base.path, spill(night.data_dir, night.run_id)) as connection:
        yield connection


class _Storing:
    """Decodes pages and stages their rows, on any thread; keeps how far the lists have come."""

    def __init__(self, night: Night, staging: Staging) -> None:
        self.night = night
        self.staging = staging
        self.newest: dict[tuple[str, str], datetime] = {}
        self._proofs: dict[str, list[PageProof]] = {}
        self._lock = threading.Lock()

    def __call__(self, resource: Resource, pages: Sequence[Page]) -> None:
        decoded = decode_pages(pages, resource, run_id=self.night.run_id)
        proofs = [page.proof for page in pages if page.proof is not None]
        # A record that was looked up says nothing of how far its list was read.
        is_walk = bool(proofs) and proofs[0].purpose != "lookup"
        if is_walk and self.night.catalogue.depth(resource.name) == 1:
            proofs = list(stamped(proofs, decoded.table, resource))
            with self._lock:
                self._proofs.setdefault(resource.name, []).extend(proofs)
                for company, mark in newest_by_company(decoded.table, resource).items():
                    self.newest[resource.name, company] = max(mark, self.newest.get((resource.name, company), mark))
        self.staging.add(resource, decoded)
        self.staging.add_pages_proof(proofs)

    def unordered(self) -> frozenset[str]:
        """The lists whose change times went back somewhere."""
        return frozenset(name for name, proofs in self._proofs.items() if not are_ascending(proofs))


def _scope(night: Night, known: DuckDB | None, lessons: Lessons, until: datetime, plan: RunPlan | None) -> Scope:
    settings = night.settings

    @cache
    def alive(name: str) -> Mapping[str, int]:
        return warehouse.alive_by_company(known, night.catalogue[name]) if known is not None else {}

    def expected(resource: Resource, context: Context) -> float | None:
        rows, company = alive(resource.name), context[0][1]
        if company not in rows:
            return None
        if night.how[resource.name].mode == "full":
            return rows[company]
        # Which companies change most is not told: each is taken to have its share.
        changed = plan.of(resource.name).rows if plan is not None else None
        return None if changed is None else changed * rows[company] / sum(rows.values())

    def are_unchanged(resource: Resource, context: Context, keys: Sequence[str], marks: Sequence[int]) -> list[bool]:
        assert known is not None
        before = warehouse.known_fingerprints(known, resource, context, keys)
        return [before.get(key) == mark for key, mark in zip(keys, marks, strict=True)]

    def spread(resource: Resource, context: Context) -> Spread:
        # What is known of all rows says nothing of how those lie that have changed since.
        is_full = night.how[resource.name].mode == "full"
        return warehouse.spread(known, resource, context) if known is not None and is_full else ()

    return Scope(
        catalogue=night.catalogue,
        version=settings.site.version,
        companies=None if settings.site.companies == "all" else settings.site.companies,
        switches=frozenset(settings.extract.switched_on),
        page_limit=None if settings.api.page_limit == "auto" else settings.api.page_limit,
        first_limit=lessons.first_limit,
        concurrency=settings.api.concurrency,
        readings=night.how,
        are_unchanged=all_changed if known is None else are_unchanged,
        shared_until=until,
        alone=frozenset({*lessons.alone, *_shared_last(night)}),
        spread=spread,
        expected=expected,
    )


def _shared_last(night: Night) -> Iterator[str]:
    """Lists that several walkers read in full the last time: this time one sees what their bounds may have hidden."""
    for resource in night.catalogue:
        if night.how[resource.name].mode == "full" and reached_by(night.base.last, resource.name).was_shared:
            yield resource.name


def _since(
    newest: Mapping[tuple[str, str], datetime], began_at: datetime, overlap_s: int
) -> dict[tuple[str, str], datetime]:
    """From when on each list is read once more: before the walk began, and before the newest change that it brought.

    The second counts where the source's clock is behind ours.
    """
    return {place: min(mark, began_at) - timedelta(seconds=overlap_s) for place, mark in newest.items()}


def _sampled(night: Night, known: DuckDB) -> Iterator[tuple[Resource, Context]]:
    """Parents on incremental lists whose turn it is to be read again though they have not changed."""
    sample = sample_of(night.base.recheck_turn, night.settings.extract.recheck_percent)
    if sample is None:
        return
    for resource in night.catalogue:
        is_gated = night.how[resource.name].mode == "incremental" and night.catalogue.depth(resource.name) == 1
        children = night.catalogue.children_of(resource.name)
        if is_gated and children:
            for key in warehouse.sampled_keys(known, resource, sample.bucket, sample.buckets):
                yield resource, tuple(zip(children[0].context_names, key, strict=True))
