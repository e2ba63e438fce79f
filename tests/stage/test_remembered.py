"""What a run remembers of a source for the next: bounded, forgotten in time, and never a reason to fail."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_site import TOKEN_VARIABLE, site_of
from session_world import Jumping

from pipeline import nightly
from pipeline.errors import PipelineError
from pipeline.ops.remembered import Alone, Remembered, file_of, recall, remember
from pipeline.sandbox import SandboxSettings, in_thread
from pipeline.sandbox.faults import plan
from pipeline.sandbox.variants import Variants

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
KNOWN = Remembered(
    window=5,
    page_limit=200,
    limit_found_at=NOW - timedelta(days=3),
    alone={"claim": Alone("change times go back", NOW - timedelta(days=1))},
)


def test_what_was_learnt_is_found(tmp_path):
    """By the next run of the same site, and of no other; readable by the group, writable by the owner."""
    remember(tmp_path, "my site", KNOWN, NOW)
    assert recall(tmp_path, "my site", NOW + timedelta(days=1), most=16) == KNOWN
    assert recall(tmp_path, "other", NOW, most=16) == Remembered()
    assert file_of(tmp_path, "my site").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file_of(tmp_path, "my site").parent.iterdir()] == ["my site.json"]


@pytest.mark.parametrize(("most", "window"), [(16, 5), (5, 5), (3, 3), (1, 1)])
def test_a_window_is_never_above_the_setting(tmp_path, most, window):
    """A setting lowered meanwhile counts."""
    remember(tmp_path, "s", KNOWN, NOW)
    assert recall(tmp_path, "s", NOW, most=most).window == window


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (7, KNOWN),
        (7.1, replace(KNOWN, window=None)),
        (27, replace(KNOWN, window=None)),
        (27.1, Remembered(alone=KNOWN.alone)),
        (29.1, Remembered()),
        (-0.1, replace(KNOWN, window=None)),
        (-3.1, Remembered()),
    ],
)
def test_all_is_forgotten_in_time(tmp_path, days, expected):
    """A window after 7 days, what else was found after 30; also what a wrong clock wrote in the future."""
    remember(tmp_path, "s", KNOWN, NOW)
    assert recall(tmp_path, "s", NOW + timedelta(days=days), most=16) == expected


GOOD = {
    "format": 2,
    "saved_at": NOW.isoformat(),
    "window": 5,
    "page_limit": 200,
    "limit_found_at": NOW.isoformat(),
    "alone": {"claim": {"why": "change times go back", "found_at": NOW.isoformat()}},
}
BAD = {
    "empty": b"",
    "not JSON": b"\x00\xff",
    "cut": json.dumps(GOOD).encode()[:-20],
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 4000,
    "endless": json.dumps(GOOD).encode()[:-1] + b" " * 70_000 + b"}",
    **{
        f"{name} = {value!r}": json.dumps({**GOOD, name: value}).encode()
        for name, value in [
            ("format", 1), ("format", None), ("window", 0), ("window", -1), ("window", 257), ("window", True),
            ("window", 5.0), ("window", "5"), ("window", 10**30), ("page_limit", 0), ("page_limit", 100_001),
            ("page_limit", float("nan")), ("saved_at", "yesterday"), ("saved_at", 5), ("saved_at", "2026-11-26T03:00:00"),
            ("limit_found_at", {}), ("alone", []), ("alone", {"claim": 1}), ("alone", {"claim": {"why": "x"}}),
            ("alone", {"claim": {"found_at": NOW.isoformat()}}), ("alone", {"claim": {"why": 1, "found_at": "x"}}),
        ]
    },
    **{f"no {name}": json.dumps({k: v for k, v in GOOD.items() if k != name}).encode() for name in GOOD},
}  # fmt: skip


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_damaged_file_is_as_none(tmp_path, content):
    """Nothing of it is believed."""
    path = file_of(tmp_path, "s")
    path.parent.mkdir(parents=True)
    path.write_bytes(json.dumps(GOOD).encode())
    assert recall(tmp_path, "s", NOW, most=16).window == 5
    path.write_bytes(content)
    assert recall(tmp_path, "s", NOW, most=16) == Remembered()


@given(content=st.binary(max_size=300))
def test_no_content_is_an_error(tmp_path_factory, content):
    """Whatever stands there."""
    folder = tmp_path_factory.mktemp("any")
    path = file_of(folder, "s")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert recall(folder, "s", NOW, most=16) == Remembered()


def test_what_is_no_file_is_as_none(tmp_path):
    """A folder, a link that leads elsewhere, a pipe that would wait for ever."""
    path = file_of(tmp_path, "s")
    path.mkdir(parents=True)
    remember(tmp_path, "s", KNOWN, NOW)
    assert recall(tmp_path, "s", NOW, most=16) == Remembered()
    path.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps(GOOD))
    path.symlink_to(elsewhere)
    assert recall(tmp_path, "s", NOW, most=16) == Remembered()
    remember(tmp_path, "s", KNOWN, NOW)
    assert json.loads(elsewhere.read_text()) == GOOD
    path.unlink()
    os.mkfifo(path)
    assert recall(tmp_path, "s", NOW, most=16) == Remembered()


def test_what_cannot_be_written_is_not(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "state").write_text("")
    remember(tmp_path, "s", KNOWN, NOW)
    assert (tmp_path / "state").read_text() == ""


# ---- over whole runs --------------------------------------------------------------------------------------------------


def night(running, data_dir, ahead_days: float = 0, **api: object) -> None:
    world = Jumping(ahead=timedelta(days=ahead_days)).world()
    nightly.run(site_of(running, data_dir, **api), environ={TOKEN_VARIABLE: running.token}, world=world)


def remembered(data_dir) -> dict[str, object]:
    (path,) = (data_dir / "state" / "pace").iterdir()
    return json.loads(path.read_text())


def test_a_refused_page_size_is_not_asked_for_again_each_night(authority, tmp_path):
    """The first night finds 200 by two refused calls; the second asks for no more. A damaged memory costs the calls."""
    sandbox_settings = SandboxSettings(
        state_dir=authority, claims=20, page_cap=200, variants=Variants(over_cap="refuse")
    )
    with in_thread(sandbox_settings) as running:
        refusals = []
        for damage in (False, False, True):
            if damage:
                file_of(tmp_path, "test").write_bytes(b"\xff")
            running.journal.clear()
            night(running, tmp_path)
            refusals.append(running.journal.counts.statuses.get(400, 0))
            assert remembered(tmp_path)["page_limit"] == 200
    assert refusals[0] >= 2
    assert refusals[1] == 0
    assert refusals[2] >= 2


def test_a_fixed_page_size_teaches_nothing(sandbox, tmp_path):
    """It is the user's, not the source's."""
    night(sandbox, tmp_path, page_limit=50)
    assert remembered(tmp_path)["page_limit"] is None


def test_a_strained_source_is_met_gently_the_next_night(sandbox, tmp_path):
    """A night that ends in limits leaves a small window, also when it failed; a calm one lets it grow and forgets it."""
    sandbox.faults(plan("rate-limit:after=1"))
    with pytest.raises(PipelineError):
        night(sandbox, tmp_path, attempts=3)
    window = remembered(tmp_path)["window"]
    assert 1 <= window < 16
    sandbox.faults()
    night(sandbox, tmp_path)
    assert remembered(tmp_path)["window"] is None


@pytest.mark.parametrize(("remembered_window", "left"), [(None, 8), (3, 1), (200, 8)])
def test_a_night_begins_with_the_window_remembered(sandbox, tmp_path, remembered_window, left):
    """One refusal halves what it began with: sixteen of the setting, or fewer of the last night."""
    remember(tmp_path, "test", Remembered(window=remembered_window), datetime.now(UTC))
    sandbox.faults(plan("rate-limit:after=1"))
    with pytest.raises(PipelineError):
        night(sandbox, tmp_path, attempts=1)
    assert remembered(tmp_path)["window"] == left
