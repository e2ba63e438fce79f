"""What must hold after a run was killed, and the drive of many such runs against one sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import checker
from checker import Books
from histories import fast_folder
from warm import Done, Warm, warm_process

from pipeline.resources import default_path
from pipeline.sandbox import Running, SandboxSettings, in_thread

RESOURCES = ("company", "tax_code", "claim", "expense", "expense_split")
_GENERATION = re.compile(r"\d{8}T\d{6}Z(-\d+)?\.duckdb")
_IN_DATA = {"runs", "snapshots", "staging", "state", "warehouse", "warehouse.duckdb"}
_KEPT_GENERATIONS = 3


def small_catalogue(folder: Path) -> Path:
    """A catalogue of a few resources of every kind: three levels, lists of objects and of plain values."""
    sections = re.split(r"(?m)^(?=\[)", default_path().read_text("utf-8"))
    wanted = re.compile(rf"\[(shape\.\w+|resource\.({'|'.join(RESOURCES)})(\.[\w.]+)?)\]")
    path = folder / "small.toml"
    path.write_text(sections[0] + "".join(one for one in sections[1:] if wanted.match(one)), "utf-8")
    return path


@dataclass
class Ground:
    """A sandbox with small books, a site that reads them, and a warm process for its runs."""

    running: Running
    warm: Warm
    site_file: Path
    data_dir: Path
    books: Books = field(default_factory=dict)

    @property
    def pointer(self) -> Path:
        return self.data_dir / "warehouse.duckdb"

    def run(self, *, kill_after_s: float | None = None) -> Done:
        """A night by the real command."""
        return self.warm.run("run", "--config", self.site_file, kill_after_s=kill_after_s)

    def run_traced(self, *, strike: int = 0, with_what: str = "KILL") -> Done:
        """The same, while each call that changes the data folder is seen, and one of them is struck."""
        return self.warm.run_traced(
            "run", "--config", self.site_file, folder=self.data_dir, strike=strike, with_what=with_what
        )

    def move_books(self) -> None:
        """A day passes."""
        self.running.advance(1)
        self.look()

    def look(self) -> None:
        """Remember what the books hold now."""
        self.books = checker.books_of(self.running.records, RESOURCES)

    def published(self) -> tuple[str, int, int] | None:
        """Which file readers open, with its size and time, or None."""
        if not self.pointer.is_symlink():
            return None
        found = self.pointer.stat()
        return self.pointer.resolve().name, found.st_size, found.st_mtime_ns

    def wrong_rows(self) -> list[str]:
        """What the published file says otherwise than the books."""
        published = checker.read(self.pointer, RESOURCES)
        wrong = [str(one) for one in checker.differences(published, checker.exactly(self.books))]
        if published.run_id != self.pointer.resolve().stem:
            wrong.append(f"mixed: {self.pointer.resolve().name} says it is of {published.run_id}")
        return wrong

    def debris(self) -> list[str]:
        """Whatever lies in the data folder that a finished run would not leave there."""
        data_dir = self.data_dir
        found = [path.name for path in data_dir.iterdir() if path.name not in _IN_DATA]
        found += [f"staging/{path.name}" for path in (data_dir / "staging").glob("*")]
        found += [path.name for path in (data_dir / "warehouse").iterdir() if not _GENERATION.fullmatch(path.name)]
        found += [str(path) for path in data_dir.rglob(".*")]
        sealed = {path.parent.name for path in (data_dir / "runs").glob("*/manifest.json")}
        parts = {path.name.removeprefix("run=") for path in (data_dir / "snapshots").glob("*/run=*")}
        found += [f"parts of {run_id}, which has no manifest" for run_id in parts - sealed]
        found += [
            f"{path.name} without a record"
            for path in (data_dir / "runs").iterdir()
            if not (path / "report.json").is_file()
        ]
        found += ["state/run.json"] if (data_dir / "state" / "run.json").exists() else []
        return found

    def make_room(self) -> None:
        """Remove old generations: a file is some megabytes, however little it holds."""
        for path in sorted((self.data_dir / "warehouse").iterdir(), key=lambda one: one.stat().st_mtime_ns)[
            :-_KEPT_GENERATIONS
        ]:
            path.unlink()


@contextmanager
def ground(authority: Path, *, claims: int = 8, api: str = "") -> Iterator[Ground]:
    """A place for many runs, gone when the block ends."""
    settings = SandboxSettings(state_dir=authority, claims=claims)
    with fast_folder() as folder, in_thread(settings) as running, warm_process(folder / "home") as warm:
        token = folder / "token"
        token.write_text(running.token + "\n")
        token.chmod(0o600)
        site_file = folder / "site.toml"
        site_file.write_text(
            f'[site]\nname = "test"\nbase_url = "{running.base_url}"\n[api]\nca_file = "{running.ca_file}"\n'
            f'resources = "{small_catalogue(folder)}"\n{api}\n'
            f'[token]\nfile = "{token}"\n[storage]\ndata_dir = "data"\n'
        )
        place = Ground(running, warm, site_file, folder / "data")
        place.look()
        yield place


@dataclass
class Tally:
    """How many runs were killed, how many were run again, and everything that was wrong."""

    kills: int = 0
    after_publishing: int = 0
    reruns: int = 0
    wrong: list[str] = field(default_factory=list)


def kill_often(place: Ground, kill_count: int, *, seed: int) -> Tally:
    """Kill runs at random moments, some of them while they recover from a kill; then run again, undisturbed."""
    draw, tally = Random(seed), Tally()
    lasts_s = _undisturbed(place, tally)
    while tally.kills < kill_count:
        if draw.random() < 0.4:
            place.move_books()
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            _kill_once(place, draw.random() * lasts_s, tally)
        lasts_s = (lasts_s + _undisturbed(place, tally)) / 2
    return tally


def _kill_once(place: Ground, after_s: float, tally: Tally) -> None:
    before = place.published()
    done = place.run(kill_after_s=after_s)
    if done.code != -9:
        if done.code:
            tally.wrong.append(f"a run that was not killed left with {done.code}: {done.err}")
        return
    tally.kills += 1
    if place.published() != before:  # it was killed after its pointer was switched
        tally.after_publishing += 1
        tally.wrong += place.wrong_rows()
    else:
        checker.read(place.pointer, ("company",))  # readers can open it; its bytes have not changed


def _undisturbed(place: Ground, tally: Tally) -> float:
    done = place.run()
    tally.reruns += 1
    if done.code:
        tally.wrong.append(f"a plain run left with {done.code}: {done.err}")
    tally.wrong += place.wrong_rows()
    tally.wrong += [f"left behind: {one}" for one in place.debris()]
    place.make_room()
    return done.seconds
