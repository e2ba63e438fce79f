"""Room on the disk: a run that has too little does not begin, and one that fills it up does not stand in its own way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DiskFull, LocalResource, PipelineError, StoredDataDamaged, TooManyPages
from pipeline.model import EarlierRunUnfinished, PageRead, Room, StageBegan, World
from pipeline.night.room import LEAST_BYTES, LEAST_FILES, TIMES_LAST
from pipeline.nightly import real_world
from pipeline.nightly import run as run_night
from pipeline.ops.runs import pointer_of
from pipeline.sandbox import Running
from pipeline.settings import Settings
from pipeline.snapshot import newest_accepted

GB = 10**9


def world(*rooms: Room) -> World:
    """The machine's own, but for what is free: one reading after the other, the last one for ever."""
    left: Iterable[Room] = iter(rooms)
    return replace(real_world(), room=lambda _: next(left, rooms[-1]))


def room(free_bytes: int, free_files: int | None = None) -> Room:
    return Room("/volume", int(free_bytes), free_files)


def fails_at(stage: str, error: BaseException):
    def observe(event: object) -> None:
        if event == StageBegan(stage):
            raise error

    return observe


def begins(site: Settings, given: World) -> bool:
    """Whether a run comes as far as its first stage; it is interrupted there."""
    with pytest.raises(KeyboardInterrupt):
        run_night(site, world=given, observe=fails_at("extract", KeyboardInterrupt()))
    return True


@pytest.fixture
def after_a_night(site: Settings, earlier_night: Path) -> Settings:
    """The site on top of a published night."""
    shutil.copytree(earlier_night, site.storage.data_dir, symlinks=True)
    return site


def needed(site: Settings) -> int:
    parts = newest_accepted(site.storage.data_dir)["parts"].values()
    stated = sum(file["size_bytes"] for part in parts for file in part["files"])
    return round(TIMES_LAST * (stated + pointer_of(site.storage.data_dir).stat().st_size))


def test_a_run_needs_some_times_what_the_last_one_left(after_a_night: Settings, sandbox: Running):
    """Before its first request, exit 30. The night is made a large one by its file; whoever looks into that finds it damaged."""
    published = pointer_of(after_a_night.storage.data_dir).resolve()
    published.chmod(0o640)
    os.truncate(published, 60_000_000)
    least = needed(after_a_night)
    assert least > LEAST_BYTES
    with pytest.raises(LocalResource) as caught:
        run_night(after_a_night, world=world(room(least - 1000)))
    assert caught.value.exit_code == 30
    assert "too little room for a run: " in caught.value.what
    assert caught.value.where == f"storage.data_dir = {after_a_night.storage.data_dir}, on the volume /volume"
    assert "readers remain on the warehouse of" in caught.value.state
    assert "on /volume" in caught.value.do
    with pytest.raises(StoredDataDamaged):
        run_night(after_a_night, world=world(room(least)))
    assert sandbox.journal.counts.requests == 0


def test_how_much_is_free_needed_and_missing(after_a_night: Settings):
    """All three are told in numbers."""
    with pytest.raises(LocalResource) as caught:
        run_night(after_a_night, world=world(room(4_000_000)))
    assert f"4.0 MB free, {LEAST_BYTES / 1e6:.1f} MB needed" in caught.value.what
    assert f"free {LEAST_BYTES / 1e6 - 4:.1f} MB on /volume" in caught.value.do


def test_a_first_run_needs_little(site: Settings, sandbox: Running):
    """Nothing is known of it."""
    with pytest.raises(LocalResource):
        run_night(site, world=world(room(LEAST_BYTES - 1000)))
    assert sandbox.journal.counts.requests == 0
    assert begins(site, world(room(LEAST_BYTES)))


def test_places_for_files_are_counted_where_they_are_few(site: Settings, sandbox: Running):
    """Inodes can run out while there are bytes; a file system that makes them as needed has no number of them."""
    with pytest.raises(LocalResource) as caught:
        run_night(site, world=world(room(GB, LEAST_FILES - 1)))
    assert f"{LEAST_FILES - 1} inodes (places for files) free, {LEAST_FILES} needed" in caught.value.what
    assert "inodes" in caught.value.do
    assert sandbox.journal.counts.requests == 0
    assert begins(site, world(room(GB, None)))


def kept_files(site: Settings) -> list[Path]:
    return list((site.storage.data_dir / "staging").glob("*/pages.kept"))


FULL = OSError(28, "No space left on device")


def test_pages_that_fill_the_disk_are_given_up(site: Settings):
    """With them there is too little room, without them enough: a plain next run begins anew and publishes."""
    with pytest.raises(DiskFull) as caught:
        run_night(site, world=world(room(GB), room(LEAST_BYTES - 1)), observe=fails_at("seal", FULL))
    assert "pages read so far filled it and are given up" in caught.value.what
    assert "free now that the run has tidied up" in caught.value.what
    assert "on the volume /volume" in caught.value.where
    assert "kept" not in caught.value.state
    assert kept_files(site) == []
    assert run_night(site).outcome == "published"


@pytest.mark.parametrize("free", [0, 2 * GB], ids=["others fill it", "there is room again"])
def test_pages_that_do_not_fill_the_disk_are_kept(site: Settings, sandbox: Running, free: int):
    """Giving them up would not make the room that is missing, or none is missing any more: they are gone on from."""
    with pytest.raises(DiskFull) as caught:
        run_night(site, world=world(room(GB), room(free)), observe=fails_at("seal", FULL))
    assert "pages read so far are kept" in caught.value.state
    assert kept_files(site) != []
    asked = sandbox.journal.counts.requests
    if not free:
        with pytest.raises(LocalResource, match="too little room"):  # nobody has made room: it keeps them still
            run_night(site, world=world(room(0)))
        assert run_night(site).outcome == "published"
    assert sandbox.journal.counts.requests == asked


def test_pages_that_are_kept_need_no_room_again(site: Settings):
    """A run that goes on from an earlier one's needs so much less."""
    with pytest.raises(DiskFull):
        run_night(site, world=world(room(GB)), observe=fails_at("seal", FULL))
    (kept,) = kept_files(site)
    less = LEAST_BYTES - kept.stat().st_size
    with pytest.raises(LocalResource):
        run_night(site, world=world(room(less - 1000)))
    assert begins(site, world(room(less)))


def limited(site: Settings, max_kept_gb: float) -> Settings:
    return replace(site, storage=replace(site.storage, max_kept_gb=max_kept_gb))


def test_a_source_cannot_fill_the_disk(site: Settings, sandbox: Running):
    """Above `storage.max_kept_gb` the run stops with exit 30 and keeps nothing of it; the file never was larger."""
    seen = [0]

    def observe(event: object) -> None:
        if isinstance(event, PageRead):
            seen.extend(path.stat().st_size for path in kept_files(site))

    with pytest.raises(TooManyPages) as caught:
        run_night(limited(site, 0.00002), observe=observe)
    assert caught.value.exit_code == 30
    assert "storage.max_kept_gb = 2e-05" in caught.value.what
    assert "storage.max_kept_gb" in caught.value.do
    assert 0 < max(seen) <= 20_000
    assert kept_files(site) == []


def test_pages_kept_under_a_higher_limit_are_not_used(site: Settings):
    """A limit that is lowered must not stop every run that finds them."""
    with pytest.raises(DiskFull):
        run_night(site, world=world(room(GB)), observe=fails_at("seal", FULL))
    (kept,) = kept_files(site)
    told: list[object] = []
    with pytest.raises(PipelineError):
        run_night(limited(site, kept.stat().st_size / 2 / GB), observe=told.append)
    assert [one.not_used for one in told if isinstance(one, EarlierRunUnfinished)] == [
        "they take more than storage.max_kept_gb allows"
    ]
