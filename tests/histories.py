"""Weeks of nights on books that move: full and incremental runs, some of which fail or die, each result audited.

A history is drawn from a seed: which days pass, how each night reads, what goes wrong. After every published night the
independent checker compares the warehouse with the books; at the end, earlier nights are looked up in its history.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import checker
from checker import PARENT, Allowed, Books, Difference, Key, Published
from sandbox_site import TOKEN_VARIABLE, site_of
from session_world import Jumping

import pipeline.nightly
from pipeline.errors import PipelineError
from pipeline.ops.ledger import folder_of, used_now
from pipeline.readings import Wanted
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.faults import plan
from pipeline.settings import Budget, Checks, Extract, Settings

OVERLAP = timedelta(hours=3)  # late commits of the sandbox come up to two hours behind
# Nights lie so far apart on the client's clock; all of them must stay within a day of the server's.
_APART = timedelta(minutes=40)
_BEGINS = -timedelta(hours=12)
# Lists that can be asked for what changed, and whose records tell when; all other lists are read whole each night.
BOUNDED = ("project", "portfolio", "claim", "invoice")
MISHAPS = ("server-error", "mix", "budget", "killed")


class Killed(BaseException):
    """The run is ended from within, at any event, by what no handler expects."""


@dataclass(frozen=True)
class Night:
    """One published night: how it was read, what went wrong before, when it was done, what its readers found."""

    number: int
    is_full: bool
    mishaps: tuple[str, ...]
    done_at: datetime
    published: Published = field(repr=False)
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        mode = "full" if self.is_full else "incremental"
        told = "; ".join(map(str, self.differences[:5]))
        return (
            f"night {self.number} ({mode}, after {self.mishaps or 'nothing'}): {len(self.differences)} differ: {told}"
        )


@dataclass
class Life:
    """A history under way: the sandbox, the site, and what is known of what readers have."""

    running: Running
    site: Settings
    draw: Random
    clock: Jumping = field(default_factory=lambda: Jumping(ahead=_BEGINS))
    nights: list[Night] = field(default_factory=list)
    known: Books = field(default_factory=dict)
    marks: dict[tuple[str, str], datetime] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    @property
    def pointer(self) -> Path:
        return self.site.storage.data_dir / "warehouse.duckdb"

    def books(self) -> Books:
        return checker.books_of(self.running.records)

    def live(self, night_count: int) -> None:
        """Let the nights pass."""
        for number in range(night_count):
            if number:
                self.running.advance(self.draw.choice((1, 1, 1, 2, 3)))
            self.clock.ahead += _APART
            is_full = number == 0 or self.draw.random() < 0.3
            self._pass_one(number, is_full=is_full)

    def _pass_one(self, number: int, *, is_full: bool) -> None:
        states = [self.books()]
        mishaps = [self.draw.choice(MISHAPS) for _ in range(self.draw.choice((0, 0, 0, 1, 2)))]
        for mishap in mishaps:
            before = self._generation()
            if self._attempt(mishap, is_full=is_full):
                break
            assert self._generation() == before
            if is_full and self.draw.random() < 0.3:  # the pages that were kept are of a day before the others
                self.running.advance(1)
                states.append(self.books())
        else:
            assert self._attempt("", is_full=is_full)
        published = checker.read(self.pointer)
        allowed = checker.any_of(states) if is_full else self._after_changes(states[-1])
        found = tuple(checker.differences(published, allowed))
        self.nights.append(Night(number, is_full, tuple(mishaps), self.clock.clock(), published, found))
        self.known = _found_again(published, allowed)
        for books in states:
            self._mark(books)

    def _generation(self) -> Path | None:
        return self.pointer.resolve() if self.pointer.is_symlink() else None

    def _attempt(self, mishap: str, *, is_full: bool) -> bool:
        """Run once; whether it published."""
        site, observe = self.site, lambda _: None
        if mishap == "budget":
            used = used_now(folder_of(site.storage.data_dir, site.site.name), self.clock.clock()).hour
            room = self.draw.randint(1, 150 if is_full else 20)
            site = replace(site, budget=Budget(hourly=used + room, reserve_percent=0))
        elif mishap == "killed":
            observe = _ending_at(self.draw.randint(1, 140 if is_full else 25))
        elif mishap == "mix":
            self.running.faults(plan("mix:share=0.2", seed=self.draw.randrange(10**6)))
        elif mishap == "server-error":
            nth = self.draw.randint(1, 120)
            self.running.faults(plan(f"server-error:share={self.draw.choice((0.05, 1))}", seed=nth))
        try:
            pipeline.nightly.run(
                site,
                wanted=Wanted(is_full=is_full),
                environ={TOKEN_VARIABLE: self.running.token},
                world=self.clock.world(),
                observe=observe,
            )
        except (PipelineError, Killed):
            if not mishap:
                raise
            return False
        finally:
            self.running.faults()
        return True

    # ---- what an incremental night must have seen ------------------------------------------------------------------

    def _mark(self, books: Books) -> None:
        for name in BOUNDED:
            for key, record in books[name].items():
                at = datetime.fromisoformat(record["updatedDate"])
                self.marks[name, key[0]] = max(at, self.marks.get((name, key[0]), at))

    def _after_changes(self, books: Books) -> Allowed:
        """What may stand after a night that read changes only: the books, but that what is gone may still be there.

        What the source cannot tell by a time of change (a row that came back with an old one, a line edited without a
        trace in its document) may be as it was the night before.
        """
        allowed: Allowed = {}
        for name, keys in books.items():
            earlier = self.known[name]
            allowed[name] = {key: [None, earlier[key]] for key in earlier.keys() - keys.keys()}
            for key, record in keys.items():
                was = earlier.get(key)
                must = was == record or self._is_told(name, key, books)
                allowed[name][key] = [record] if must else [record, was]
        return allowed

    def _is_told(self, name: str, key: Key, books: Books) -> bool:
        """Whether the source tells of a change of this record when it is asked for changes."""
        if name in PARENT:
            above = PARENT[name]
            return books[above][key[:-1]] != self.known[above].get(key[:-1]) and self._is_told(above, key[:-1], books)
        if name not in BOUNDED:
            return True
        mark = self.marks.get((name, key[0]))
        return mark is None or datetime.fromisoformat(books[name][key]["updatedDate"]) >= mark - OVERLAP

    # ---- afterwards ------------------------------------------------------------------------------------------------

    def wrong(self) -> list[str]:
        """Everything that was not as it should be, each night in a line."""
        told = [str(night) for night in self.nights if night.differences]
        if checker.has_history(self.pointer):
            for night in self.nights[:-1]:
                found = checker.changed(night.published, checker.read(self.pointer, at=night.done_at))
                told += [f"history of night {night.number}: {one}" for one in found[:3]]
        return told


def _found_again(published: Published, allowed: Allowed) -> Books:
    """Of what may stand, what does."""
    found: Books = {}
    for name, keys in allowed.items():
        rows = published.rows[name]
        matching = {
            key: [one for one in records if one is not None and not checker.of_key(name, key, [one], rows[key])]
            for key, records in keys.items()
            if key in rows
        }
        found[name] = {key: records[0] for key, records in matching.items() if records}
    return found


def _ending_at(count: int):
    events: list[object] = []

    def observe(event: object) -> None:
        events.append(event)
        if len(events) >= count:
            raise Killed

    return observe


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is one: these tests are not about the disk, and sync thousands of times."""
    memory = Path("/dev/shm")
    is_there = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 1024**3
    with tempfile.TemporaryDirectory(prefix="nights-", dir=memory if is_there else None) as folder:
        yield Path(folder)


def lived(seed: int, night_count: int, authority: Path) -> Life:
    """A whole history; its warehouse is gone when this returns, what was found remains."""
    draw = Random(seed)
    books = SandboxSettings(state_dir=authority, seed=seed, claims=draw.randint(8, 40))
    page_limit = draw.choice(("auto", "auto", 1, 2))  # short pages make lists long enough for several walkers
    with fast_folder() as folder, in_thread(books) as running:
        site = replace(
            site_of(running, folder / "data", page_limit=page_limit),
            extract=Extract(overlap=f"{OVERLAP // timedelta(hours=1)}h", recheck_percent=draw.choice((0, 2, 20))),
            # One deletion is a tenth of such small books; what a check holds back is its own tests' business.
            checks=Checks(max_shrink_percent=100, max_deleted_percent=100, min_key_overlap_percent=0),
        )
        life = Life(running, site, draw)
        life.live(night_count)
        life.found = life.wrong()
        return life


def found_in(seed: int, night_count: int, authority: Path) -> list[str]:
    """What was not as it should be in a history, for a process of its own."""
    return lived(seed, night_count, authority).found
