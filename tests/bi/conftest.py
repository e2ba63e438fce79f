"""Other programs at a published warehouse, each in an environment of its own below `.bi/`: `make test-bi`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline.nightly
from pipeline.sandbox import Running, SandboxSettings, in_thread
from tests.environments import ROOT, environment


@pytest.fixture(scope="session")
def interpreter() -> Callable[..., Path]:
    """Makes an environment, or finds it made: the interpreter of `.bi/<name>` with what `requirements/bi-<lock>.txt` name."""

    def find(name: str, *before: str, options: tuple[str, ...] = ()) -> Path:
        locks = [f"bi-{lock}" for lock in (*before, name)]
        return environment(ROOT / ".bi" / name, *locks, options=options)

    return find


@pytest.fixture(scope="module")
def books(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """A source, and the data folder of a site with one published night."""
    data_dir = tmp_path_factory.mktemp("site") / "data"
    with in_thread(SandboxSettings(state_dir=authority, claims=200)) as running:
        pipeline.nightly.run(site_of(running, data_dir, marts=True), environ={TOKEN_VARIABLE: running.token})
        yield running, data_dir
