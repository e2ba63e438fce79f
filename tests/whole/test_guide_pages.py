"""The guides are followed as they stand there, by one person on one site, from the first day to a bad night and back.

A page is followed heading by heading: each block of commands below one is typed in a shell that ends with the first that
fails, on a site whose source is a sandbox. What a drill is against is really done to it before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.ops.runs import pointer_of
from pipeline.sandbox import Reply, Running, SandboxSettings, in_thread, tokens

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^ *<!-- executed by a test(?:: exit (\d+))? -->\n *```\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
WITHOUT_REPORT = {
    "PROSPEND__REPORT__MARTS": "false"
}  # not what these pages are about, and most of a small night's time


@dataclass(frozen=True)
class Block:
    """Commands of a page, and the exit code that the page says they end with."""

    script: str
    code: int


def blocks(page: str, heading: str = "") -> list[Block]:
    """What is to be typed below a heading, or on a whole page."""
    text = (DOCS / f"{page}.md").read_text()
    if heading:
        _, found, text = text.partition(f"\n## {heading}\n")
        assert found, f"{page}.md has no heading {heading!r}"
        text = text.split("\n## ")[0]
    return [Block(script, int(code or 0)) for code, script in BLOCK.findall(text)]


@dataclass(frozen=True)
class Person:
    """Who follows the pages: in a folder with settings and data that is the home as well, the program on the PATH."""

    folder: Path
    environ: dict[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def types(self, block: Block, answer: str = "") -> str:
        done = subprocess.run(
            ["sh", "-e", "-c", block.script],
            input=answer, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        self.said.append(done.stdout + done.stderr)
        assert done.returncode == block.code, f"{block.script}\n{self.said[-1]}"
        return self.said[-1]

    def follows(self, page: str, heading: str = "") -> str:
        return "".join(self.types(block) for block in blocks(page, heading))

    def published(self) -> int:
        """How many runs have published."""
        told = subprocess.run(
            ["prospend", "status", "--json", "--last", "100"],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            check=True,
        ).stdout
        return sum(one["outcome"] == "published" for one in json.loads(told)["runs"])


def person_in(folder: Path, sandbox: Running, **environ: str) -> Person:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    source = {"PROSPEND__SITE__BASE_URL": sandbox.base_url, "PROSPEND__API__CA_FILE": str(sandbox.ca_file)}
    return Person(folder, {"PATH": path, "HOME": str(folder), **source, **environ})


@pytest.fixture(scope="module")
def source(authority: Path) -> Iterator[Running]:
    with in_thread(SandboxSettings(state_dir=authority, claims=12)) as running:
        yield running


@pytest.fixture(scope="module")
def beginner(source: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Who has followed the first page. The site stays for the other pages; the token is not left lying about."""
    new = person_in(tmp_path_factory.mktemp("site"), source)
    (store,) = blocks("getting-started", "The token")
    new.types(store, f"{source.token}\n")
    for heading in ("Install", "Settings", "The first night", "Look at it"):
        new.follows("getting-started", heading)
    yield new
    (new.folder / ".prospend-token").unlink()


@pytest.fixture
def person(beginner: Person, source: Running, listener: Callable[[str], None]) -> Iterator[Person]:
    """The same person, later. Reports are not what these pages are about, and most of a small night's time."""
    later = person_in(beginner.folder, source, PROSPEND__REPORT__MARTS="false")
    yield later
    listener("".join(later.said))
    source.release()


# In an order that keeps nights few: each one more makes verifying, rebuilding and erasing longer.


def test_getting_started_ends_with_tables(beginner: Person, listener):
    """The token is private, the companies are named, the night is published, the statements answer."""
    said = "".join(beginner.said)
    listener(said)
    assert (beginner.folder / ".prospend-token").stat().st_mode & 0o777 == 0o600
    assert "the token is accepted; it sees 2 companies" in said
    assert "a run could begin" in said
    assert "Finalised" in said
    assert (beginner.data / "reports" / "latest" / "index.html").exists()
    assert beginner.published() == 1


def test_nightly_schedules_fails_once_and_publishes_again(person: Person):
    """The failure that the page asks for is told in four lines, and harms nothing."""
    said = person.follows("nightly")
    assert "30 3 * * *" in said
    assert "[Timer]" in said
    assert "WHAT   CREDENTIAL (11)" in said
    assert person.published() == 2


def spoil(path: Path) -> None:
    """A byte in the midst of a file is another one."""
    path.chmod(0o640)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


def test_a_damaged_warehouse_file_and_a_damaged_snapshot(person: Person):
    """Found, named, mended; the snapshot from a backup, without which no rebuild is possible."""
    shutil.copytree(person.data / "snapshots", person.folder / "backup" / "snapshots")
    look, mend, bring_back = blocks("recovery", "A file is damaged")
    spoil(pointer_of(person.data).resolve())
    assert "prospend rebuild" in person.types(look)
    before = person.published()
    assert "all are what was written" in person.types(mend)
    assert person.published() == before + 1
    part = min((person.data / "snapshots" / "claim").glob("run=*/part-00000.parquet"))  # one that the backup has
    spoil(part)
    assert str(part.relative_to(person.data)) in person.types(look)
    assert "all are what was written" in person.types(bring_back)


def test_somebody_is_forgotten(person: Person):
    """Whose id is in the file stands in no table afterwards, and the books stay."""
    some = Block("prospend query --format csv 'SELECT min(claimant_id) FROM prospend.claim' | tail -1", 0)
    someone = person.types(some).strip()
    claims = Block(
        f"prospend query --format csv \"SELECT count(*) FROM history.claim WHERE claimant_id = '{someone}'\" | tail -1",
        0,
    )
    assert int(person.types(claims)) > 0
    (person.folder / "people.txt").write_text(f"{someone}\n")
    person.follows("privacy")
    assert person.types(claims).strip() == "0"
    assert not (person.folder / "people.txt").exists()


def test_an_upgrade(person: Person):
    """The commands for after it, on data that is there."""
    before = person.published()
    assert "prospend 0." in person.follows("upgrading")
    assert person.published() == before + 1


def test_a_new_machine(person: Person, source: Running, tmp_path: Path):
    """The archive, unpacked in another folder, goes on: the run there reads what changed, not everything."""
    pack, unpack = blocks("recovery", "Moving to a new machine")
    person.types(pack)
    there = replace(person_in(tmp_path, source), environ={**person.environ, "HOME": str(tmp_path)})
    shutil.copy2(person.folder / ".prospend-token", tmp_path)
    (person.folder / "prospend.tar.gz").rename(tmp_path / "prospend.tar.gz")
    asked = source.journal.counts.requests
    before = person.published()
    said = there.types(unpack)
    assert there.published() == before + 1
    assert source.journal.counts.requests - asked < 60
    assert str(tmp_path / "configs" / "site.toml") in said
    person.said.append(said)
    (tmp_path / ".prospend-token").unlink()


def test_only_the_snapshots_left(person: Person):
    """Without warehouse files and reports; the same rows afterwards, with no call."""
    counting = Block("prospend query --format csv 'SELECT count(*) FROM history.expense'", 0)
    rows = person.types(counting)
    for derived in ("warehouse", "reports"):
        shutil.rmtree(person.data / derived, ignore_errors=True)
    pointer_of(person.data).unlink()
    person.follows("recovery", "Only the snapshots are left")
    assert person.types(counting) == rows


def test_a_bad_night(person: Person):
    """Readers have the night before until the next one publishes."""
    before = pointer_of(person.data).readlink()
    back, go_on = blocks("recovery", "A bad night was published")
    person.types(back)
    assert pointer_of(person.data).readlink().stem < before.stem
    person.types(go_on)
    assert pointer_of(person.data).readlink().stem > before.stem


def test_a_token_that_ended(person: Person, source: Running):
    """It is refused, exit 11; with the new one in its place the night is published."""
    source.revoke()
    person.types(Block("prospend run --quiet", 11))
    before = person.published()
    new = tokens.new(source.settings.state_dir, now=datetime.now(UTC))
    store, go_on = blocks("recovery", "The token ends")
    person.types(store, f"{new.text}\n")
    assert "accepted" in person.types(go_on)
    assert person.published() == before + 1


@pytest.fixture
def small_volume(beginner: Person) -> Iterator[Path]:
    """The data folder on a volume of its own, for one test."""
    aside = beginner.data.with_name("aside")
    beginner.data.rename(aside)
    beginner.data.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256M", "tmpfs", beginner.data], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        shutil.copytree(aside, beginner.data, symlinks=True, dirs_exist_ok=True)
    yield beginner.data
    if mounted.returncode == 0:
        subprocess.run(["umount", "--lazy", beginner.data], check=True)
    beginner.data.rmdir()
    aside.rename(beginner.data)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (needs the right to mount)")


def test_a_full_disk(small_volume: Path, person: Person):
    """Something else fills the volume: exit 30; what is not ours is removed, and the night is published."""
    filler = small_volume / "somebody-else-s"
    with filler.open("wb") as file:
        found = os.statvfs(small_volume)
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - 8_000_000)
    person.types(Block("prospend run --quiet", 30))
    look, go_on = blocks("recovery", "The disk is full")
    assert "Avail" in person.types(look)
    filler.unlink()
    before = person.published()
    person.types(go_on)
    assert person.published() == before + 1


def test_a_refused_night(person: Person, source: Running):
    """Half of the tax codes are gone: refused, then published because somebody says that it is right."""
    for company in ("1", "2"):
        kept = [record for _, record in source.records("tax_code", (company,))][::2]
        body = json.dumps({"page": kept, "nextCursor": None}, default=float).encode()
        source.answer_with(f"/beta/company/{company}/taxCode", Reply(200, body))
        source.force(f"/beta/company/{company}/taxCode/", 404)
    before = person.published()
    said = person.follows("recovery", "A check refuses the night")
    assert "WHAT   GATE (41)" in said
    assert "published " in said
    assert person.published() == before + 1


def test_a_script_tells_the_exit_codes_apart(person: Person, source: Running):
    """Published; a source that is away for a night."""
    assert person.follows("exit-codes") == "published\n"
    source.force("/beta", 503)
    quick = replace(person, environ={**person.environ, "PROSPEND__API__ATTEMPTS": "1"})
    assert "the next night goes on\n" in quick.follows("exit-codes")


def test_the_modes_of_the_privacy_page_are_those_of_the_files(person: Person):
    """Of every file and folder of a site that has been through all of this."""
    rows = re.findall(r"^\| `(\w+)/`[^|]*\|[^|]*\| ([^|]*) \|", (DOCS / "privacy.md").read_text(), re.MULTILINE)
    stated = {place: {int(mode, 8) for mode in re.findall(r"\b0\d{3}\b", text)} for place, text in rows}
    for path in (path for path in person.data.rglob("*") if path.is_file() and not path.is_symlink()):
        place, mode = path.relative_to(person.data).parts[0], path.stat().st_mode & 0o777
        assert mode & 0o007 == 0, path
        if place in stated and path.parent != person.data:
            assert mode in stated[place], f"{path}: {mode:o}"
    assert {"snapshots", "warehouse", "reports", "staging", "runs", "state"} <= stated.keys()
