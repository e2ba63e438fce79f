"""How old resources are against their targets, and how long the disk lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.warehouse import Freshness
from pipeline.watching.disk import growth_of, nights_until_full, size_of
from pipeline.watching.health import resource_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MB = 10**6


def fresh(read_hours_ago=1.0, changed_hours_ago=2.0, resource="claim"):
    read = None if read_hours_ago is None else NOW - timedelta(hours=read_hours_ago)
    changed = None if changed_hours_ago is None else NOW - timedelta(hours=changed_hours_ago)
    return Freshness(resource, 10, read, changed, 0)


@pytest.mark.parametrize(("hours", "is_late"), [(35.9, False), (36.1, True), (None, True)])
def test_a_resource_is_read_each_night(hours, is_late):
    """One that no run read for 36 hours missed a night; one that none has read at all is late, too."""
    assert resource_of(fresh(read_hours_ago=hours), NOW, None, ())["is_read_late"] is is_late


@pytest.mark.parametrize(
    ("resource", "target", "is_late"),
    [("claim", timedelta(days=14), False), ("claim", timedelta(hours=1), True), ("claim", None, None)],
)
def test_a_document_changes_as_often_as_the_site_says(resource, target, is_late):
    """Without a target nothing is late."""
    found = resource_of(fresh(resource=resource), NOW, target, {"claim"})
    assert found["is_change_late"] is is_late
    assert found["max_change_age_hours"] == (None if target is None else target.total_seconds() / 3600)


def test_the_target_is_about_documents():
    """Suppliers may stay as they are; what has no change times is not judged by them."""
    assert resource_of(fresh(resource="supplier"), NOW, timedelta(hours=1), {"claim"})["max_change_age_hours"] is None
    assert resource_of(fresh(changed_hours_ago=None), NOW, timedelta(hours=1), {"claim"})["is_change_late"] is None


def test_a_night_grows_the_disk_by_its_snapshots_and_by_every_file_that_is_kept():
    """The first night read everything and tells nothing of the next; each file is larger than the one it replaces."""
    assert growth_of([500 * MB, 2 * MB, 4 * MB], [103 * MB, 102 * MB, 101 * MB], 7) == (3 + 7) * MB
    assert growth_of([500 * MB, 2 * MB], [100 * MB, 101 * MB], 7) == 2 * MB, "a smaller file frees nothing for good"
    assert growth_of([500 * MB], [100 * MB], 7) is None


def test_files_that_are_still_to_come_take_their_room_first():
    """Two of three files are there: one more is made before any goes."""
    assert nights_until_full(1100 * MB, 10 * MB, [100 * MB, 99 * MB], 3) == 100
    assert nights_until_full(50 * MB, 10 * MB, [100 * MB, 99 * MB], 3) == 0
    assert nights_until_full(1000 * MB, 10 * MB, [100 * MB] * 3, 3) == 100
    assert nights_until_full(1000 * MB, None, [], 3) is None


def test_all_files_below_a_folder_are_counted_and_no_link_is_followed(tmp_path):
    """A link to a large folder elsewhere is not ours."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 1000)
    (tmp_path / "a" / "link").symlink_to("/usr")
    assert 1000 <= size_of(tmp_path / "a") < 1100
    assert size_of(tmp_path / "nowhere") == 0
