"""Parts and manifests on a real disk: what is staged, what is sealed, and the chain of what is accepted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snapshot_runs import (
    AT,
    CATALOGUE,
    NAMES,
    add,
    claim,
    deletion,
    facts,
    proof,
    run_id,
    sealed_night,
    staging_of,
)

from pipeline.decode import fingerprint, snapshot_schema
from pipeline.durable import document_hash, sha256_of
from pipeline.errors import LocalAccess, StoredDataDamaged, VersionMismatch
from pipeline.snapshot import (
    Staging,
    accepted_runs,
    is_older,
    manifest_of,
    newest_accepted,
    parts_of,
    read_deleted,
    read_manifest,
    read_pages,
    read_quarantine,
    record_rewrite,
    remove_left_over,
    rewrites,
    seal,
    sealed_runs,
    sweep,
    verify,
)

MISFIT = b'{"id":"9","updatedDate":"yesterday"}'


def staged(data_dir: Path) -> Staging:
    """A run with a row or more of every resource, and with everything that can stand beside the records."""
    staging = staging_of(data_dir, 23)
    add(staging, "company", [{"companyId": "1"}])
    add(staging, "division", [{"id": "7"}])
    add(staging, "claim", [claim(1), claim(2), MISFIT])
    staging.add_pages_proof([proof(number=1), proof(number=2)])
    staging.add_deleted([deletion("3")])
    return staging


def in_place(data_dir: Path) -> list[str]:
    return sorted(path.parent.parent.name for path in (data_dir / "snapshots").glob("*/run=*/*.parquet"))


# ---- parts ----------------------------------------------------------------------------------------------------------


def test_a_run_that_fails_while_sealing_leaves_no_part_in_place(tmp_path):
    """Parts moved before the failure are removed with the rest, so the next run finds nothing to tidy up."""
    staging = staged(tmp_path)
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "division").write_text("in the way")
    with pytest.raises(LocalAccess):
        staging.seal_parts()
    assert list((tmp_path / "snapshots").glob("*/run=*"))
    staging.abandon()
    assert not list((tmp_path / "snapshots").glob("*/run=*"))
    assert sweep(tmp_path) == ()


def test_a_document_whose_writing_was_cut_off_is_swept(tmp_path):
    """Killed between its creation and its rename; what is sealed beside it stays."""
    folder = tmp_path / "runs" / "20260101T000000Z-aaaaaa"
    folder.mkdir(parents=True)
    cut_off, sealed = folder / ".manifest.json.part", folder / "report.json"
    cut_off.write_text('{"half')
    sealed.write_text("{}")
    sweep(tmp_path)
    assert (cut_off.exists(), sealed.exists()) == (False, True)


def test_parts_with_a_manifest_stay(tmp_path):
    """What is sealed is never dropped, whatever the run comes to afterwards."""
    staging = staged(tmp_path)
    seal(tmp_path, staging.run_id, {}, staging.seal_parts(), accepted=True)
    staging.abandon()
    assert in_place(tmp_path) == ["_deleted", "_pages", "_quarantine", "claim", "company", "division"]


def test_parts_without_a_manifest_go(tmp_path):
    """Parts in place are no snapshot until the manifest stands: a run that ends before leaves none, special or not."""
    staging = staged(tmp_path)
    staging.seal_parts()
    assert len(in_place(tmp_path)) == 6
    staging.abandon()
    assert in_place(tmp_path) == []


def test_a_resource_without_a_row_has_no_part_and_all_its_columns(tmp_path):
    """Nothing is written for it; the manifest still says what its columns are and that it has no element."""
    staging = staging_of(tmp_path, 23)
    add(staging, "company", [{"companyId": "1"}])
    add(staging, "claim", [])
    sealed = staging.seal_parts()
    assert [(one.name, one.rows, len(one.parts)) for one in sealed] == [
        ("company", 1, 1),
        ("division", 0, 0),
        ("claim", 0, 0),
    ]
    assert [name for name, _ in sealed[2].columns] == snapshot_schema(CATALOGUE["claim"]).names
    assert set(dict(sealed[2].elements).values()) == {0}
    assert in_place(tmp_path) == ["company"]


def test_what_is_staged_can_be_read_before_the_end(tmp_path):
    """Files are closed to be looked at; what comes later stands in a further part, and all of it is sealed."""
    staging = staging_of(tmp_path, 23)
    add(staging, "claim", [claim(1)])
    (first,) = staging.written("claim")
    assert pq.read_table(first).column("id").to_pylist() == ["1"]
    assert staging.written("claim") == (first,)
    assert staging.written("division") == ()
    add(staging, "claim", [claim(2), claim(3)], ordinal=1)
    add(staging, "claim", [claim(4)], ordinal=2)
    assert [pq.read_table(path).column("id").to_pylist() for path in staging.written("claim")] == [
        ["1"],
        ["2", "3", "4"],
    ]
    sealed = {one.name: one for one in staging.seal_parts()}
    assert [part.rows for part in sealed["claim"].parts] == [1, 3]
    assert sealed["claim"].rows == dict(sealed["claim"].elements)["claim_currency_total"] == 4
    assert sealed["claim"].totals == staging.page_totals()


def test_page_proofs_and_deletions_come_back_as_they_were_given(tmp_path):
    """The special parts hold every value, in order, also when written in several steps."""
    staging = staging_of(tmp_path, 23)
    proofs = [proof(number=number) for number in range(1, 10_003)]
    staging.add_pages_proof(proofs[:5])
    (some,) = staging.pages_written()
    assert list(read_pages([some], staging.run_id)) == proofs[:5]
    staging.add_pages_proof(proofs[5:])
    deletions = (deletion("3"), deletion("4"))
    staging.add_deleted(deletions)
    sealed = {one.name: [tmp_path / part.path for part in one.parts] for one in staging.seal_parts()}
    assert list(read_pages(sealed["_pages"], staging.run_id)) == proofs
    assert read_deleted(sealed["_deleted"], staging.run_id) == deletions
    assert read_deleted(sealed["_deleted"], "another run") == ()


def test_what_did_not_fit_comes_back_as_sent(tmp_path):
    """A record in quarantine keeps its bytes, its place, its time and its fingerprint: it can be tried again."""
    staging = staged(tmp_path)
    kept = staging.quarantined()
    (sealed,) = [one for one in staging.seal_parts() if one.name == "_quarantine"]
    files = [tmp_path / part.path for part in sealed.parts]
    assert read_quarantine(files, staging.run_id) == kept
    assert (kept[0].raw, kept[0].fetched_at, kept[0].context) == (MISFIT, AT, (("companyId", "1"),))
    assert pq.read_table(files[0]).column("fingerprint").to_pylist() == [fingerprint(MISFIT)]


def test_every_renamed_file_is_synced_before_and_its_folder_after(tmp_path, monkeypatch):
    """What a power loss could undo: each part and the manifest are on the disk before their new name, and the name after."""
    staging = staged(tmp_path)
    staging.close()
    steps: list[tuple[str, Path]] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor):
        real_fsync(descriptor)
        steps.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))

    def rename(source, target):
        real_rename(source, target)
        steps.append(("rename", Path(source)))
        steps.append(("named", Path(target)))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    parts = [*staging.root.rglob("*.parquet"), staging.root / "_quarantine" / "part-00000.parquet"]
    sealed = staging.seal_parts()
    seal(tmp_path, staging.run_id, {}, sealed, accepted=True)
    renamed = [path for what, path in steps if what == "rename"]
    assert len(parts) == 6
    assert sorted(renamed[:-1]) == sorted(part.parent for part in parts)
    assert renamed[-1].name == ".manifest.json.part"
    for place, (what, path) in enumerate(steps):
        before = {one for kind, one in steps[:place] if kind == "sync"}
        if what == "rename":
            files = [part for part in parts if part.parent == path] or [path]
            assert set(files) <= before, path
        if what == "named":
            assert ("sync", path.parent) in steps[place:], path
    last_part = max(
        place for place, (what, path) in enumerate(steps) if what == "named" and path.name.startswith("run=")
    )
    assert steps.index(("rename", renamed[-1])) > last_part


# ---- manifests ------------------------------------------------------------------------------------------------------


def rewritten(data_dir: Path, night: int, **changes: object) -> None:
    """A manifest with other content and a right hash of its own: what only the chain can notice."""
    path = data_dir / "runs" / run_id(night) / "manifest.json"
    document = {**json.loads(path.read_bytes()), **changes}
    document["sha256"] = document_hash(document)
    path.unlink()
    path.write_text(json.dumps(document))


def test_a_manifest_says_what_its_parts_are(tmp_path):
    """Format, run, base, verdict, columns with types, and each file with its rows, size and hash."""
    sealed_night(tmp_path, 1, [claim(1)])
    sealed_night(tmp_path, 2, [claim(1), claim(2)], base=1, accepted=False, full=False)
    first, second = (manifest_of(tmp_path, run_id(night)) for night in (1, 2))
    assert (first["format"], first["base"], first["accepted"], first["previous"]) == (2, None, True, None)
    assert (second["base"], second["accepted"]) == (run_id(1), False)
    assert second["previous"] == {"run_id": run_id(1), "sha256": first["sha256"]}
    assert second["schema"]["claim"]["_fingerprint"] == "int64"
    assert list(second["schema"]) == [*NAMES, "_pages"]
    (part,) = second["parts"]["claim"]["files"]
    assert part["rows"] == second["parts"]["claim"]["rows"] == 2
    assert part["size_bytes"] == (tmp_path / part["path"]).stat().st_size


def test_the_chain_of_accepted_runs_leaves_out_what_was_refused(tmp_path):
    """From the newest accepted run back through what each builds on, oldest first."""
    assert accepted_runs(tmp_path) == ()
    assert newest_accepted(tmp_path) is None
    sealed_night(tmp_path, 1, [claim(1)])
    sealed_night(tmp_path, 2, [claim(2)])
    sealed_night(tmp_path, 3, [claim(3)], base=2, full=False)
    sealed_night(tmp_path, 4, [claim(4)], base=3, accepted=False)
    sealed_night(tmp_path, 5, [claim(5)], base=3, full=False)
    sealed_night(tmp_path, 6, [], base=5, accepted=False)
    assert [one["run_id"] for one in accepted_runs(tmp_path)] == [run_id(2), run_id(3), run_id(5)]
    assert newest_accepted(tmp_path)["run_id"] == run_id(5)
    assert sealed_runs(tmp_path) == tuple(run_id(night) for night in range(1, 7))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda d: rewritten(d, 2, site="another"), "with another hash"),
        (lambda d: rewritten(d, 1, accepted=False), "with another hash"),
        (lambda d: (d / "runs" / run_id(2) / "manifest.json").unlink(), "that is not there"),
        (lambda d: (d / "runs" / run_id(1) / "manifest.json").unlink(), "that is not there"),
        (lambda d: rewritten(d, 3, base=run_id(2)), "a run that was not accepted"),
        (lambda d: rewritten(d, 3, base="20260101T020000Z"), "that is not there"),
        (lambda d: rewritten(d, 2, run_id=run_id(1)), "under another run's name"),
    ],
    ids=["changed", "verdict", "gone", "first-gone", "on-refused", "on-nothing", "renamed"],
)
def test_a_broken_chain_is_noticed(tmp_path, what, said):
    """A manifest that was changed with care, or taken away, on whose way something accepted stands, is exit 40."""
    sealed_night(tmp_path, 1, [claim(1)])
    sealed_night(tmp_path, 2, [claim(2)], base=1, accepted=False)
    sealed_night(tmp_path, 3, [claim(3)], base=1)
    assert len(accepted_runs(tmp_path)) == 2
    what(tmp_path)
    with pytest.raises(StoredDataDamaged, match=said):
        accepted_runs(tmp_path)


def test_an_older_manifest_is_read_and_not_built_upon(tmp_path):
    """What version 0.1.0 left is verified and left as it is; the next run stands for itself."""
    sealed_night(tmp_path, 1, [claim(1)])
    rewritten(tmp_path, 1, format=1)
    assert is_older(manifest_of(tmp_path, run_id(1)))
    assert newest_accepted(tmp_path) is None
    assert accepted_runs(tmp_path) == ()
    sealed_night(tmp_path, 2, [claim(2)])
    assert [one["run_id"] for one in accepted_runs(tmp_path)] == [run_id(2)]
    assert manifest_of(tmp_path, run_id(2))["previous"]["run_id"] == run_id(1)


def test_a_newer_manifest_is_refused_untouched(tmp_path):
    """Exit 60 names both formats, also when the newer one hashes in another way; not a byte is changed."""
    sealed_night(tmp_path, 1, [claim(1)])
    path = tmp_path / "runs" / run_id(1) / "manifest.json"
    content = path.read_bytes().replace(b'"format": 2', b'"format": 3')
    path.unlink()
    path.write_bytes(content)
    for look in (lambda: read_manifest(path), lambda: newest_accepted(tmp_path), lambda: accepted_runs(tmp_path)):
        with pytest.raises(VersionMismatch, match="manifest format 3, this program reads up to 2"):
            look()
    with pytest.raises(VersionMismatch):
        seal(tmp_path, run_id(2), facts(), (), accepted=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("format_", [0, "2", None, True, 1.5, []], ids=str)
def test_a_manifest_of_no_format_is_damaged(tmp_path, format_):
    """What no version ever wrote is not read as anything."""
    sealed_night(tmp_path, 1, [claim(1)])
    rewritten(tmp_path, 1, format=format_)
    with pytest.raises(StoredDataDamaged):
        manifest_of(tmp_path, run_id(1))


# ---- rewrites -------------------------------------------------------------------------------------------------------


def test_rows_are_found_where_rewrites_put_them(tmp_path):
    """A run's rows are followed through every rewrite, into files that several runs share, or to their end."""
    for night in (1, 2, 3):
        sealed_night(tmp_path, night, [claim(1)] * night, base=night - 1 or None)
    manifests = [manifest_of(tmp_path, run_id(night)) for night in (1, 2, 3)]
    old = [one["parts"]["claim"]["files"][0] for one in manifests]

    def moved(number: int, runs: dict[str, int], parts: list[dict]) -> dict:
        path = f"snapshots/claim/rewrite={number:05}/part-00000.parquet"
        target = tmp_path / path
        target.parent.mkdir()
        pq.write_table(pa.concat_tables([pq.read_table(tmp_path / one["path"]) for one in parts]), target)
        target.chmod(0o440)
        rows = sum(runs.values())
        new = {"path": path, "size_bytes": target.stat().st_size, "sha256": sha256_of(target), "rows": rows}
        replaced = [{"path": one["path"], "sha256": one["sha256"], "into": path} for one in parts]
        record_rewrite(tmp_path, {"reason": "test", "replaced": replaced, "files": [{**new, "runs": runs}]})
        return new

    first = moved(1, {run_id(1): 1, run_id(2): 2}, old[:2])
    second = moved(2, {run_id(1): 1, run_id(2): 2, run_id(3): 3}, [first, old[2]])
    for night, manifest in enumerate(manifests, 1):
        (part,) = parts_of(tmp_path, manifest)["claim"]
        assert (part.path, part.rows, part.is_shared) == (second["path"], night, True)
        assert parts_of(tmp_path, manifest)["company"][0].path == manifest["parts"]["company"]["files"][0]["path"]
    assert len(remove_left_over(tmp_path, rewrites(tmp_path))) == 4
    assert verify(tmp_path, CATALOGUE).findings == ()
    record_rewrite(
        tmp_path,
        {
            "reason": "test",
            "replaced": [{"path": second["path"], "sha256": second["sha256"], "into": None}],
            "files": [],
        },
    )
    assert parts_of(tmp_path, manifests[0])["claim"] == ()
    assert [path.name for path in remove_left_over(tmp_path, rewrites(tmp_path))] == ["part-00000.parquet"]
    assert verify(tmp_path, CATALOGUE).findings == ()


@pytest.mark.parametrize("harm", ["gone", "changed", "doubled"])
def test_a_gap_in_the_rewrites_is_noticed(tmp_path, harm):
    """A document that is missing, changed or repeated is exit 40: without it nobody knows where rows lie."""
    for _ in range(3):
        record_rewrite(tmp_path, {"reason": "test", "replaced": [], "files": []})
    second = tmp_path / "rewrites" / "00002.json"
    content = second.read_bytes()
    second.unlink()
    if harm == "changed":
        second.write_bytes(content.replace(b"test", b"tess"))
    if harm == "doubled":
        second.write_bytes((tmp_path / "rewrites" / "00003.json").read_bytes())
    with pytest.raises(StoredDataDamaged, match="rewritten parts"):
        rewrites(tmp_path)
    assert verify(tmp_path, CATALOGUE).findings
