"""`verify` reads every byte: whatever is flipped, cut, taken away, planted or linked is found, and told with a remedy."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import pipeline
from pipeline import upkeep
from pipeline.model import Finding, Request, Response
from pipeline.ops.lock import run_lock
from pipeline.resources import read_catalogue
from pipeline.settings import Settings
from pipeline.snapshot import Began, begin, sealed_runs

AT = datetime(2026, 11, 23, tzinfo=UTC)
TRIALS_EACH = 34  # of six kinds: more than 200
CATALOGUE = read_catalogue()


@pytest.fixture(scope="module")
def night(earlier_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published night, and pages that a run after it kept."""
    data_dir = tmp_path_factory.mktemp("verify") / "data"
    shutil.copytree(earlier_night, data_dir, symlinks=True)
    keep_pages(data_dir, "20261201T020000Z")
    return data_dir


def keep_pages(data_dir: Path, run_id: str) -> Path:
    """Twenty kept pages, as a run that ended early leaves them."""
    kept = begin(data_dir / "staging" / run_id, Began(run_id, AT, "what is read"), max_bytes=10**6)

    async def answer(request: Request) -> Response:
        return Response(json.dumps({"page": [{"id": request.path * 9}]}).encode(), AT)

    async def ask() -> None:
        send = kept.answering(answer)
        for number in range(20):
            await send(Request(f"/{number}"))

    asyncio.run(ask())
    kept.close()
    return kept.path


def found_in(data_dir: Path) -> tuple[Finding, ...]:
    return upkeep.verify(data_dir, CATALOGUE).findings


def damage_in(data_dir: Path) -> list[Finding]:
    return [one for one in found_in(data_dir) if one.is_damage]


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    """The file holds something else inside; afterwards it is as before, mode included."""
    before, mode = path.read_bytes(), path.stat().st_mode
    path.chmod(0o640)
    path.write_bytes(content)
    path.chmod(mode)
    yield
    path.chmod(0o640)
    path.write_bytes(before)
    path.chmod(mode)


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The bytes with one bit flipped, a stretch blanked, an end cut off, or a piece doubled."""
    place = dice.randrange(len(content))
    length = min(dice.choice([1, 16, 4096]), len(content) - place)
    made = dice.choice(
        [
            content[:place] + bytes([content[place] ^ (1 << dice.randrange(8))]) + content[place + 1 :],
            content[:place] + bytes(length) + content[place + length :],
            content[:place],
            content[:place] + content[place : place + length] + content[place:],
        ]
    )
    return made if made != content else damaged(content, dice)


FILES = {
    "manifest": "runs/*/manifest.json",
    "report": "runs/*/report.json",
    "part": "snapshots/*/run=*/*.parquet",
    "warehouse": "warehouse/*.duckdb",
    "vouched": "runs/*/generation.json",
    "kept": "staging/*/pages.kept",
}


@pytest.mark.parametrize("kind", FILES)
def test_no_damage_to_any_file_goes_unnoticed(night: Path, kind: str):
    """Flips, blanks, cuts and repetitions at seeded places of every kind of file: each one is found in that very file."""
    dice = random.Random(f"verify {kind}")
    files = sorted(night.glob(FILES[kind]))
    assert files
    assert found_in(night) == ()
    for trial in range(TRIALS_EACH):
        path = dice.choice(files)
        with changed(path, damaged(path.read_bytes(), dice)):
            found = found_in(night)
        if kind == "vouched":
            path = night / "warehouse" / f"{path.parent.name}.duckdb"
        assert str(path.relative_to(night)) in {one.where for one in found}, trial
        assert kind == "kept" or any(one.is_damage for one in found), trial


@pytest.mark.parametrize("kind", ["manifest", "part", "warehouse"])
def test_a_file_that_is_gone_is_missed(night: Path, tmp_path: Path, kind: str):
    """Taking a file away whole leaves none of the others sound without it."""
    for number, path in enumerate(sorted(night.glob(FILES[kind]))):
        aside = tmp_path / str(number)
        shutil.move(path, aside)
        assert damage_in(night), path
        shutil.move(aside, path)
    assert found_in(night) == ()


def relinked(data_dir: Path, target: str) -> None:
    pointer = data_dir / "warehouse.duckdb"
    pointer.unlink()
    pointer.symlink_to(target)


def test_no_damage_to_the_pointer_goes_unnoticed(night: Path):
    """The link that readers open leads to a generation and nowhere else: any other text in it is found."""
    pointer = night / "warehouse.duckdb"
    text = str(pointer.readlink())
    dice = random.Random("verify pointer")
    texts = {damaged(text.encode(), dice).decode("latin-1") for _ in range(TRIALS_EACH)}
    texts |= {f"/{text}", f"../data/{text}", str(night / text), "warehouse", ".", "/dev/null"}
    for other in sorted(one for one in texts if one and "\0" not in one):
        relinked(night, other)
        assert "warehouse.duckdb" in {one.where for one in damage_in(night)}, other
    pointer.unlink()
    assert [one.what for one in damage_in(night)] == ["it is missing, though there are warehouse files"]
    pointer.write_bytes(b"")
    assert [one.what for one in damage_in(night)] == ["it is not a link"]
    relinked(night, text)
    assert found_in(night) == ()


def planted(data_dir: Path, below: str, put: Callable[[Path], object]) -> list[Finding]:
    """What is found while something stands at a place."""
    path = data_dir / below
    is_new = not path.parent.exists()
    path.parent.mkdir(exist_ok=True)
    put(path)
    found = list(found_in(data_dir))
    path.unlink()
    if is_new:
        path.parent.rmdir()
    return found


def test_nothing_can_be_planted_among_the_snapshots(night: Path):
    """A file or link that no manifest lists is found wherever it stands; what a killed run left is told, not damage."""
    (run_id,) = sealed_runs(night)
    part = next(night.glob("snapshots/claim/run=*/*.parquet"))
    copy, link = (lambda path: shutil.copy(part, path)), (lambda path: path.symlink_to(part))
    for below in (f"snapshots/claim/run={run_id}/part-00001.parquet", "snapshots/claim/more", "snapshots/x.parquet"):
        for put in (copy, link):
            (found,) = planted(night, below, put)
            assert (found.where, found.what, found.is_damage) == (below, "no manifest lists it", True)
    killed = "snapshots/claim/run=20261201T020000Z/part-00000.parquet"
    (found,) = planted(night, killed, copy)
    assert (found.where, found.is_damage) == (killed, False)
    (found,) = planted(night, killed, link)
    assert found.is_damage
    for below in ("warehouse/other.txt", "warehouse/more.duckdb", f"warehouse/{run_id}.duckdb.wal"):
        assert below in {one.where for one in planted(night, below, copy) if one.is_damage}


def test_a_part_replaced_by_a_link_or_open_to_others_is_found(night: Path, tmp_path: Path):
    """What stands in a listed place must be a plain file of the folder's owner that nobody else may write or read."""
    for kind in ("part", "manifest", "warehouse", "report"):
        path = next(night.glob(FILES[kind]))
        where, mode = str(path.relative_to(night)), path.stat().st_mode
        for loose in (0o460, 0o442, 0o444):
            path.chmod(loose)
            assert where in {one.where for one in damage_in(night)}, (kind, oct(loose))
        path.chmod(mode)
        aside = tmp_path / path.name
        shutil.move(path, aside)
        path.symlink_to(aside)
        assert where in {one.where for one in damage_in(night)}, kind
        path.unlink()
        shutil.move(aside, path)
        if os.getuid() == 0:
            os.chown(path, 12345, -1)
            assert where in {one.where for one in damage_in(night)}, kind
            os.chown(path, 0, -1)
    assert found_in(night) == ()


def test_the_command_says_what_is_sound_and_what_to_do(prospend, site: Settings, tmp_path: Path):
    """Exit 0 and a line; a damaged current generation is exit 40 with the night to go back to; with JSON the same."""
    first, second = pipeline.run(site), pipeline.run(site)
    data_dir = site.storage.data_dir
    sound = prospend("verify", "--data", data_dir)
    assert (sound.code, sound.err) == (0, "")
    assert "all are what was written" in sound.out
    document = json.loads(prospend("verify", "--data", data_dir, "--json").out)
    assert (document["sound"], document["findings"]) == (True, [])
    current = data_dir / "warehouse" / f"{second.run_id}.duckdb"
    content = current.read_bytes()
    with changed(current, content[:50_000] + b"\xff\x00\xff" + content[50_003:]):
        refused = prospend("verify", "--data", data_dir)
        told = prospend("verify", "--data", data_dir, "--json")
    assert (refused.code, told.code) == (40, 40)
    assert refused.lines["WHERE"] == f"warehouse/{second.run_id}.duckdb"
    assert refused.lines["STATE"] == "nothing was changed"
    assert "`prospend rebuild`" in refused.lines["DO"]
    assert f"`prospend rollback {first.run_id}`" in refused.lines["DO"]
    (found,) = json.loads(told.out)["findings"]
    assert (found["where"], found["damaged"]) == (refused.lines["WHERE"], True)
    part = next(data_dir.glob(f"snapshots/claim/run={first.run_id}/*.parquet"))
    with changed(part, part.read_bytes()[:-1]):
        refused = prospend("verify", "--data", data_dir)
    assert (refused.code, refused.lines["WHERE"]) == (40, str(part.relative_to(data_dir)))
    assert "restore the file from a backup" in refused.lines["DO"]
    with run_lock(data_dir, "20261201T020000Z", AT):
        assert prospend("verify", "--data", data_dir).code == 50
    assert prospend("verify", "--data", tmp_path / "nowhere").code == 10


def test_the_command_prunes_and_says_what(prospend, site_file: Path, earlier_night: Path, tmp_path: Path):
    """A dry run changes nothing; then old generations go, readers keep theirs, and all is still what was written."""
    data_dir = tmp_path / "data"
    shutil.copytree(earlier_night, data_dir, symlinks=True)
    (current,) = (data_dir / "warehouse").iterdir()
    for day in range(1, 5):
        path = current.with_name(f"2025010{day}T020000Z.duckdb")
        shutil.copy(current, path)
        os.utime(path, (0, 0))
    site_file.write_text(site_file.read_text().replace("[storage]\n", "[storage]\nkeep_generations = 3\n"))
    told = json.loads(prospend("prune", "--config", site_file, "--dry-run", "--json").out)
    assert len(list((data_dir / "warehouse").iterdir())) == 5
    gone = [f"warehouse/2025010{day}T020000Z.duckdb" for day in (1, 2)]
    assert sorted(one["where"] for one in told["removed"]) == gone
    assert (told["dry_run"], told["bytes"], told["history_begins_at"]) == (True, 2 * current.stat().st_size, None)
    done = prospend("prune", "--config", site_file)
    assert done.code == 0, done.err
    assert f"2 removed, {told['bytes']:,} bytes" in done.out
    assert sorted(path.name[:8] for path in (data_dir / "warehouse").iterdir())[:2] == ["20250103", "20250104"]
    assert json.loads(prospend("prune", "--config", site_file, "--json").out)["removed"] == []
    assert prospend("query", "--data", data_dir, "SELECT 1").code == 0
