"""The first screen of the README is true: its query, run on the sample books, prints what it shows."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_query_prints_what_the_readme_shows(prospend, tmp_path):
    """The demo at its default size, then the README's own statement: the very lines of the README."""
    sql, shown = re.search(
        r'^\$ \.venv/bin/prospend query --data data/demo "(.*?)"\n(.*?)^```', README, re.MULTILINE | re.DOTALL
    ).groups()
    assert prospend("demo", "--quiet", "--data", tmp_path / "demo").code == 0
    assert prospend("query", "--data", tmp_path / "demo", sql).out == shown


def test_the_sandbox_in_five_commands(tmp_path, listener):
    """The README's five commands, as they stand there but for a free port: a published night, and another a month on."""
    section = README.split("<!-- executed by a test -->\n```\n")[1].split("```")[0]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    commands = section.replace("8443", port).splitlines()
    assert len(commands) == 5
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "data").mkdir()
    settings = tmp_path / "configs" / "sandbox.toml"
    settings.write_text(settings.read_text().replace("8443", port))
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    serve = commands.pop(0).removesuffix(" &").split()
    server = subprocess.Popen([*serve, "--claims", "60", "--json"], cwd=tmp_path, env=environ, stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline()
        outputs = [
            subprocess.run(
                ["sh", "-c", one], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
            ).stdout
            for one in commands
        ]
    finally:
        server.terminate()
        server.communicate()
    listener("".join(outputs))
    assert outputs[1].startswith("published ")
    assert "Finalised" in outputs[2]
    assert "published " in outputs[3]
    assert len(list((tmp_path / "data" / "sandbox-site" / "warehouse").iterdir())) == 2


def test_every_exit_code_is_named():
    """The README names every exit code that an error class has."""
    from pipeline import errors

    listed = README.split("## Exit codes")[1].split("##")[0]
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PipelineError)
    ]
    codes = {kind.exit_code for kind in kinds}
    assert len(codes) > 10
    assert all(str(code) in listed for code in codes)


def test_every_resource_is_named():
    """What the README says you get is what the catalogue reads."""
    names = tomllib.loads((ROOT / "configs" / "prospend.toml").read_text())["resource"]
    assert [name for name in names if name not in README] == []
