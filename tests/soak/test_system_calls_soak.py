"""Every call that changes files, with everything that can strike it."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import EVERYTHING, ground
from striking import WITH, all_points, strike_each
from tracing import IS_POSSIBLE


@pytest.mark.slow
@pytest.mark.skipif(not IS_POSSIBLE, reason="system calls are followed on Linux on x86-64 only")
@pytest.mark.parametrize("is_full", [True, False], ids=["full", "incremental"])
@pytest.mark.parametrize("with_what", WITH)
def test_a_strike_at_every_call_needs_no_repair(authority: Path, with_what: str, *, is_full: bool):
    """Killed, disk full, device broken or access refused at the n-th call of a night, for every n."""
    with ground(authority, api="concurrency = 1", report=EVERYTHING) as place:
        assert place.run().code == 0
        calls = place.run_traced(is_full=is_full).calls
        points = [one for one in all_points(calls) if one.with_what == with_what]
        struck = strike_each(place, points, seed=1, is_full=is_full)
    assert struck.wrong == []
    assert struck.count >= 0.98 * len(points)
