"""What one night learns of a site's source that the next need not learn again.

How many requests at once, how large a page, which lists cannot be shared by walkers.

A small file a site. It makes nothing right or wrong, only quicker and quieter: one that is missing, damaged, too old or
from another version is as if there were none, and one that cannot be written is not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.durable import make_folder, write_sealed
from pipeline.errors import PipelineError

WINDOW_KEPT_FOR = timedelta(days=7)
LIMIT_KEPT_FOR = timedelta(days=30)
ALONE_KEPT_FOR = timedelta(days=30)
_FORMAT = 2
_MODE = 0o640
_LARGEST_BYTES = 65_536
_GREATEST_WINDOW, _GREATEST_LIMIT = 256, 100_000  # of the settings


@dataclass(frozen=True, slots=True)
class Alone:
    """Why one walker must read a list, and when that was found."""

    why: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a source at the start of a run; None where nothing is, or no longer.

    `window` is how many requests may be under way, if that is fewer than the setting; `page_limit` the greatest page
    accepted, found at `limit_found_at` by trying from the top. `alone` are lists, by resource, for one walker.
    """

    window: int | None = None
    page_limit: int | None = None
    limit_found_at: datetime | None = None
    alone: Mapping[str, Alone] = field(default_factory=dict)


def file_of(data_dir: Path, site: str) -> Path:
    """Where it stands. A site's name is checked to be a plain file name."""
    return data_dir / "state" / "pace" / f"{site}.json"


def recall(data_dir: Path, site: str, now: datetime, *, most: int) -> Remembered:
    """What the last runs learnt and is still worth knowing; never more at once than `most`."""
    try:
        descriptor = os.open(file_of(data_dir, site), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read(_LARGEST_BYTES))
        if found["format"] != _FORMAT:
            return Remembered()
        window = _whole(found["window"], _GREATEST_WINDOW)
        limit = _whole(found["page_limit"], _GREATEST_LIMIT)
        alone = {
            str(name): Alone(str(one["why"])[:200], datetime.fromisoformat(one["found_at"]))
            for name, one in found["alone"].items()
            if _is_within(one["found_at"], now, ALONE_KEPT_FOR)
        }
        is_window_fresh = _is_within(found["saved_at"], now, WINDOW_KEPT_FOR)
        is_limit_fresh = _is_within(found["limit_found_at"], now, LIMIT_KEPT_FOR)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Remembered()
    return Remembered(
        window=min(window, most) if window is not None and is_window_fresh else None,
        page_limit=limit if is_limit_fresh else None,
        limit_found_at=datetime.fromisoformat(found["limit_found_at"]) if limit and is_limit_fresh else None,
        alone=alone,
    )


def remember(data_dir: Path, site: str, learnt: Remembered, now: datetime) -> None:
    """The next run finds it, if it can be written; a run does not fail over it."""
    document = {
        "format": _FORMAT,
        "saved_at": now.isoformat(),
        "window": learnt.window,
        "page_limit": learnt.page_limit,
        "limit_found_at": learnt.limit_found_at.isoformat() if learnt.limit_found_at else None,
        "alone": {
            name: {"why": one.why, "found_at": one.found_at.isoformat()} for name, one in sorted(learnt.alone.items())
        },
    }
    path = file_of(data_dir, site)
    with suppress(OSError, PipelineError):
        make_folder(path.parent)
        write_sealed(path, json.dumps(document).encode(), mode=_MODE)


def _whole(value: object, most: int) -> int | None:
    """A whole number from 1, or None.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError
    return value


def _is_within(moment: object, now: datetime, age: timedelta) -> bool:
    """Whether it lies that near in the past; a date in the future is a clock that was wrong."""
    return moment is not None and timedelta() <= now - datetime.fromisoformat(str(moment)) <= age
