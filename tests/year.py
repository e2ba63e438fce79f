"""Night after night as time goes by: most are good, some meet trouble that lasts a night or two, and people listen.

What each night must come to is known beforehand: `Year.wrong` holds everything that was otherwise.
"""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from fault_rows.case import Scene, faults, set_to
from fault_rows.surroundings_cases import newer_document
from fault_rows.warm import Ended
from histories import fast_folder
from killing import small_catalogue
from listening import DeadMan, Heard, webhook
from one_process import OneProcess, Seen, one_process
from ways_out import ROWS, Do, Row, a_bug, setting, source_is_mended

from pipeline import errors, reports, upkeep
from pipeline.ops.lock import run_lock
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.variants import Variants
from pipeline.settings import Report, load_settings, seconds_of
from pipeline.snapshot.erasures import ERASURE_FORMAT
from pipeline.watching import health_of

KEPT_GENERATIONS, KEPT_DAYS, KEPT_LOG_DAYS, PRUNED_EVERY = 3, 30, 10, 7
FULL_EVERY, LONGEST_TROUBLE = 7, 2
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


def file_in_the_way(scene: Scene) -> None:
    (scene.data / "staging").rename(scene.folder / "staging-aside")
    (scene.data / "staging").touch()


def file_is_moved(scene: Scene, _do: Do) -> None:
    (scene.data / "staging").unlink()
    (scene.folder / "staging-aside").rename(scene.data / "staging")


def newer_version_is_forgotten(scene: Scene, _do: Do) -> None:
    """As if it had never been here: what moving everything aside would do, for a test that goes on with its data."""
    shutil.rmtree(scene.data / "erasures")


def bug_is_mended(scene: Scene, _do: Do) -> None:
    scene.planted = ""


# Settings that cannot be read do not say who is to be told: cron mails the lines, and the dead man's switch notices.
UNREADABLE = Row(10, errors.ConfigError, set_to("site", timezone='"Mars/Olympus"'), "",
                 setting("site", timezone='"Pacific/Auckland"'))  # fmt: skip
_OF_THEIR_OWN = (
    UNREADABLE,
    Row(10, errors.ConfigError, set_to("checks", required='["nonsense"]'), "", setting("checks", required="[]")),
    Row(22, errors.SecurityStop, faults("tls-wrong-name"), "", source_is_mended),
    Row(31, errors.LocalAccess, file_in_the_way, "", file_is_moved),
    Row(60, errors.VersionMismatch, newer_document("erasures", ERASURE_FORMAT), "", newer_version_is_forgotten),
    Row(70, None, a_bug, "", bug_is_mended),
)
# What needs a small volume, another data folder or a refused run that stays has a place in `test_exit_codes` alone.
_ELSEWHERE = {errors.DiskFull, *(row.kind for row in _OF_THEIR_OWN if row.kind)}
TROUBLES = (
    *(
        row
        for row in ROWS
        if row.code not in (0, 70) and row.kind not in _ELSEWHERE and not row.then and "folder aside" not in row.do
    ),
    *_OF_THEIR_OWN,
)
_STOPS = (errors.EXIT_INTERRUPTED, errors.EXIT_TERMINATED)


@dataclass
class Year:
    """Time that goes by on one site.

    `ahead` is by how much its clock is ahead of this machine's; `told` is what people took, `due` what they must hear, each
    as (kind, exit code); `seen` is what the process held after each night.
    """

    sandbox: Running
    scene: Scene
    process: OneProcess
    heard: Heard
    draw: Random
    ahead: timedelta = timedelta()
    codes: list[int] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    told: list[tuple[str, int | None]] = field(default_factory=list)
    due: list[tuple[str, int | None]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    waiting: DeadMan = field(default_factory=lambda: DeadMan(period=_DAY, grace=6 * _HOUR))
    good_at: datetime | None = None
    largest: dict[str, int] = field(default_factory=dict)
    _deck: list[Row] = field(default_factory=list)

    def now(self) -> datetime:
        """The time of this world."""
        return datetime.now(UTC) + self.ahead

    def live(self, night_count: int, *, share: float) -> None:
        """Let nights go by, of which such a share begins a trouble; the last two are good, and somebody listens."""
        self.heard.on_post = self._listen
        self._pass(None)
        while len(self.codes) < night_count - 2:
            what = self.draw.random()
            if what < 0.05:
                self._pass_without_a_run()
            elif what < 0.05 + share:
                self._meet(self._next_trouble(), self.draw.randint(1, LONGEST_TROUBLE))
            else:
                self._pass(None)
        for _ in range(2):
            self._pass(None, somebody_listens=True)
        if self.told != self.due:
            self.wrong.append(f"told {self.told}\nwhere due was {self.due}")

    def _next_trouble(self) -> Row:
        """Each kind comes once before one comes again."""
        if not self._deck:
            self._deck = self.draw.sample(TROUBLES, len(TROUBLES))
        return self._deck.pop()

    def _meet(self, row: Row, nights: int) -> None:
        row.comes_about(self.scene)
        for _ in range(1 if row.code in _STOPS else nights):
            self._pass(row)
        row.follow(self.scene, self.run)
        self._pass(None)
        self.sandbox.faults()
        self.sandbox.release()

    def _pass(self, trouble: Row | None, *, somebody_listens: bool = False) -> None:
        """One night."""
        self._dawn()
        self.heard.status = 200 if somebody_listens or self.draw.random() < 0.9 else 500
        code = self.run("run --quiet").code
        self.codes.append(code)
        if code != (trouble.code if trouble else 0):
            self.wrong.append(f"night {len(self.codes)}, {trouble and trouble.id}: {code}, {self.seen[-1].ended.err}")
        self._expect(trouble)
        if code == 0:
            self.good_at = self.now()
        self._look_in_the_morning(is_good=code == 0)

    def _pass_without_a_run(self) -> None:
        """The machine was off."""
        self._dawn()
        self._look_in_the_morning(is_good=False)

    def _dawn(self) -> None:
        self.ahead += _DAY
        self.sandbox.advance(1)

    def _expect(self, trouble: Row | None) -> None:
        """What people must hear of this night: a failure each time, and what ends it once."""
        if trouble is None:
            is_failing = any(kind == "failure" for kind, _ in self.due[-1:])
            if is_failing:
                self.due.append(("recovery", 0))
            elif self.good_at is not None and self.now() - self.good_at > 36 * _HOUR:
                self.due.append(("missed", 0))
        elif trouble is not UNREADABLE:
            self.due.append(("failure", trouble.code))

    def _listen(self) -> None:
        if self.heard.posts[-1][0] != "/hook":
            self.waiting.hear(self.heard.pings[-1], self.now())
        elif self.heard.status == 200:
            message = self.heard.messages[-1]
            self.told.append((message["kind"], message["exit_code"]))

    def drift_percent(self, *, after: int) -> float:
        """By how many percent the process grew in 100 commands: the straight line through what it held after each.

        The first ones load code and fill caches, and do not count.
        """
        held = [one.resident_bytes for one in self.seen[after:]]
        middle, mean = (len(held) - 1) / 2, sum(held) / len(held)
        slope = sum((place - middle) * (size - mean) for place, size in enumerate(held)) / sum(
            (place - middle) ** 2 for place in range(len(held))
        )
        return 100 * 100 * slope / mean

    def run(self, line: str) -> Ended:
        """A command line on this site, by its clock."""
        command, *more = line.split()
        sub = more[:1] if command == "token" else []
        arguments = [command, *sub, "--config", str(self.scene.site_file), *more[len(sub) :]]
        environ = {"HOOK": f"{self.heard.url}/hook", **self.scene.environ}
        seen = self.process.run(arguments, ahead=self.ahead, environ=environ, planted=self.scene.planted)
        self.seen.append(seen)
        return seen.ended

    def _look_in_the_morning(self, *, is_good: bool) -> None:
        """Seven hours later somebody looks, and once a week what is not needed any more goes."""
        self.ahead += 7 * _HOUR
        if self.waiting.is_alarmed(self.now()) is is_good:
            self.wrong.append(f"night {len(self.codes)}: the dead man's switch says {not is_good}")
        status = health_of(self.scene.data, None, self.now(), last=1, token=None)
        assert self.good_at is not None
        hours = (self.now() - self.good_at) / _HOUR
        kept_pages_hours = 24 * LONGEST_TROUBLE + 1  # a run that goes on from pages has the age of the first of them
        if not hours - 0.1 <= status["age_hours"] <= hours + kept_pages_hours:
            self.wrong.append(f"night {len(self.codes)}: status says {status['age_hours']} h, it is {hours:.1f} h")
        if status["is_stale"] is not (status["age_hours"] > 36):
            self.wrong.append(f"night {len(self.codes)}: status does not say that the data is stale")
        self._measure()
        if len(self.codes) % PRUNED_EVERY == 0 and is_good:
            self._prune()
        self.ahead -= 7 * _HOUR

    def page(self) -> str:
        """The page as it would be written now."""
        with run_lock(self.scene.data, "report", self.now()):
            written = reports.write(self.scene.data, Report(workbook=False), written_at=self.now())
        assert written is not None
        assert written.page is not None
        return written.page.read_text("utf-8")

    # ---- the disk ----------------------------------------------------------------------------------------------------

    def _prune(self) -> None:
        settings = load_settings(self.scene.site_file, environ={})
        resume_within_s = seconds_of(settings.extract.resume_within)
        with run_lock(self.scene.data, "prune", self.now()):
            found = upkeep.plan_pruning(self.scene.data, settings.storage, self.now(), resume_within_s=resume_within_s)
            upkeep.prune(self.scene.data, found)

    def _measure(self) -> None:
        """The largest of each kind so far, and whether all of it is within the formula."""
        data, sizes = self.scene.data, {}
        sizes["generation"] = max(path.stat().st_size for path in data.glob("warehouse/*.duckdb"))
        by_run: dict[str, int] = {}
        for path in data.glob("snapshots/*/run=*/*"):
            by_run[path.parent.name] = by_run.get(path.parent.name, 0) + path.stat().st_size
        sizes["parts"] = max(by_run.values())
        sizes["record"] = max(_size(path) for path in (data / "runs").iterdir())
        sizes["state"] = _size(data / "state")
        sizes["log"] = max((path.stat().st_size for path in (data / "logs").glob("*")), default=0)
        self.largest = {name: max(size, self.largest.get(name, 0)) for name, size in sizes.items()}
        used, allowed = _size(data), self.allowed_bytes()
        if used > allowed:
            self.wrong.append(f"night {len(self.codes)}: {used:,} bytes, {allowed:,} by the formula")
        count = len(list(data.glob("warehouse/*.duckdb")))
        if count > KEPT_GENERATIONS + 1:
            self.wrong.append(f"night {len(self.codes)}: {count} generations")

    def allowed_bytes(self) -> int:
        """The formula of the documentation, by the largest of each kind."""
        nights = min(len(self.codes), KEPT_DAYS + FULL_EVERY + PRUNED_EVERY + LONGEST_TROUBLE + 1)
        one = self.largest
        return (
            (KEPT_GENERATIONS + 1) * one["generation"]
            + nights * one["parts"]
            + len(self.codes) * one["record"]
            + one["state"]
            + min(len(self.codes), KEPT_LOG_DAYS) * one["log"]
            + _size(self.scene.data / "staging")
        )


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def year(authority: Path, *, seed: int) -> Iterator[Year]:
    """A site in a world of its own, whose source keeps its time; gone when the block ends."""
    books = SandboxSettings(state_dir=authority, claims=8, seed=seed, variants=Variants(over_cap="refuse"))
    with (
        fast_folder() as folder,
        in_thread(books) as running,
        webhook(folder) as heard,
        one_process(folder / "home") as process,
        socket.create_server(("127.0.0.1", 0)) as elsewhere,
    ):
        site_file = folder / "site.toml"
        scene = Scene(running, folder, elsewhere, [], warm=process)
        scene.give_token(f"{running.token}\n")
        both = folder / "both.pem"
        both.write_text(heard.ca_file.read_text() + running.ca_file.read_text())
        site_file.write_text(
            f'[site]\nname = "test"\nbase_url = "{running.base_url}"\nversion = "beta"\n'
            f'[api]\nca_file = "{both}"\nresources = "{small_catalogue(folder)}"\n'
            f'[token]\nfile = "{scene.token_file}"\n[report]\nmarts = false\n'
            f'[storage]\ndata_dir = "data"\nkeep_generations = {KEPT_GENERATIONS}\nkeep_days = {KEPT_DAYS}\n'
            f"keep_log_days = {KEPT_LOG_DAYS}\n"
            f'[extract]\nfull_every = "{FULL_EVERY}d"\n'
            f'[notify]\nurls = ["env:HOOK"]\nping_url = "{heard.url}/ping"\n'
            # One deletion is a tenth of such small books; what a check holds back is its own tests' business.
            "[checks]\nmax_shrink_percent = 100\nmax_deleted_percent = 100\nmin_key_overlap_percent = 0\n"
        )
        lived = Year(running, scene, process, heard, Random(seed))
        running.host.clock = lived.now
        yield lived
        scene.afterwards.close()


def age_on(page: str) -> str:
    """What the page says of the age of its data."""
    found = re.search(r'id="age"[^>]*>([^<]*)<', page) or re.search(r"id=age[^>]*>([^<]*)<", page)
    assert found is not None
    return found[1]
