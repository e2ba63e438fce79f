"""A few weeks of nights on moving books, from seeds; `make soak` lives many more."""

from __future__ import annotations

from pathlib import Path

import pytest
from histories import lived

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [3, 4])
def test_every_night_is_what_the_books_hold(authority: Path, seed: int):
    """Full or incremental, after failures and deaths: each published night equals the books, and stays in history."""
    life = lived(seed, 7, authority)
    assert life.found == []
    assert len(life.nights) == 7
