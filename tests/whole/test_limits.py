"""A source that limits us, by the real command: what is waited for, what is not, and when to come back."""

from __future__ import annotations

import pytest

from pipeline.sandbox import Reply
from pipeline.sandbox.faults import plan


def test_a_403_used_as_a_limit_is_waited_for(prospend, sandbox, site_file):
    """403 with Retry-After three times: the night waits, goes on, and is published."""
    sandbox.faults(plan("rate-limit:status=403,after=1,times=3"))
    done = prospend("run", "--quiet", "--config", site_file)
    assert done.code == 0, done.err
    assert sandbox.journal.counts.statuses[403] == 3


def test_a_403_that_asks_for_more_than_the_run_has_says_when_to_come_back(prospend, sandbox, site_file):
    """Exit 20 with the moment, not 12: nobody has to grant anything."""
    sandbox.faults(plan("rate-limit:status=403,after=7200"))
    done = prospend("run", "--quiet", "--config", site_file, PROSPEND__API__RUN_DEADLINE_S="3600")
    assert done.code == 20, done.err
    assert "403 as a limit" in done.lines["WHAT"]
    assert "run again at 20" in done.lines["DO"]
    assert sandbox.journal.counts.requests == 1


@pytest.mark.parametrize("headers", [(), (("X-RateLimit-Remaining", "7"),)])
def test_a_403_without_such_a_word_is_a_missing_permission(prospend, sandbox, site_file, headers):
    """Exit 12 after one call, also where other limits are told."""
    sandbox.answer_with("/beta/company", Reply(403, b"{}", (("Content-Type", "application/json"), *headers)))
    done = prospend("run", "--quiet", "--config", site_file)
    assert done.code == 12, done.err
    assert sandbox.journal.counts.requests == 1
