"""Parts that no manifest seals, on a real disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import LocalAccess
from pipeline.resources import read_catalogue
from pipeline.snapshot import Staging, seal, sweep


def staged(data_dir: Path) -> Staging:
    return Staging(data_dir, "20261123T020000Z", list(read_catalogue())[:3], compression="zstd")


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


def test_parts_with_a_manifest_stay(tmp_path):
    """What is sealed is never dropped, whatever the run comes to afterwards."""
    staging = staged(tmp_path)
    seal(tmp_path, staging.run_id, {}, staging.seal_parts())
    staging.abandon()
    assert len(list((tmp_path / "snapshots").glob("*/run=*/*.parquet"))) == 3


def test_every_renamed_file_is_synced_before_and_its_folder_after(tmp_path, monkeypatch):
    """What a power loss could undo: each part and the manifest are on the disk before their new name, and the name after."""
    staging = staged(tmp_path)
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
    parts = list(staging.root.rglob("*.parquet"))
    sealed = staging.seal_parts()
    seal(tmp_path, staging.run_id, {}, sealed)
    renamed = [path for what, path in steps if what == "rename"]
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
