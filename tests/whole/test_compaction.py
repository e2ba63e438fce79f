"""A site that is pruned after many nights: fewer files, and nothing else that anybody can see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from checker import books_of, differences, exactly, read

import pipeline
from pipeline import upkeep, warehouse
from pipeline.nightly import run as run_night
from pipeline.readings import Wanted
from pipeline.resources import read_catalogue
from pipeline.sandbox import Running
from pipeline.settings import Settings
from pipeline.snapshot import accepted_runs, manifest_of, parts_of

CATALOGUE = read_catalogue()
NIGHTS = 7


def hashes(data_dir: Path) -> dict[str, str]:
    with pipeline.connect(data_dir) as connection:
        return warehouse.content_hash(connection)


def part_count(data_dir: Path) -> int:
    return len(list((data_dir / "snapshots").rglob("*.parquet")))


@pytest.fixture
def nights(sandbox: Running, site: Settings) -> list[str]:
    """Seven nights, the first a full one, with changes, deletions and restorations between them."""
    ran = []
    for _ in range(NIGHTS):
        ran.append(run_night(site).run_id)
        sandbox.advance(2)
    return ran


def test_many_nights_become_few_files_and_nothing_else_changes(
    nights: list[str], sandbox: Running, site: Settings, site_file: Path, prospend: Callable[..., object]
):
    """Dry run, prune, verify, rebuild, roll back, and further nights: the same tables, in fewer files."""
    data_dir, before = site.storage.data_dir, hashes(site.storage.data_dir)
    count, manifests = part_count(data_dir), [manifest_of(data_dir, one) for one in nights]
    would = json.loads(prospend("prune", "--dry-run", "--json", "--config", site_file).out)
    assert (would["removed"], part_count(data_dir)) == ([], count)
    done = prospend("prune", "--config", site_file)
    assert (done.code, json.loads(prospend("prune", "--json", "--config", site_file).out)["put_together"]) == (0, [])
    fewer = sum(len(one["files"]) - 1 for one in would["put_together"])
    assert part_count(data_dir) == count - fewer < count * 3 / 4
    assert f"{fewer + len(would['put_together']):,} small snapshot files are {len(would['put_together']):,}" in done.out

    assert upkeep.verify(data_dir, CATALOGUE).findings == ()
    assert [manifest_of(data_dir, one) for one in nights] == manifests
    assert any(part.is_shared for held in parts_of(data_dir, manifests[2]).values() for part in held)
    rebuilt = prospend("rebuild", "--config", site_file)
    assert (rebuilt.code, hashes(data_dir)) == (0, before), rebuilt.err
    back = prospend("rollback", nights[-2], "--data", data_dir)
    assert back.code == 0, back.err

    assert run_night(site).run_id == accepted_runs(data_dir)[-1]["run_id"]
    run_night(site, wanted=Wanted(is_full=True))
    assert differences(read((data_dir / "warehouse.duckdb").resolve()), exactly(books_of(sandbox.records))) == []
    after = hashes(data_dir)
    assert prospend("rebuild", "--config", site_file).code == 0
    assert (hashes(data_dir), upkeep.verify(data_dir, CATALOGUE).findings) == (after, ())
