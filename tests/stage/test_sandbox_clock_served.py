"""The sandbox's clock over real sockets and in its folder: moved while it serves, from outside, kept, and guarded."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.clock import kept, remote

CLAIM = "/beta/company/1/claim"


def ask(running: Running, target: str, *, port_of: str = "", method: str = "GET", secret: str = "") -> tuple[int, dict]:
    """Status and body of one request, on the data port or another."""
    host, port = (port_of or running.base_url).removeprefix("https://").split(":")
    trusting = ssl.create_default_context(cafile=running.ca_file)
    connection = http.client.HTTPSConnection(host, int(port), context=trusting)
    connection.request(method, target, headers={"Authorization": f"Bearer {secret or running.token}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, json.loads(body) if body[:1] in (b"{", b"[") else {}


def walk(running: Running, path: str) -> list[dict]:
    found, cursor = [], ""
    while cursor is not None:
        status, body = ask(running, f"{path}?limit=100" + (f"&cursor={cursor}" if cursor else ""))
        assert status == 200
        found += body["page"]
        cursor = body["nextCursor"]
    return found


def moved_on(running: Running) -> str:
    """The whole list of claims as one fingerprint."""
    return hashlib.sha256(json.dumps(walk(running, CLAIM)).encode()).hexdigest()


def test_the_next_request_sees_an_advance(sandbox: Running):
    """In process: lists, keys and the oracle agree, and the events say what happened."""
    before = walk(sandbox, CLAIM)
    events = sandbox.advance(3)
    after = walk(sandbox, CLAIM)
    assert after != before
    assert [r["id"] for r in after] == [v.key for v in sandbox.as_of("claim", sandbox.clock.now) if v.context == ("1",)]
    born = next(e for e in events if e.name == "born" and e.resource == "claim")
    path = f"/beta/company/{born.context[0]}/claim/{born.key}"
    assert ask(sandbox, path)[1]["id"] == born.key
    lines = ask(sandbox, f"{path}/expense?includePersonal=true&includeOmitted=true&limit=100")[1]["page"]
    under = [v for v in sandbox.history("expense") if v.context == (*born.context, born.key)]
    assert {r["id"] for r in lines} == {v.key for v in under}
    assert [r["id"] for _, r in sandbox.records("claim", ("1",))] == [r["id"] for r in after]


def test_the_counters_see_new_and_changed_records(sandbox: Running):
    """Every record served counts; a key counts once, changed or not."""
    walk(sandbox, CLAIM)
    first = sandbox.journal.counts
    old_keys = {r["id"] for _, r in sandbox.records("claim", ("1",))}
    sandbox.advance(10)
    rows = walk(sandbox, CLAIM)
    counts = sandbox.journal.counts
    assert counts.records["claim"] == first.records["claim"] + len(rows)
    assert counts.keys["claim"] == len(old_keys | {r["id"] for r in rows})
    assert len(rows) > len(old_keys)


def test_the_admin_port_moves_the_clock_for_whoever_has_the_secret(tmp_path: Path):
    """No secret, a wrong one or an API token: 401 and nothing moves. Then it moves, and is kept."""
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=60)) as running:
        before = moved_on(running)
        admin = {"port_of": running.admin_url, "method": "POST"}
        for secret in ("", "x", running.token, "é"):
            given = secret.encode().decode("latin-1")
            assert ask(running, "/advance?days=1", secret=given, **admin)[0] == 401
        assert moved_on(running) == before
        secret = kept.admin_secret(tmp_path)
        for wrong in ("0", "-1", "x", "", "9999", "1e3", "99999999999"):
            assert ask(running, f"/advance?days={wrong}", secret=secret, **admin)[0] == 400
        assert ask(running, "/advance?days=1", port_of=running.admin_url, secret=secret)[0] == 405
        assert moved_on(running) == before
        status, told = ask(running, "/advance?days=2", secret=secret, **admin)
        assert (status, told["days"], told["now"]) == (200, 2, "2026-07-02T12:00:00+00:00")
        assert told["events"]["born"] >= 1
        assert moved_on(running) != before
    assert kept.kept_days(tmp_path) == 2


def test_a_restart_keeps_the_advanced_state(tmp_path: Path):
    """The same days are lived again, to the byte; an advance in process is forgotten unless it is to be kept."""
    settings = SandboxSettings(state_dir=tmp_path, claims=60)
    with in_thread(settings) as running:
        running.advance(4, keep=True)
        at_four = moved_on(running)
        running.advance(3)
        at_seven = moved_on(running)
    with in_thread(settings) as running:
        assert running.clock.days == 4
        assert moved_on(running) == at_four
        running.advance(3)
        assert moved_on(running) == at_seven != at_four


def test_the_first_sandbox_of_a_folder_decides_when_its_books_end(tmp_path: Path):
    """Moved books stay where they are: a later day would change every record of the past. The clock goes on from there."""
    moved = SandboxSettings(state_dir=tmp_path, claims=60, until=date(2026, 11, 26))
    with in_thread(moved) as running:
        assert running.clock.now == datetime(2026, 11, 24, 12, tzinfo=UTC)
        running.advance(2, keep=True)
        after = moved_on(running)
    for settings in (replace(moved, until=date(2027, 1, 31)), replace(moved, until=None)):
        with in_thread(settings) as running:
            assert running.clock.now == datetime(2026, 11, 26, 12, tzinfo=UTC)
            assert moved_on(running) == after


def test_from_outside_a_stopped_sandbox_moves_in_its_folder(tmp_path: Path):
    """No server: the folder remembers, and the next sandbox starts there."""
    assert remote.move(tmp_path, 2) == remote.Moved(days=2, by_server=False)
    assert remote.move(tmp_path, 3) == remote.Moved(days=5, by_server=False)
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=60)) as running:
        assert running.clock.days == 5
    with pytest.raises(ConfigError, match="no further"):
        remote.move(tmp_path, 4000)
    assert kept.kept_days(tmp_path) == 5


def test_a_server_that_died_without_a_word_is_no_obstacle(tmp_path: Path):
    """Nobody listens where the folder says: then it is stopped."""
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=60)) as running:
        was_at = running.admin_url
        assert kept.noted_server(tmp_path) == was_at
    assert kept.noted_server(tmp_path) is None
    kept.note_server(tmp_path, was_at)
    assert remote.move(tmp_path, 1) == remote.Moved(days=1, by_server=False)


def test_another_server_at_that_place_is_no_obstacle(tmp_path: Path):
    """Its certificate is not this folder's: it is not asked, and does not move."""
    with in_thread(SandboxSettings(state_dir=tmp_path / "other", claims=60)) as other:
        with in_thread(SandboxSettings(state_dir=tmp_path / "own", claims=60)):
            pass
        kept.note_server(tmp_path / "own", other.admin_url)
        assert remote.move(tmp_path / "own", 1) == remote.Moved(days=1, by_server=False)
        assert other.clock.days == 0


def test_a_refusal_of_the_server_is_told(tmp_path: Path):
    """In its own words, and the clock stands where it stood."""
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=60)) as running:
        with pytest.raises(ConfigError, match="the clock can move 1 to 4000 days"):
            remote.move(tmp_path, 4001)
        assert running.clock.days == 0


def test_a_damaged_clock_is_told_and_not_guessed(tmp_path: Path):
    """With what to do."""
    for text in ("", "{}", '{"days":"x"}', '{"days":1,"seed":2}'):
        (tmp_path / "clock.json").write_text(text)
        with pytest.raises(ConfigError, match="clock of the sandbox cannot be read"):
            kept.kept_days(tmp_path)


def test_the_command_moves_a_running_and_a_stopped_sandbox(tmp_path: Path, prospend):
    """`sandbox advance` finds the server through the folder."""
    state = tmp_path / "state"
    done = prospend("sandbox", "advance", "--days", 2, "--state", state)
    assert (done.code, done.out) == (0, "the books are 2 days on; no sandbox is running: the next one starts there\n")
    with in_thread(SandboxSettings(state_dir=state, claims=60)) as running:
        before = moved_on(running)
        done = prospend("sandbox", "advance", "--days", 3, "--state", state, "--json")
        assert (done.code, json.loads(done.out)) == (0, {"days": 5, "by_server": True})
        assert running.clock.days == 5
        assert moved_on(running) != before
    done = prospend("sandbox", "advance", "--state", state, "--json")
    assert json.loads(done.out) == {"days": 6, "by_server": False}
    done = prospend("sandbox", "advance", "--days", 5000, "--state", state)
    assert done.code == 10
    assert "no further" in done.lines["WHAT"]


def test_the_same_seed_lives_the_same_days_in_two_processes():
    """To the byte, whatever the hash seed: every version of every record."""
    program = """
import hashlib
from pipeline.resources import read_catalogue
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.data import make_books
clock = Clock(make_books(seed=8, claim_count=300), seed=8)
clock.advance(40)
found = hashlib.sha256()
for name in read_catalogue().names:
    for version in clock.history(name):
        found.update(repr((version.context, version.key, version.visible_from, version.visible_to)).encode())
        found.update(version.raw)
print(found.hexdigest(), len(clock.events))
"""
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(told) == 1
    assert int(told.pop().split()[1]) > 500
