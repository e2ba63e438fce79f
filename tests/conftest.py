"""What tests share: a sandbox on a real socket, a site that points at it, and the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline.nightly
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.settings import Settings

pytest_plugins = ["canary_plugin", "planted_marts"]
pytest.register_assert_rewrite("failing")


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> dict[str, str]:
        """The four labelled lines of an error."""
        labelled = (line.partition(" ") for line in self.err.splitlines())
        return {label: rest.strip() for label, _, rest in labelled if label in ("WHAT", "WHERE", "STATE", "DO")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, so that no worker is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def earlier_night(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published night; tests copy it."""
    data_dir = tmp_path_factory.mktemp("earlier") / "data"
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        pipeline.nightly.run(site_of(running, data_dir, marts=True), environ={TOKEN_VARIABLE: running.token})
    return data_dir


Command = Callable[..., Outcome]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One state folder for all sandboxes of a test session: certificates are made once."""
    return tmp_path_factory.mktemp("sandbox-state")


@pytest.fixture
def sandbox(authority: Path) -> Iterator[Running]:
    """A sandbox with small books, for one test alone."""
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        yield running


@pytest.fixture
def marts(request: pytest.FixtureRequest) -> bool:
    """Whether the test's site makes marts: `pytest.mark.marts`."""
    return request.node.get_closest_marker("marts") is not None


@pytest.fixture
def site(sandbox: Running, tmp_path: Path, marts: bool, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The test's own site; its token stands in the environment."""
    monkeypatch.setenv(TOKEN_VARIABLE, sandbox.token)
    return site_of(sandbox, tmp_path / "data", marts=marts)


@pytest.fixture
def site_file(sandbox: Running, tmp_path: Path, marts: bool) -> Path:
    """The same site as a settings file, its token in a private file."""
    token = tmp_path / "token"
    token.write_text(sandbox.token + "\n")
    token.chmod(0o600)
    path = tmp_path / "site.toml"
    path.write_text(
        f'[site]\nname = "test"\nbase_url = "{sandbox.base_url}"\n[api]\nca_file = "{sandbox.ca_file}"\n'
        f'[token]\nfile = "{token}"\n[storage]\ndata_dir = "data"\n'
        f"[report]\nmarts = {str(marts).lower()}\npage = false\nworkbook = false\n"  # a second each
    )
    return path


@pytest.fixture
def prospend(tmp_path: Path, listener: Callable[[str], None]) -> Command:
    """The real command in a process of its own, in an empty environment and an empty folder.

    What it prints is searched for tokens, unless printing one is what it is for.
    """

    def run(
        *arguments: object, timeout_s: float = 120, through: Sequence[object] = ("-m", "pipeline"), **environ: str
    ) -> Outcome:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, *map(str, (*through, *arguments))],
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), **environ},
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        if arguments[:1] != ("sandbox",):
            listener(done.stdout + done.stderr)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
