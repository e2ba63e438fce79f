"""The list of people who are to be forgotten, and snapshots without them, on a real disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from readable import contents_of
from snapshot_runs import CATALOGUE, claim, run_id, sealed_night

from pipeline import snapshot, upkeep
from pipeline.decode import Erased
from pipeline.errors import ConfigError, StoredDataDamaged
from pipeline.settings import Storage
from pipeline.snapshot import QUARANTINE, erased_people, erasures, list_people, parts_of, pending, record_done

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIGHTS = 8
TRACES = (b"Person 4641", b'"4641"', b"E4641")


def new_key(count: int) -> bytes:
    return bytes(range(count))


def listed(data_dir: Path, *ids: str) -> Erased:
    return list_people(data_dir, ids, at=AT.isoformat(), new_key=new_key)[0]


# ---- the list -------------------------------------------------------------------------------------------------------


def test_the_list_names_nobody_and_recognises_everybody_on_it(tmp_path):
    """Made-up names in numbered documents, the key in a file of its own; listing somebody again adds nothing."""
    assert erased_people(tmp_path) is None
    first = listed(tmp_path, "4641", "Jane")
    assert listed(tmp_path, "Jane", "4641") == first == erased_people(tmp_path)
    second = listed(tmp_path, "Jane", "17")
    assert [len(one["people"]) for one in erasures(tmp_path)] == [2, 1]
    assert [second.listed(one) is not None for one in ("4641", "Jane", "17", "18")] == [True, True, True, False]
    written = b"".join(path.read_bytes() for path in (tmp_path / "erasures").glob("*.json"))
    assert b"Jane" not in written
    assert b'"4641"' not in written
    assert (tmp_path / "erasures" / "key").stat().st_mode & 0o777 == 0o400
    assert snapshot.verify(tmp_path, CATALOGUE).file_count == 3


def test_who_is_listed_waits_until_it_is_proven(tmp_path):
    """`verify` tells so, and what to do; a proof counts for those it names."""
    erased = listed(tmp_path, "4641", "17")
    one, other = sorted(erased.names)
    (found,) = snapshot.verify(tmp_path, CATALOGUE).findings
    assert (found.where, found.is_damage, found.do) == ("erasures", False, "run `prospend erase` for them again")
    record_done(tmp_path, [one], {"at": AT.isoformat()})
    assert pending(erasures(tmp_path)) == (other,)
    record_done(tmp_path, [other], {"at": AT.isoformat()})
    assert (pending(erasures(tmp_path)), snapshot.verify(tmp_path, CATALOGUE).findings) == ((), ())


@pytest.mark.parametrize("harm", ["key gone", "another key", "document gone", "document changed"])
def test_a_damaged_list_is_refused_before_anything_is_read_with_it(tmp_path, harm):
    """Exit 40: with another key, or without a document, an erased person would come back."""
    listed(tmp_path, "4641")
    listed(tmp_path, "17")
    key, document = tmp_path / "erasures" / "key", tmp_path / "erasures" / "00001.json"
    content = document.read_bytes()
    path = key if "key" in harm else document
    path.unlink()
    if harm == "another key":
        path.write_bytes(bytes(32))
    if harm == "document changed":
        path.write_bytes(content.replace(b"erased-", b"errand-"))
    with pytest.raises(StoredDataDamaged, match=r"erasures|erased people"):
        erased_people(tmp_path)
    assert {one.is_damage for one in snapshot.verify(tmp_path, CATALOGUE).findings} == {True}


# ---- snapshots ------------------------------------------------------------------------------------------------------


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Eight nights, small parts put together; claims of ten people, a refused night, records that did not fit."""
    misfits = [b'{"id":"x1","claimantId":"4641","approvers":7}', b'{"id":"x2","claimantId":"4642","approvers":7}']
    for night in range(1, NIGHTS + 1):
        approvers = [{"id": "4641", "name": "Person 4641"}, {"id": "4642", "name": "Person 4642"}]
        claims = [claim(key, employeeNumber=f"E{4640 + key % 10}", mail=f"{key}@x") for key in range(night, night + 12)]
        claims.append(claim(99, claimantId="4643", claimantName="Person 4643", approvers=approvers))
        sealed_night(
            tmp_path,
            night,
            claims + misfits * (night == 3),
            base=night - 1 if night not in (1, 8) else None,
            full=night == 1,
            accepted=night != 8,
        )
    pruning = upkeep.plan_pruning(tmp_path, Storage(tmp_path), AT, resume_within_s=1)
    assert pruning.together
    upkeep.prune(tmp_path, pruning)
    return tmp_path


def told_of(data_dir: Path) -> set[str]:
    found = set()
    for path in (path for path in data_dir.rglob("*") if path.is_file()):
        for _, content in contents_of(path):
            found |= {str(path.relative_to(data_dir)) for trace in TRACES if trace in content}
    return found


def rows_of(data_dir: Path, night: int, name: str = "claim") -> list[dict[str, object]]:
    held = parts_of(data_dir, snapshot.manifest_of(data_dir, run_id(night))).get(name, ())
    tables = [pq.read_table(data_dir / part.path, partitioning=None) for part in held]
    return [row for table in tables for row in table.to_pylist() if row["_run_id"] == run_id(night)]


def rewritten(data_dir: Path, erased: Erased) -> upkeep.ErasurePlan:
    plan = upkeep.plan_erasure(data_dir, CATALOGUE, erased)
    change = upkeep.changing(CATALOGUE, erased, plan.theirs)
    snapshot.rewrite(data_dir, plan.files, {"reason": "erasure", "people": sorted(erased.names)}, change=change)
    return plan


def test_every_part_is_rewritten_that_tells_of_them_and_no_other(data_dir: Path):
    """Shared files, refused runs and quarantine too: no trace, all sums as the manifests say, others' rows untouched."""
    before = {night: rows_of(data_dir, night) for night in range(1, NIGHTS + 1)}
    erased = listed(data_dir, "4641")
    (name,) = erased.names
    telling = told_of(data_dir)
    plan = rewritten(data_dir, erased)
    assert {old.path for file in plan.files for old in file.of} == telling
    assert told_of(data_dir) == set()
    assert [one.what[:30] for one in snapshot.verify(data_dir, CATALOGUE).findings] == [
        "1 person is listed to be erased, "[:30]
    ]
    for night, rows in before.items():
        after = rows_of(data_dir, night)
        for was, now in zip(rows, after, strict=True):
            if was["claimantId"] == "4641":
                assert (now["claimantId"], now["claimantName"], now["_extra"]) == (name, name, None)
                assert (now["claimCurrencyTotals"], now["_fingerprint"]) == (
                    was["claimCurrencyTotals"],
                    was["_fingerprint"],
                )
            elif was["approvers"]:
                assert [one["id"] for one in now["approvers"]] == [name, "4642"]
            else:
                assert now == was
    theirs, others = rows_of(data_dir, 3, QUARANTINE)
    assert (theirs["raw"], b"4642" in others["raw"]) == (b"{}", True)
    assert upkeep.plan_erasure(data_dir, CATALOGUE, erased).files == ()


def test_a_damaged_part_is_not_rewritten(data_dir: Path):
    """It would get a hash that holds; so the person is not gone, and the error says where the part is."""
    path = next((data_dir / "snapshots/claim").glob("rewrite=*/*"))
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-20] + b"\0" * 20)
    with pytest.raises(StoredDataDamaged) as caught:
        upkeep.plan_erasure(data_dir, CATALOGUE, listed(data_dir, "4641"))
    assert str(caught.value.where) == str(path.relative_to(data_dir))


def test_snapshots_that_the_catalogue_says_nothing_of_are_no_excuse(data_dir: Path):
    """Whose they are is not known: refused, instead of leaving them in silence."""
    fewer = replace(CATALOGUE, resources=tuple(one for one in CATALOGUE if one.name != "division" and one.parent))
    with pytest.raises(ConfigError, match="snapshots of company, of which"):
        upkeep.plan_erasure(data_dir, fewer, listed(data_dir, "4641"))


def test_somebody_nobody_knows_is_listed_all_the_same(data_dir: Path):
    """Nothing is rewritten, and what is read later is recognised."""
    assert upkeep.plan_erasure(data_dir, CATALOGUE, listed(data_dir, "nobody")).files == ()
    assert erased_people(data_dir).listed("nobody")
