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
from pipeline.model import StageBegan
from pipeline.night.erasing import forget
from pipeline.nightly import run as run_night
from pipeline.readings import Wanted
from pipeline.sandbox import Running
from pipeline.settings import Settings
from pipeline.snapshot import list_people, manifest_of

NO_RECHECK = 0.0


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


def test_a_night_before_the_erasure_is_done_brings_nobody_back(quiet_site: Settings):
    """A call that died after listing: what is read from then on tells of nobody, and the same call ends it all."""
    data_dir = quiet_site.storage.data_dir
    first = run_night(quiet_site)
    person = somebody(data_dir)
    list_people(data_dir, [person.id], at=AT.isoformat(), new_key=new_key)
    second = run_night(quiet_site, wanted=Wanted(is_full=True))
    told = told_of(person, data_dir)
    assert {first.run_id in one for one in told if one.startswith("snapshots")} == {True}
    assert [one.where for one in upkeep.verify(data_dir, CATALOGUE).findings] == ["erasures"]
    done = forget(data_dir, CATALOGUE, [person.id], AT, new_key=new_key)
    assert (told_of(person, data_dir), done.generations) == ([], (f"{first.run_id}.duckdb",))
    with pipeline.connect(data_dir) as connection:
        assert connection.execute("SELECT run_id FROM meta.snapshot_info").fetchone() == (second.run_id,)
    assert upkeep.verify(data_dir, CATALOGUE).findings == ()


def test_a_kill_anywhere_and_the_same_call_again(earlier_night: Path, tmp_path: Path):
    """At some of its steps; the soak takes every one."""
    outlives_kills(earlier_night, tmp_path, trials=5)


def test_what_cannot_be_erased_is_refused_and_nothing_is_listed(earlier_night: Path, tmp_path: Path, prospend):
    """Nobody named, no data folder, a resource file that marks no person."""
    data_dir = Path(shutil.copytree(earlier_night, tmp_path / "data", symlinks=True))
    unmarked = replace(CATALOGUE, resources=tuple(replace(one, columns=one.columns[:1]) for one in CATALOGUE))
    with pytest.raises(pipeline.ConfigError, match="marks no column with the id of a person"):
        forget(data_dir, unmarked, ["1"], AT, new_key=new_key)
    assert prospend("erase", "--data", data_dir).lines["WHAT"].endswith("nobody is named")
    assert prospend("erase", "1", "--data", tmp_path / "nowhere").code == 10
    assert not (data_dir / "erasures").exists()
