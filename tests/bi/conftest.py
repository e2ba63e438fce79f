"""Other programs at a published warehouse, each in an environment of its own below `.bi/`: `make test-bi`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.environments import ROOT, environment


@pytest.fixture(scope="session")
def interpreter() -> Callable[..., Path]:
    """Makes an environment, or finds it made: the interpreter of `.bi/<name>` with `requirements/bi-<name>.txt`."""

    def find(name: str, *options: str) -> Path:
        return environment(ROOT / ".bi" / name, f"bi-{name}", options=options)

    return find
