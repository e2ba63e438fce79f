"""Completion in a shell: real bash on a terminal, its Tab key pressed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BESIDE = Path(sys.executable).parent
SHELL_S = 30


class Bash:
    """An interactive shell with the script loaded."""

    def __init__(self, home: Path) -> None:
        self._mine, theirs = pty.openpty()
        environ = {"PATH": f"{BESIDE}:/usr/bin:/bin", "HOME": str(home), "TERM": "dumb", "PS1": "ready> "}
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environ, cwd=home,
        )  # fmt: skip
        os.close(theirs)
        self.typed("source <(prospend completion bash)\necho load''ed\n", until="loaded")

    def typed(self, text: str, *, until: str) -> str:
        """Everything the terminal shows from then on, up to what is waited for."""
        os.write(self._mine, text.encode())
        shown = ""
        while until not in shown:
            ready, _, _ = select.select([self._mine], [], [], SHELL_S)
            assert ready, f"waited for {until!r}, saw {shown!r}"
            shown += os.read(self._mine, 4096).decode()
        return shown

    def close(self) -> None:
        os.close(self._mine)
        self._process.terminate()
        self._process.wait(SHELL_S)


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Bash]:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    shell = Bash(tmp_path)
    yield shell
    shell.close()


def test_tab_completes_commands_options_and_values(bash):
    """What is unambiguous is written out."""
    bash.typed("prospend stat\t", until="prospend status ")
    bash.typed("--las\t", until="--last ")
    bash.typed("\x15prospend sandbox adv\t", until="sandbox advance ")
    bash.typed("\x15prospend query --format parq\t", until="--format parquet ")


def test_tab_completes_files(bash, tmp_path):
    """Where an option takes one."""
    (tmp_path / "my-company.toml").touch()
    bash.typed("prospend run --config my-\t", until="my-company.toml ")


@pytest.mark.parametrize(("shell", "current"), [("bash", "1"), ("zsh", "1"), ("fish", "stat")])
def test_each_shell_gets_its_script(prospend, shell, current):
    """On standard output, and nothing else; what a shell asks by it is answered, exit code 0."""
    script = prospend("completion", shell)
    assert (script.code, script.err) == (0, "")
    assert f"_PROSPEND_COMPLETE={shell}_complete" in script.out
    asked = prospend(_PROSPEND_COMPLETE=f"{shell}_complete", COMP_WORDS="prospend stat", COMP_CWORD=current)
    assert (asked.code, asked.err) == (0, "")
    assert "status" in asked.out
