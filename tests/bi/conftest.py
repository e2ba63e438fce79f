"""Other programs at a published warehouse, each in an environment of its own below `.bi/`: `make test-bi`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.environments import ROOT, environment


@pytest.fixture(scope="session")
def interpreter() -> Callable[..., Path]:
    """Makes an environment, or finds it made: the interpreter of `.bi/<name>` with what `requirements/bi-<lock>.txt` name."""

    def find(name: str, *before: str, options: tuple[str, ...] = ()) -> Path:
        locks = [f"bi-{lock}" for lock in (*before, name)]
        return environment(ROOT / ".bi" / name, *locks, options=options)

    return find
