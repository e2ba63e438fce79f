"""A month of nights as they come, good and bad, by the real command in one process; `make soak` lives a year."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from year import age_on, year


@pytest.mark.slow
def test_a_month_of_nights(authority: Path):
    """Each night ends as it must, people hear of each failure and recovery once, no file stays open, the disk is bounded.

    At its end the page tells how old its data is, once nights have not come.
    """
    with year(authority, seed=1) as lived:
        lived.live(30, share=0.6)
        assert lived.wrong == []
        assert len(lived.codes) >= 30
        assert len(set(lived.codes)) >= 6
        assert {seen.open_files for seen in lived.seen} == {lived.seen[0].open_files}
        lived.scene.set("report", marts="true")
        assert lived.run("run").code == 0
        lived.ahead += timedelta(days=3, hours=1)
        assert age_on(lived.page()) == "3 days old when written"
