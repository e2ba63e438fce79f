"""Parts that no manifest seals, on a real disk."""

from __future__ import annotations

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
