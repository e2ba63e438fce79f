"""Erasures that are killed at every single step."""

from __future__ import annotations

from pathlib import Path

import pytest
from forgetting import outlives_kills


@pytest.mark.slow
def test_a_kill_at_every_step_and_the_same_call_again(earlier_night: Path, tmp_path: Path):
    """Whatever it was about to do: readers have a whole warehouse, and the same call ends what was begun."""
    outlives_kills(earlier_night, tmp_path, trials=None)
