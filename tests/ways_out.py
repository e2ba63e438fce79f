"""Ways into a failure, each with its exit code, and the way out that its DO line tells.

A row is a kind of failure: how it comes about, what its DO line says, and that line followed to the letter. Where it
asks for somebody else (the vendor, whoever mends a bug), following it is that they have done their part.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from fault_rows.case import Scene, Spoil, answers, body, faults, set_to
from fault_rows.connection_cases import unknown_authority
from fault_rows.machine_cases import ROOMY, volume
from fault_rows.other_cases import damaged_manifest, not_a_folder
from fault_rows.surroundings_cases import newer_manifest
from fault_rows.warm import Ended

from pipeline import errors
from pipeline.ops.lock import run_lock
from pipeline.ops.runs import pointer_of
from pipeline.sandbox import tokens
from pipeline.sandbox.model import Reply

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
    Row(42, errors.BudgetReached, set_to("budget", monthly="1"), "raise budget.monthly", setting("budget", monthly="100_000")),
    Row(50, errors.RunActive, locked, "wait for it", other_run_ends),
    Row(60, errors.VersionMismatch, newer_manifest, "move storage.data_dir aside", data_is_moved_aside),
    Row(70, None, a_bug, "report this as a bug with these lines; run again with --debug", bug_is_shown_and_mended),
    Row(130, None, stopped_by(signal.SIGINT), "run again", status_is_asked),
    Row(143, None, stopped_by(signal.SIGTERM), "run again", status_is_asked),
)  # fmt: skip
