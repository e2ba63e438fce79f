"""Every exit code comes about by the real command, says what to do, and whoever does that has a published night next.

A row is a kind of failure: how it comes about, what its DO line says, and that line followed to the letter. Where it
asks for somebody else (the vendor, whoever mends a bug), following it is that they have done their part.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fault_rows.case import Scene, Spoil, answers, body, faults, scene_on, set_to
from fault_rows.connection_cases import unknown_authority
from fault_rows.machine_cases import ROOMY, volume
from fault_rows.other_cases import damaged_manifest, not_a_folder
from fault_rows.surroundings_cases import newer_manifest
from fault_rows.warm import Ended, Warm, warm_command
from histories import fast_folder
from killing import small_catalogue
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline.nightly
from pipeline import errors
from pipeline.ops.lock import run_lock
from pipeline.ops.records import recent
from pipeline.ops.runs import pointer_of
from pipeline.sandbox import Running, SandboxSettings, in_thread, tokens
from pipeline.sandbox.model import Reply
from pipeline.sandbox.variants import Variants

Do = Callable[[str], Ended]
"""Runs a command line of `prospend` on the scene's site."""


@dataclass(frozen=True)
class Row:
    """One kind of failure.

    Args:
        code: the exit code.
        kind: the error's class; None where no error of ours is raised.
        comes_about: brings it about.
        do: what the DO line says, the part that is followed.
        follow: does it; `prospend run` comes after it, with `then`.
        then: options that the line asks the next run to have.
    """

    code: int
    kind: type[errors.PipelineError] | None
    comes_about: Spoil
    do: str
    follow: Callable[[Scene, Do], object]
    then: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.code} {self.kind.__name__ if self.kind else ''}".strip()


# ---- how it comes about ----------------------------------------------------------------------------------------------


def sound(_scene: Scene) -> None:
    """Nothing is wrong."""


def revoked(scene: Scene) -> None:
    """The token that the site has is not in force any more; the scene's own stays."""
    state = scene.sandbox.settings.state_dir
    made = tokens.new(state, now=datetime.now(UTC))
    tokens.revoke(state, made.entry.id, now=datetime.now(UTC))
    scene.give_token(made.text)


def disk_full(scene: Scene) -> None:
    """Somebody else's file leaves 200 kB on the volume, right before the first answer."""
    place = volume(scene, ROOMY)

    def fill() -> None:
        found = os.statvfs(place)
        with (place / "somebody-else-s").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - 200_000)

    scene.when_asked(fill)


def fewer_tax_codes(scene: Scene) -> None:
    """Half of them are gone, from their list and by themselves."""
    for company in ("1", "2"):
        kept = [record for _, record in scene.sandbox.records("tax_code", (company,))][::2]
        place = f"/beta/company/{company}/taxCode"
        scene.sandbox.answer_with(place, body(json.dumps({"page": kept, "nextCursor": None}, default=float).encode()))
        scene.sandbox.force(f"{place}/", 404)


def damaged_generation(scene: Scene) -> None:
    path = pointer_of(scene.data).resolve()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.unlink()
    path.write_bytes(content)


def locked(scene: Scene) -> None:
    """Another run is under way, until `afterwards`."""
    scene.afterwards.enter_context(run_lock(scene.data, "20260101T000000Z", datetime(2026, 1, 1, tzinfo=UTC)))


def a_bug(scene: Scene) -> None:
    scene.planted = "import pipeline.nightly; pipeline.nightly.planned = None"


def stopped_by(number: signal.Signals) -> Spoil:
    return lambda scene: scene.when_asked(lambda: scene.warm.signal(number))


# ---- how its DO line is followed -------------------------------------------------------------------------------------


def nothing(_scene: Scene, _do: Do) -> None:
    """The line asks to run again, and for nothing else."""


def setting(section: str, **values: str) -> Callable[[Scene, Do], object]:
    """The settings file is edited."""
    return lambda scene, _do: scene.set(section, **values)


def without(variable: str) -> Callable[[Scene, Do], object]:
    """A limit that was set too low is as it is by default again."""
    return lambda scene, _do: scene.environ.pop(variable)


def source_is_mended(scene: Scene, _do: Do) -> None:
    scene.sandbox.faults()
    scene.sandbox.release()


def new_token_is_issued(scene: Scene, do: Do) -> None:
    """Each step is told by the command that the line names."""
    assert do("token show --renewal").code == 0
    scene.give_token(tokens.new(scene.sandbox.settings.state_dir, now=datetime.now(UTC)).text)


def right_authority(scene: Scene, _do: Do) -> None:
    scene.edit(str(scene.folder / "other.pem"), str(scene.sandbox.ca_file))


def disk_is_freed(scene: Scene, _do: Do) -> None:
    (scene.folder / "volume" / "somebody-else-s").unlink()


def thing_in_the_way_is_moved(scene: Scene, _do: Do) -> None:
    (scene.folder / "in-the-way").rename(scene.folder / "out-of-the-way")


def rebuilt(_scene: Scene, do: Do) -> None:
    done = do("rebuild")
    assert done.code == 0, done.err


def run_s_folder_is_moved(scene: Scene, _do: Do) -> None:
    (folder,) = {path.parent for path in (scene.data / "runs").glob("*/manifest.json")}
    shutil.move(folder, scene.folder / "aside")


def other_run_ends(scene: Scene, _do: Do) -> None:
    scene.afterwards.close()
    scene.afterwards = ExitStack()


def data_is_moved_aside(scene: Scene, _do: Do) -> None:
    scene.data.rename(scene.folder / "data-aside")
    scene.afterwards.callback(shutil.rmtree, scene.folder / "data-aside")


def bug_is_shown_and_mended(scene: Scene, do: Do) -> None:
    told = do("run --debug")
    assert told.code == errors.EXIT_INTERNAL
    assert "Traceback" in told.err
    scene.planted = ""


def status_is_asked(_scene: Scene, do: Do) -> None:
    assert do("status").code == 0


ROWS = (
    Row(0, None, sound, "", nothing),
    Row(10, errors.ConfigError, set_to("site", timezone='"Mars/Olympus"'), "correct what is named and run again",
        setting("site", timezone='"Pacific/Auckland"')),
    Row(11, errors.TokenError, revoked, "issue a new token", new_token_is_issued),
    Row(12, errors.NotPermitted, answers("/beta/company/1/claim", Reply(403, b"{}")),
        "have the token issued by an administrator who may read this resource, then run again", source_is_mended),
    Row(20, errors.SourceUnavailable, faults("server-error:path=/beta/company/1/taxCode"), "run again later", source_is_mended),
    Row(21, errors.SourceContractBroken, answers("/beta/company/1/taxCode", body(b'{"rows":[]}')), "ask ProSpend what changed",
        source_is_mended),
    Row(21, errors.RequestRefused, set_to("api", page_limit="100_000"), "api.page_limit", setting("api", page_limit='"auto"')),
    Row(21, errors.NotThere, set_to("site", version='"v9"'), "check site.base_url, site.version", setting("site", version='"beta"')),
    Row(22, errors.SecurityStop, unknown_authority, "for a private authority set api.ca_file", right_authority),
    Row(30, errors.LocalResource, faults("silence:path=/beta/company/1/taxCode", run_deadline_s=1), "raise api.run_deadline_s",
        lambda scene, do: (source_is_mended(scene, do), without("PROSPEND__API__RUN_DEADLINE_S")(scene, do))),
    Row(30, errors.DiskFull, disk_full, "free ", disk_is_freed),
    Row(30, errors.TooManyPages, set_to("storage", max_kept_gb="0.0000003"), "raise storage.max_kept_gb",
        setting("storage", max_kept_gb="20")),
    Row(31, errors.LocalAccess, not_a_folder, "move what is in the way", thing_in_the_way_is_moved),
    Row(40, errors.StoredDataDamaged, damaged_generation, "run `prospend rebuild`", rebuilt),
    Row(40, errors.StoredDataDamaged, damaged_manifest, "move its run's folder aside", run_s_folder_is_moved),
    Row(41, errors.CheckRefused, answers("/beta/company", Reply(200, b'{"page":[],"nextCursor":null}')),
        "if it was wrong, run again once it is right", source_is_mended),
    Row(41, errors.CheckRefused, fewer_tax_codes, "if it is right, run with the option", nothing,
        then=("--accept-shrink", "tax_code")),
    Row(42, errors.BudgetReached, set_to("budget", monthly="20"), "raise budget.monthly", setting("budget", monthly="100_000")),
    Row(50, errors.RunActive, locked, "wait for it", other_run_ends),
    Row(60, errors.VersionMismatch, newer_manifest, "move storage.data_dir aside", data_is_moved_aside),
    Row(70, None, a_bug, "report this as a bug with these lines; run again with --debug", bug_is_shown_and_mended),
    Row(130, None, stopped_by(signal.SIGINT), "run again", status_is_asked),
    Row(143, None, stopped_by(signal.SIGTERM), "run again", status_is_asked),
)  # fmt: skip


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """The command, loaded once."""
    with warm_command() as running:
        yield running


@pytest.fixture(scope="module")
def serving(authority: Path) -> Iterator[Running]:
    """One sandbox for all rows, which refuses pages that are too large instead of making them smaller."""
    settings = SandboxSettings(state_dir=authority, claims=8, variants=Variants(over_cap="refuse"))
    with in_thread(settings) as running:
        yield running


@pytest.fixture(scope="module")
def fast() -> Iterator[Path]:
    """A folder in memory: what a night waits for most is the disk."""
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def tmp_path(fast: Path) -> Path:
    """A folder of it for one test."""
    return Path(tempfile.mkdtemp(dir=fast))


@pytest.fixture(scope="module")
def small(fast: Path) -> Path:
    """A catalogue of a few resources."""
    return small_catalogue(fast)


@pytest.fixture(scope="module")
def earlier(serving: Running, small: Path) -> Path:
    """A data folder with one published night."""
    site = site_of(serving, small.parent / "data", resources=small)
    site = replace(site, report=replace(site.report, marts=False))
    pipeline.nightly.run(site, environ={TOKEN_VARIABLE: serving.token})
    return site.storage.data_dir


@pytest.fixture
def sandbox(serving: Running) -> Iterator[Running]:
    """The same, as sound as at its start."""
    yield serving
    serving.faults()
    serving.release()


@pytest.fixture
def scene(sandbox: Running, site_file: Path, small: Path, earlier: Path, warm: Warm) -> Iterator[Scene]:
    """A sound site on top of an earlier night."""
    with scene_on(sandbox, site_file, earlier) as made:
        made.warm = warm
        made.set("api", resources=f'"{small}"')
        made.set("report", marts="false")
        yield made


def test_every_exit_code_and_every_error_has_a_row():
    """Who adds one says here how it comes about and how it is got over."""
    kinds = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.PipelineError)}
    kinds -= {errors.PipelineError}
    fixed = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {row.kind for row in ROWS} == kinds | {None}
    assert {row.code for row in ROWS} == fixed | {kind.exit_code for kind in kinds}
    assert all(row.code == row.kind.exit_code for row in ROWS if row.kind)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_whoever_does_what_the_message_says_has_a_published_night_next(row: Row, scene: Scene, warm: Warm, listener):
    """The failure leaves readers where they were and names a way out; the way is gone, and leads to exit 0."""

    def do(line: str) -> Ended:
        command, *more = line.split()
        sub = more[:1] if command == "token" else []
        arguments = [command, *sub, "--config", str(scene.site_file), *more[len(sub) :]]
        ended = warm.run(arguments, home=scene.folder / "home", environ=scene.environ, planted=scene.planted)
        listener(ended.out + ended.err)
        return ended

    before = pointer_of(scene.data).resolve()
    row.comes_about(scene)
    failed = do("run")
    assert failed.code == row.code, failed.err
    if row.code:
        assert pointer_of(scene.data).resolve() == before
        assert row.do in (failed.lines.get("DO") or recent(scene.data, 1)[0]["error"]["do"]), failed.err
    row.follow(scene, do)
    published = do(" ".join(("run", *row.then, "--json")))
    assert published.code == 0, published.err
    assert json.loads(published.out)["outcome"] == "published"
