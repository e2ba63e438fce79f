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
_IN_DATA = {"logs", "reports", "runs", "snapshots", "staging", "state", "warehouse", "warehouse.duckdb"}
_KEPT_GENERATIONS = 3
EVERYTHING, NO_MARTS, NO_PAGE = "", "marts = false", "page = false"


def small_catalogue(folder: Path) -> Path:
    """A catalogue of a few resources of every kind: three levels, lists of objects and of plain values."""
    sections = re.split(r"(?m)^(?=\[)", default_path().read_text("utf-8"))
    wanted = re.compile(rf"\[(shape\.\w+|resource\.({'|'.join(RESOURCES)})(\.[\w.]+)?)\]")
    path = folder / "small.toml"
    path.write_text(sections[0] + "".join(one for one in sections[1:] if wanted.match(one)), "utf-8")
    return path


@dataclass
class Ground:
    """A sandbox with small books, a site that reads them, and a warm process for its runs.

    `states` are the books since the last night that read all of them, the newest last.
    """

    running: Running
    warm: Warm
    site_file: Path
    data_dir: Path
    states: list[Books] = field(default_factory=list)

    @property
    def pointer(self) -> Path:
        return self.data_dir / "warehouse.duckdb"

    def run(self, *, is_full: bool = False, kill_after_s: float | None = None) -> Done:
        """A night by the real command."""
        return self.warm.run(*self._command(is_full=is_full), kill_after_s=kill_after_s)

    def run_traced(self, *, is_full: bool = False, strike: int = 0, with_what: str = "KILL") -> Done:
        """The same, while each call that changes the data folder is seen, and one of them is struck."""
        command = self._command(is_full=is_full)
        return self.warm.run_traced(*command, folder=self.data_dir, strike=strike, with_what=with_what)

    def _command(self, *, is_full: bool) -> tuple[object, ...]:
        return ("run", "--config", self.site_file, *(["--full"] if is_full else []))

    def move_books(self) -> None:
        """A day passes."""
        self.running.advance(1)
        self.look()

    def look(self) -> None:
        """Remember what the books hold now."""
        self.states.append(checker.books_of(self.running.records, RESOURCES))

    def published(self) -> tuple[str, int, int] | None:
        """Which file readers open, with its size and time, or None."""
        if not self.pointer.is_symlink():
            return None
        found = self.pointer.stat()
        return self.pointer.resolve().name, found.st_size, found.st_mtime_ns

    def wrong_rows(self, *, is_full: bool = False) -> list[str]:
        """What the published file says otherwise than the books.

        After a night that read changes only, a row may be as it was at any time since the last full one: what is
        gone, and what no time of change tells, is seen by full nights. `histories` is stricter about it.
        """
        published = checker.read(self.pointer, RESOURCES)
        allowed = checker.exactly(self.states[-1]) if is_full else checker.any_of(self.states)
        wrong = [str(one) for one in checker.differences(published, allowed)]
        if published.run_id != self.pointer.resolve().stem:
            wrong.append(f"mixed: {self.pointer.resolve().name} says it is of {published.run_id}")
        if is_full and not wrong:
            self.states = self.states[-1:]
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
        return found + self._wrong_reports()

    def _wrong_reports(self) -> list[str]:
        """A report for each generation that is kept, and `latest` is the one of the night that readers have."""
        folder = self.data_dir / "reports"
        if not folder.exists():
            return []
        told = {path.name.partition(".")[0] for path in folder.iterdir() if path.name != "latest"}
        found = [f"a report of {run_id}, which is gone" for run_id in told if not self._generation(run_id).exists()]
        if (folder / "latest").resolve().name.partition(".")[0] != self.pointer.resolve().stem:
            found.append("reports/latest tells of another night")
        return found

    def _generation(self, run_id: str) -> Path:
        return self.data_dir / "warehouse" / f"{run_id}.duckdb"

    def make_room(self) -> None:
        """Remove old generations: a file is some megabytes, however little it holds."""
        for path in sorted((self.data_dir / "warehouse").iterdir(), key=lambda one: one.stat().st_mtime_ns)[
            :-_KEPT_GENERATIONS
        ]:
            path.unlink()


@contextmanager
def ground(authority: Path, *, claims: int = 8, api: str = "", report: str = NO_MARTS) -> Iterator[Ground]:
    """A place for many runs, gone when the block ends; marts and reports are made where they are asked for."""
    settings = SandboxSettings(state_dir=authority, claims=claims)
    with fast_folder() as folder, in_thread(settings) as running, warm_process(folder / "home") as warm:
        token = folder / "token"
        token.write_text(running.token + "\n")
        token.chmod(0o600)
        site_file = folder / "site.toml"
        site_file.write_text(
            f'[site]\nname = "test"\nbase_url = "{running.base_url}"\n[api]\nca_file = "{running.ca_file}"\n'
            f'resources = "{small_catalogue(folder)}"\n{api}\n'
            f'[token]\nfile = "{token}"\n[storage]\ndata_dir = "data"\n[report]\n{report}\n'
            # One deletion is a tenth of such small books; what a check holds back is its own tests' business.
            "[checks]\nmax_shrink_percent = 100\nmax_deleted_percent = 100\nmin_key_overlap_percent = 0\n"
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
    """Kill runs at random moments, some of them while they recover from a kill; then run again, undisturbed.

    Every third time, and at the end, the runs read everything and must equal the books; the others read changes.
    """
    draw, tally = Random(seed), Tally()
    lasts_s = {True: run_undisturbed(place, tally, is_full=True), False: run_undisturbed(place, tally)}
    while tally.kills < kill_count:
        is_full = draw.random() < 1 / 3
        if draw.random() < 0.4:
            place.move_books()
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            _kill_once(place, draw.random() * lasts_s[is_full], tally, is_full=is_full)
        lasts_s[is_full] = (lasts_s[is_full] + run_undisturbed(place, tally, is_full=is_full)) / 2
    run_undisturbed(place, tally, is_full=True)
    return tally


def _kill_once(place: Ground, after_s: float, tally: Tally, *, is_full: bool) -> None:
    before = place.published()
    done = place.run(is_full=is_full, kill_after_s=after_s)
    if done.code != -9:
        if done.code:
            tally.wrong.append(f"a run that was not killed left with {done.code}: {done.err}")
        return
    tally.kills += 1
    if place.published() != before:  # it was killed after its pointer was switched
        tally.after_publishing += 1
        tally.wrong += place.wrong_rows(is_full=is_full)
    else:
        checker.read(place.pointer, ("company",))  # readers can open it; its bytes have not changed


def run_undisturbed(place: Ground, tally: Tally, *, is_full: bool = False) -> float:
    """Run, and look at everything; how long it took."""
    done = place.run(is_full=is_full)
    tally.reruns += 1
    if done.code:
        tally.wrong.append(f"a plain run left with {done.code}: {done.err}")
    tally.wrong += place.wrong_rows(is_full=is_full and not done.code)
    tally.wrong += [f"left behind: {one}" for one in place.debris()]
    place.make_room()
    return done.seconds
