"""Every fault of the sandbox against a whole run: the exit code, the four lines, and never a wrong body published.

The table is the sandbox's own: a new scenario without an expectation here fails.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from published import contents
from sandbox_site import TOKEN_VARIABLE, site_of
from session_world import Jumping, let_sockets_go

from pipeline import nightly
from pipeline.errors import PipelineError
from pipeline.sandbox import SandboxSettings, in_thread
from pipeline.sandbox.faults import SCENARIOS, plan


@dataclass(frozen=True)
class Expected:
    """How a run ends under one fault.

    Args:
        code: the exit code; 0 is published, complete and equal to the books.
        what: what the first line must hold.
        fault: keys for the scenario.
        api: settings.
        is_less: records are hidden as a lost permission hides them: a first night has nothing to compare with.
    """

    code: int
    what: str = ""
    fault: str = ""
    api: dict[str, object] = field(default_factory=dict)
    is_less: bool = False


ONCE = "path=/beta/company/,attempts=1"  # each page fails the first time it is asked
QUICK = {"read_timeout_s": 0.5, "request_timeout_s": 1.0, "connect_timeout_s": 0.5, "attempts": 2}

EXPECTED = {
    "latency": Expected(0, fault="seconds=0.05,share=0.1"),
    "latency-growing": Expected(0, fault="seconds=0.01,step=0.01,most=0.1,share=0.2"),
    "latency-jittered": Expected(0, fault="most=0.05,share=0.2"),
    "slow-body": Expected(20, "did not answer in time", "path=/beta/company/1/claim", QUICK),
    "silence": Expected(20, "did not answer in time", "path=/beta/company/1/claim", QUICK),
    "server-error": Expected(0, fault=f"status=drawn,{ONCE}"),
    "request-timeout": Expected(0, fault=ONCE),
    "rate-limit": Expected(0, fault="after=3,times=5"),
    "rate-limit-date": Expected(0, fault="after=3,times=5"),
    "rate-limit-past": Expected(0, fault=ONCE),
    "rate-limit-absurd": Expected(0, fault="times=3"),
    "rate-limit-bare": Expected(0, fault="times=3"),
    "reset": Expected(0, fault=f"at=drawn,{ONCE}"),
    "cut-body": Expected(0, fault=f"at=drawn,{ONCE}"),
    "cut-chunks": Expected(0, fault=f"at=drawn,{ONCE}"),
    "cut-gzip": Expected(0, fault=f"at=drawn,{ONCE}"),
    "length-too-long": Expected(0, fault=ONCE),
    "length-too-short": Expected(21, "not valid HTTP", "path=/beta/company/1/claim"),
    "two-lengths": Expected(21, "not valid HTTP", "path=/beta/company/1/claim"),
    "unframed-body": Expected(21, "unframed", "path=/beta/company/1/claim"),
    "empty-body": Expected(21, "empty", "path=/beta/company/1/claim"),
    "html": Expected(21, "text/html", "path=/beta/company/1/claim"),
    "invalid-utf8": Expected(21, "UTF-8", "path=/beta/company/1/claim"),
    "duplicate-names": Expected(41, "did not pass", "resource=claim"),
    "nan": Expected(21, "not JSON", "path=/beta/company/1/claim"),
    "deep-nesting": Expected(21, "nest", "path=/beta/company/1/claim"),
    "endless-pages": Expected(21, "empty", "records=none,path=/beta/company/1/claim"),
    "repeated-cursor": Expected(21, "cursor", "resource=claim"),
    "cyclic-cursors": Expected(21, "cursor", "resource=claim,length=1"),
    "expired-cursor": Expected(21, "gave up the walk's cursor on each of 3 tries", "resource=claim"),
    "redirect-foreign": Expected(22, "another origin", "path=/beta/company/1/claim"),
    "redirect-plain": Expected(22, "another origin", "path=/beta/company/1/claim"),
    "next-foreign": Expected(22, "an address where a cursor belongs", "resource=claim"),
    "next-plain": Expected(22, "an address where a cursor belongs", "resource=claim"),
    "other-tenant": Expected(21, "belongs to another parent", "resource=claim"),
    "shrunken-list": Expected(0, fault="resource=claim", is_less=True),
    "misplaced-records": Expected(0, fault="resource=claim"),
    "revoked-token": Expected(11, "refused the token (401)", "resource=claim"),
    "huge-body": Expected(22, "larger than", "path=/beta/company/1/claim", {"max_body_mb": 1}),
    "gzip-bomb": Expected(22, "an answer", "path=/beta/company/1/claim", {"max_body_mb": 8}),
    "mix": Expected(0),
    "tls-reset": Expected(0, fault="nth=1"),
    "tls-stall": Expected(0, fault="nth=1", api={"connect_timeout_s": 0.5, "request_timeout_s": 2.0}),
    "tls-plain": Expected(22, "no secure connection"),
    "tls-old": Expected(22, "no secure connection"),
    "tls-wrong-name": Expected(22, "not trusted"),
    "tls-expired": Expected(22, "not trusted"),
    "tls-self-signed": Expected(22, "not trusted"),
}


def test_every_scenario_has_an_expectation():
    """A fault that the sandbox learns is expected here, or this fails."""
    assert set(EXPECTED) == set(SCENARIOS)


@pytest.fixture(scope="module")
def sound(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counter]:
    """What a night without faults publishes from the same books."""
    data_dir = tmp_path_factory.mktemp("sound") / "data"
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        nightly.run(site_of(running, data_dir, marts=True, page_limit=20), environ={TOKEN_VARIABLE: running.token})
    return contents(data_dir)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_ends_as_expected_and_never_in_wrong_data(sandbox, sound, tmp_path, name):
    """Published means every value of the books; all else has its exit code and four lines, and publishes nothing."""
    expected = EXPECTED[name]
    data_dir = tmp_path / "data"
    settings = site_of(sandbox, data_dir, marts=True, page_limit=20, **expected.api)
    sandbox.faults(plan(f"{name}:{expected.fault}" if expected.fault else name, seed=7))
    code, lines = 0, {}
    try:
        nightly.run(settings, environ={TOKEN_VARIABLE: sandbox.token}, world=Jumping(seed=7).world())
    except PipelineError as error:
        code, lines = error.exit_code, dict(error.lines())
    finally:
        if expected.api:
            let_sockets_go()
    assert code == expected.code, lines
    assert (data_dir / "warehouse.duckdb").is_symlink() == (code == 0)
    if code == 0:
        assert sandbox.journal.counts.faults[name] > 0
        found = contents(data_dir)
        assert all(found[table] <= sound[table] for table in sound)
        assert (found == sound) is not expected.is_less
        return
    assert list(lines) == ["WHAT", "WHERE", "STATE", "DO"]
    assert expected.what in lines["WHAT"]
    assert all(0 < len(line) <= 400 for line in lines.values())
    assert "nothing published" in lines["STATE"]
    assert sandbox.token not in str(lines)
