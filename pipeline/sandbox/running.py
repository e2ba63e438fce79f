"""Starts and stops a sandbox, in this event loop or in a thread of its own, and is the handle that tests hold."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import queue
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.resources import read_catalogue
from pipeline.sandbox import admin, authority, page, tokens
from pipeline.sandbox.answer import Forced, State, error
from pipeline.sandbox.clock import Clock, Event, Version, kept
from pipeline.sandbox.cursors import Lifetime
from pipeline.sandbox.data import make_books
from pipeline.sandbox.data.text import json_text
from pipeline.sandbox.data.times import days_to_end_by
from pipeline.sandbox.faults import SCENARIOS, Plan
from pipeline.sandbox.faults.injector import Injector
from pipeline.sandbox.journal import Journal
from pipeline.sandbox.listener import listen
from pipeline.sandbox.model import Answer, Reply, SandboxSettings
from pipeline.sandbox.openapi import DOCUMENT_PATH, openapi_yaml
from pipeline.sandbox.oracle import Context, records
from pipeline.sandbox.quota import Quota
from pipeline.sandbox.record_text import record_changer, varied_books
from pipeline.sandbox.routes import make_routes
from pipeline.sandbox.server import Host


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that listens.

    `base_url` and `admin_url` are HTTPS on loopback without a trailing slash; `token` is good for two years.
    """

    settings: SandboxSettings
    base_url: str
    admin_url: str
    ca_file: Path
    token: str = dataclasses.field(repr=False)
    token_id: str
    journal: Journal = dataclasses.field(repr=False)
    host: Host = dataclasses.field(repr=False)
    clock: Clock = dataclasses.field(repr=False)

    def inject(self, resource: str, context: Context, records: Sequence[bytes | Mapping[str, object]]) -> None:
        """Append records to the end of one list, whatever the filters.

        `context` are the parents' keys, outermost first. Bytes go out as they are, sound JSON or not. A record with a
        readable key can be a parent: its lists exist, and more can be injected into them.
        """
        state = self.host.state
        key_name = next(r.key for r in read_catalogue() if r.name == resource)
        raw = tuple(r if isinstance(r, bytes) else json_text(dict(r)).encode() for r in records)
        place = (resource, context)
        keyed = {key: text for text in raw if (key := _key_of(text, key_name)) is not None}
        self.host.state = dataclasses.replace(
            state,
            injected={**state.injected, place: (*state.injected.get(place, ()), *raw)},
            parents={**state.parents, place: {**state.parents.get(place, {}), **keyed}},
        )

    def force(self, path_prefix: str, status: int) -> None:
        """Answer every path that starts so with an error of this status, until `release`."""
        self.answer_with(path_prefix, error(status, shape=self.settings.variants.error_body))

    def answer_with(self, path_prefix: str, given: Answer) -> None:
        """Answer every path that starts so with this reply or script, until `release`; the newest rule wins."""
        state = self.host.state
        self.host.state = dataclasses.replace(state, forced=(Forced(path_prefix, given), *state.forced))

    def release(self) -> None:
        """Forget all forced answers."""
        self.host.state = dataclasses.replace(self.host.state, forced=())

    def faults(self, plan: Plan | None = None) -> None:
        """Break what this plan says from the next request and connection on; None breaks nothing more.

        Connections that are open stay as they are. All that an earlier plan counted is forgotten.
        """
        _inject(self.host, self.settings, plan or Plan())

    def revoke(self) -> None:
        """Revoke the token of this handle: the next request gets 401."""
        tokens.revoke(self.settings.state_dir, self.token_id, now=datetime.now(UTC))

    def records(
        self, resource: str, context: Context | None = None, **filters: str
    ) -> list[tuple[Context, dict[str, Any]]]:
        """Every record the books hold of a resource, with its parents' keys; see `oracle.records`."""
        return records(self.host.state, resource, context, filters)

    def advance(self, days: int = 1, *, keep: bool = False) -> tuple[Event, ...]:
        """Move the books some days on; the next request sees it. What happened comes back.

        With `keep`, the next sandbox of the state folder starts there too.

        Raises:
            ValueError: no days, or more than the calendar of the books holds.
        """
        return _advance(self.host, self.clock, days, keep_in=self.settings.state_dir if keep else None)

    def history(self, resource: str) -> list[Version]:
        """Every version of every record of a resource, whenever it could be seen; see `Version`."""
        return self.clock.history(resource)

    def as_of(self, resource: str, at: datetime) -> list[Version]:
        """Exactly the records of a resource that could be seen at an instant of the books' clock."""
        return self.clock.as_of(resource, at)


@asynccontextmanager
async def serving(settings: SandboxSettings) -> AsyncIterator[Running]:
    """A sandbox that listens on loopback until the block ends.

    Raises:
        ValueError: the settings ask for impossible books.
        OSError: a port is taken, or the state folder cannot be written.
    """
    now = datetime.now(UTC)
    ca_file, tls = authority.certificates(settings.state_dir, now)
    token = tokens.new(settings.state_dir, now=now, name="printed when serving began")
    state, clock = await asyncio.to_thread(_make_state, settings)
    row_counts = {name: table.row_count for name, table in state.books.tables.items()}
    journal = Journal(row_counts, settings.journal_entries)
    host = Host(state, journal, settings.state_dir, gzip=settings.variants.gzip == "on")
    _inject(host, settings, settings.faults or Plan())
    listener = listen(host, settings.port, tls)
    try:
        app = admin.make_app(journal)
        admin.let_advance(
            app,
            kept.admin_secret(settings.state_dir),
            lambda days: _moved(clock, _advance(host, clock, days, keep_in=settings.state_dir)),
        )
        page.attach(app, settings.state_dir)
        runner, admin_port = await admin.start(app, settings.admin_port, tls)
        admin_url = f"https://127.0.0.1:{admin_port}"
        try:
            kept.note_server(settings.state_dir, admin_url)
            yield Running(
                settings=settings,
                base_url=f"https://127.0.0.1:{listener.port}",
                admin_url=admin_url,
                ca_file=ca_file,
                token=token.text,
                token_id=token.entry.id,
                journal=journal,
                host=host,
                clock=clock,
            )
        finally:
            kept.forget_server(settings.state_dir, admin_url)
            await admin.stop(runner)
    finally:
        await listener.close()


def _inject(host: Host, settings: SandboxSettings, plan: Plan) -> None:
    if any(SCENARIOS[fault.scenario].on_connection for fault in plan.faults):
        host.unsound = authority.unsound(settings.state_dir, datetime.now(UTC))
    host.injector = Injector(plan, error_shape=settings.variants.error_body)


def _advance(host: Host, clock: Clock, days: int, *, keep_in: Path | None) -> tuple[Event, ...]:
    happened = clock.advance(days)
    host.state = dataclasses.replace(host.state, overlay=clock.overlay)
    if keep_in is not None:
        kept.keep_days(keep_in, clock.days)
    return happened


def _moved(clock: Clock, happened: tuple[Event, ...]) -> dict[str, object]:
    """What the admin port tells of a move."""
    return {"days": clock.days, "now": clock.now.isoformat(), "events": Counter(event.name for event in happened)}


def _make_state(settings: SandboxSettings) -> tuple[State, Clock]:
    """What is served, and the clock that moves it, as far on as the state folder says."""
    catalogue = read_catalogue()
    wanted = days_to_end_by(settings.until) if settings.until is not None else None
    moved_days = kept.moved_days(settings.state_dir, wanted=wanted)
    plain = make_books(settings.seed, settings.claims, moved_days)
    books = varied_books(plain, settings.variants, catalogue)
    changers = {each.name: record_changer(each, settings.variants) for each in catalogue}
    clock = Clock(plain, settings.seed, changers if settings.variants.change_records else None)
    days = kept.kept_days(settings.state_dir)
    if days:
        clock.advance(days)
    document = openapi_yaml(catalogue, settings).encode()
    has_limits = settings.hourly_limit is not None or settings.monthly_limit is not None
    state = State(
        books=books,
        overlay=clock.overlay,
        routes=make_routes(catalogue),
        gate=tokens.open_gate(settings.state_dir),
        # From the seed, not at random: the same books give the same pages, cursors included.
        cursor_key=hashlib.sha256(f"cursors of {settings.seed}".encode()).digest(),
        page_cap=settings.page_cap,
        variants=settings.variants,
        lifetime=Lifetime(settings.cursor_lifetime_s, settings.cursor_lifetime_pages),
        quota=Quota(hourly=settings.hourly_limit, monthly=settings.monthly_limit) if has_limits else None,
        documents={DOCUMENT_PATH: Reply(200, document, (("Content-Type", "application/yaml"),))},
    )
    return state, clock


@contextmanager
def in_thread(settings: SandboxSettings) -> Iterator[Running]:
    """The same, on an event loop in a thread of its own, for callers without one."""
    ready: queue.SimpleQueue[Running | BaseException] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving(settings) as running:
            ready.put(running)
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                runner.run(serve())
            except BaseException as failure:  # noqa: BLE001 - handed to the thread that waits, whatever it is
                ready.put(failure)

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    started = ready.get()
    if isinstance(started, BaseException):
        thread.join()
        raise started
    try:
        yield started
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def _key_of(text: bytes, name: str) -> str | None:
    """The key of an injected record, if it can be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    key = found.get(name) if isinstance(found, dict) else None
    return key if isinstance(key, str) else None
