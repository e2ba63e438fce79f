"""The renewal as the page and the command tell it, carried out against the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.sandbox import tokens

ROOT = Path(__file__).parents[2]


def with_prospend(home: Path) -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(home)}


def test_the_pages_commands_renew_a_token_of_the_sandbox(tmp_path):
    """As they stand there but for a free port: the new token is accepted, the old one is revoked, in that order."""
    script = (
        (ROOT / "docs" / "token-renewal.md").read_text().split("<!-- executed by a test -->\n```\n")[1].split("```")[0]
    )
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "data").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    settings = tmp_path / "configs" / "sandbox.toml"
    settings.write_text(settings.read_text().replace("8443", port))
    environ = with_prospend(tmp_path)
    serve = ["prospend", "sandbox", "serve", "--port", port, "--claims", "20", "--json"]
    server = subprocess.Popen(serve, cwd=tmp_path, env=environ, stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline()
        first = "(umask 077; prospend sandbox token new > data/sandbox-token)\n"
        done = subprocess.run(
            ["sh", "-e", "-c", first + script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
    finally:
        server.terminate()
        server.communicate()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accepted by ") == 2
    assert "To renew the token:" in done.stdout
    states = [one.state(datetime.now(UTC)) for one in tokens.listed(tmp_path / "data" / "sandbox")]
    assert states[-2:] == ["revoked", "active"]
    assert (tmp_path / "data" / "sandbox-token").stat().st_mode & 0o777 == 0o600


def test_the_commands_that_show_prints_work_as_they_stand(prospend, sandbox, site_file, tmp_path):
    """For a site with a token file: paste the new one, check it; then the old one can go, and the next run publishes."""
    old = tokens.new(sandbox.settings.state_dir, now=datetime.now(UTC) - tokens.VALIDITY + timedelta(days=3))
    place = site_file.with_name("token")
    place.write_text(old.text)
    place.chmod(0o600)
    document = json.loads(prospend("token", "show", "--json", "--config", site_file).out)
    assert document["id"] == old.entry.id
    store, check = (step["command"] for step in document["renewal"][2:4])
    new = tokens.new(sandbox.settings.state_dir, now=datetime.now(UTC))
    for command, typed in ((store, f"{new.text}\n"), (check, "")):
        done = subprocess.run(
            ["sh", "-c", command],
            input=typed,
            cwd=tmp_path,
            env=with_prospend(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert new.text not in done.stdout + done.stderr
    assert "accepted by " in done.stdout
    tokens.revoke(sandbox.settings.state_dir, old.entry.id, now=datetime.now(UTC))
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    assert json.loads(prospend("token", "show", "--json", "--config", site_file).out)["renewal"] is None


@pytest.mark.parametrize("content", [None, '"quoted"'])
def test_how_to_renew_is_told_without_a_token_too(prospend, site_file, content):
    """Whoever has none, or one that cannot be read, needs the steps most: the problem and the steps, exit 0."""
    place = site_file.with_name("token")
    if content is None:
        place.unlink()
    else:
        place.write_text(content)
    told = prospend("token", "show", "--renewal", "--config", site_file)
    assert told.code == 0, told.err
    assert told.out.startswith("problem    the token ")
    assert "install -m 600 /dev/stdin" in told.out
    document = json.loads(prospend("token", "show", "--renewal", "--json", "--config", site_file).out)
    assert document["problem"].startswith("the token ")
    assert len(document["renewal"]) == 5
    assert prospend("token", "show", "--config", site_file).code == 11


def test_an_expired_token_shows_how_to_renew_it_unasked(prospend, sandbox, site_file):
    """When the passport is still asked for after the end."""
    old = tokens.new(sandbox.settings.state_dir, now=datetime.now(UTC) - tokens.VALIDITY - timedelta(days=1))
    place = site_file.with_name("token")
    place.write_text(old.text)
    told = prospend("token", "show", "--config", site_file)
    assert told.code == 0, told.err
    assert "URGENT: the token expired at " in told.out
    assert "To renew the token:" in told.out
    assert old.text not in told.out
