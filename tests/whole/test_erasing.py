"""Forgetting a person: afterwards no byte below the data folder tells of them, and the books are what they were."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from forgetting import AT, CATALOGUE, hashes, new_key, outlives_kills, somebody, told_of

import pipeline
from pipeline import upkeep
from pipeline.model import ErasureEnded, PageRead, StageBegan
from pipeline.night.erasing import forget, plan_forgetting
from pipeline.nightly import run as run_night
from pipeline.readings import Wanted
from pipeline.sandbox import Running
from pipeline.settings import Settings
from pipeline.snapshot import list_people, manifest_of

NO_RECHECK = 0.0
UNMARKED = replace(CATALOGUE, resources=tuple(replace(one, columns=one.columns[:1]) for one in CATALOGUE))


def totals(data_dir: Path) -> list[tuple[object, ...]]:
    with pipeline.connect(data_dir) as connection:
        return connection.execute("FROM meta.control_total ORDER BY ALL").fetchall()


def sums(data_dir: Path) -> list[tuple[str, Decimal, int]]:
    with pipeline.connect(data_dir) as connection:
        return connection.execute(
            "SELECT currency_code, sum(gross_amount), count(*) FROM prospend.expense WHERE _deleted_at IS NULL "
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()


@pytest.fixture
def quiet_site(site: Settings) -> Settings:
    """A site whose nights recheck nothing, so that what changed is what changed at the source."""
    return replace(site, extract=replace(site.extract, recheck_percent=NO_RECHECK))


def test_a_forgotten_person_stands_nowhere(
    quiet_site: Settings, sandbox: Running, site_file: Path, prospend: Callable[..., object]
):
    """Dry run, erase, scan every byte; then verify, rebuild, further nights: gone, and the amounts are what they were."""
    site, data_dir = quiet_site, quiet_site.storage.data_dir
    for _ in range(2):
        run_night(site)
        sandbox.advance(2)
    leave_pages(site)
    person = somebody(data_dir)
    before = totals(data_dir), sums(data_dir)
    assert {place.split("/")[0] for place in told_of(person, data_dir)} == {"snapshots", "staging", "warehouse"}

    would = json.loads(prospend("erase", "--dry-run", "--json", person.id, "--config", site_file).out)
    assert not (data_dir / "erasures").exists()
    done = prospend("erase", "--json", person.id, "--config", site_file)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert {**told, "people": []} == {**would, "dry_run": False}
    assert (len(told["generations_removed"]), told["kept_pages_removed"]) == (1, 1)
    assert {"claim", "expense", "invoice"} <= set(told["rows"])

    assert told_of(person, data_dir) == []
    assert person.id not in done.out + done.err
    assert (totals(data_dir), sums(data_dir)) == before
    assert upkeep.verify(data_dir, CATALOGUE).findings == ()
    live = hashes(data_dir)
    assert prospend("rebuild", "--config", site_file).code == 0
    assert hashes(data_dir) == live
    assert json.loads(prospend("erase", "--json", person.id, "--config", site_file).out)["was_done"]

    full = run_night(site, wanted=Wanted(is_full=True))
    assert (told_of(person, data_dir), manifest_of(data_dir, full.run_id)["erased_people"]) == ([], 1)
    with pipeline.connect(data_dir) as connection:
        ((theirs,),) = connection.execute(
            "SELECT count(*) FROM prospend.claim WHERE claimant_id = ? AND claimant_name = claimant_id",
            told["people"],
        ).fetchall()
    assert theirs
    again = run_night(site)
    assert {one.name: (one.new, one.changed) for one in again.resources if one.new or one.changed} == {}
    live = hashes(data_dir)
    assert prospend("rebuild", "--config", site_file).code == 0
    assert (hashes(data_dir), upkeep.verify(data_dir, CATALOGUE).findings) == (live, ())


def leave_pages(site: Settings) -> None:
    """A run that ended early keeps what it read."""

    def fail(event: object) -> None:
        if event == StageBegan("seal"):
            raise OSError(28, "No space left on device")

    with pytest.raises(pipeline.LocalResource):
        run_night(site, wanted=Wanted(is_full=True), observe=fail)
    assert list((site.storage.data_dir / "staging").glob("*/pages.kept"))


def test_the_next_night_ends_an_erasure_that_was_cut_off(quiet_site: Settings, site_file: Path, prospend):
    """A call that died after listing: status tells of it, nothing leads back, and the next run ends it before it reads."""
    data_dir = quiet_site.storage.data_dir
    run_night(quiet_site)
    person = somebody(data_dir)
    list_people(data_dir, [person.id], at=AT.isoformat(), new_key=new_key)
    (data_dir / "staging" / "rebuild" / "spill").mkdir(parents=True)  # what a kill in the middle leaves, too
    told = "an erasure of 1 person is not finished"
    assert told in prospend("status", "--config", site_file).out
    back = prospend("rollback", "--config", site_file)
    assert (back.code, "an erasure is not finished" in back.lines["WHAT"]) == (10, True)

    events: list[object] = []
    run_night(quiet_site, observe=events.append)
    assert [one for one in events if isinstance(one, ErasureEnded)] == [ErasureEnded(1)]
    assert (told_of(person, data_dir), upkeep.verify(data_dir, CATALOGUE).findings) == ([], ())
    status = prospend("status", "--config", site_file).out
    assert (told in status, "rebuild" in status) == (False, False)
    assert forget(data_dir, CATALOGUE, [person.id], AT, new_key=new_key).was_done


def test_a_night_that_cannot_end_an_erasure_asks_for_nothing(
    quiet_site: Settings, sandbox: Running, monkeypatch: pytest.MonkeyPatch
):
    """A resource file that marks no person: exit 10 without a call, and readers keep what they have."""
    data_dir = quiet_site.storage.data_dir
    run_night(quiet_site)
    person, before = somebody(data_dir), hashes(data_dir)
    list_people(data_dir, [person.id], at=AT.isoformat(), new_key=new_key)
    monkeypatch.setattr("pipeline.nightly.read_catalogue", lambda _: UNMARKED)
    with pytest.raises(pipeline.ConfigError, match="marks no column") as caught:
        run_night(quiet_site, observe=refuse_pages)
    assert "the erasure is not finished" in caught.value.state
    assert hashes(data_dir) == before


def refuse_pages(event: object) -> None:
    assert not isinstance(event, PageRead)


def test_a_full_disk_in_the_middle_says_that_the_erasure_is_not_finished(
    earlier_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """People are listed, snapshots rewritten: never that nothing was changed; the next call tells the whole."""
    data_dir = Path(shutil.copytree(earlier_night, tmp_path / "data", symlinks=True))
    person = somebody(data_dir)

    would = plan_forgetting(data_dir, CATALOGUE, [person.id], AT, new_key=new_key)
    assert would.file_count

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full, pytest.raises(pipeline.LocalResource) as caught:
        full.setattr("pipeline.night.erasing.rebuilt_in_place", fail)
        forget(data_dir, CATALOGUE, [person.id], AT, new_key=new_key)
    assert caught.value.state.startswith("the erasure is not finished")
    assert caught.value.do.endswith("run the same command again")
    done = forget(data_dir, CATALOGUE, [person.id], AT, new_key=new_key)
    assert (told_of(person, data_dir), done.rows, done.file_count) == ([], would.rows, would.file_count)


def test_a_kill_anywhere_and_the_same_call_again(earlier_night: Path, tmp_path: Path):
    """At some of its steps; the soak takes every one."""
    outlives_kills(earlier_night, tmp_path, trials=5)


def test_what_cannot_be_erased_is_refused_and_nothing_is_listed(earlier_night: Path, tmp_path: Path, prospend):
    """Nobody named, no data folder, a resource file that marks no person."""
    data_dir = Path(shutil.copytree(earlier_night, tmp_path / "data", symlinks=True))
    with pytest.raises(pipeline.ConfigError, match="marks no column with the id of a person"):
        forget(data_dir, UNMARKED, ["1"], AT, new_key=new_key)
    assert prospend("erase", "--data", data_dir).lines["WHAT"].endswith("nobody is named")
    assert prospend("erase", "1", "--data", tmp_path / "nowhere").code == 10
    (tmp_path / "empty").mkdir()
    assert prospend("erase", "1", "--data", tmp_path / "empty").lines["WHAT"].endswith("nothing is stored yet")
    assert not (data_dir / "erasures").exists()


@pytest.mark.parametrize("dry_run", [("--dry-run",), ()])
def test_an_id_that_nobody_has_is_refused_and_nobody_is_listed(earlier_night: Path, tmp_path: Path, prospend, dry_run):
    """A mistyped one would be proven gone while the person stays."""
    data_dir = Path(shutil.copytree(earlier_night, tmp_path / "data", symlinks=True))
    refused = prospend("erase", *dry_run, somebody(data_dir).id, "40x7", "--data", data_dir)
    assert (refused.code, refused.lines["WHERE"]) == (10, "ids '40x7'")
    assert refused.lines["WHAT"].endswith("no record names 1 of the 2 ids given")
    assert not (data_dir / "erasures").exists()


def test_ids_are_taken_from_what_spreadsheets_save(earlier_night: Path, tmp_path: Path, prospend):
    """Spaces around and a byte order mark are no part of an id; another encoding than UTF-8 is refused, exit 10."""
    person, path = somebody(earlier_night), tmp_path / "people.txt"
    ask = ("erase", "--dry-run", "--data", earlier_night, "--file", path)
    for text, encoding in ((f" {person.id}\t\r\n\r\n", "utf-8-sig"), (person.id, "utf-8")):
        path.write_bytes(text.encode(encoding))
        told = prospend(*ask)
        assert (told.code, told.out.splitlines()[0]) == (0, f"ids given: {person.id}")
        assert "\n1 person would be erased from " in told.out
    for encoding in ("utf-16", "utf-16-le"):
        path.write_bytes(person.id.encode(encoding))
        refused = prospend(*ask)
        assert (refused.code, refused.lines["DO"]) == (10, "save the file as UTF-8")
