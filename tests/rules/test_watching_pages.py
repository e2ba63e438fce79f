"""What can be watched is an enumeration, and its pages list all of it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

from pipeline.model import Event, NotLogged, PageRead
from pipeline.ops.event_log import LEVELS, name_of
from pipeline.watching.prometheus import METRICS

ROOT = Path(__file__).parents[2]
KINDS = get_args(Event)


def rows_of(page: str) -> dict[str, list[str]]:
    """The table rows of a page whose first cell is a name, by that name."""
    cells = [line.strip("| ").split(" | ") for line in (ROOT / "docs" / page).read_text().splitlines()]
    return {found[1]: rest for first, *rest in cells if (found := re.fullmatch(r"`(\w+)`", first))}


def test_every_event_stands_in_the_page_of_the_log_with_its_level_and_fields():
    """Each once, by the name that the log gives it, and no event that there is not."""
    told = {name: rest for name, rest in rows_of("logs.md").items() if len(rest) == 3}
    assert set(told) == {name_of(kind) for kind in KINDS}
    for kind in KINDS:
        _, level, fields = told[name_of(kind)]
        assert level.startswith(LEVELS[kind])
        if kind is not PageRead:  # which is summed
            assert set(re.findall(r"`(\w+)`", fields)) >= {one.name for one in dataclasses.fields(kind)}, kind


def test_every_metric_stands_in_the_page_of_watching():
    """Under its full name, and no metric that there is not."""
    told = {name.removeprefix("prospend_") for name in rows_of("watching.md") if name.startswith("prospend_")}
    assert told == set(METRICS)


def test_every_event_has_a_level():
    """An event that is new has to say how much it matters."""
    assert LEVELS.keys() == set(KINDS)
    assert NotLogged in LEVELS
