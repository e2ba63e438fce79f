"""An environment for each family of contestants: made when first needed, from a lock file, outside of our own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.environments import ROOT, environment

OWN_PYTHON = Path(sys.executable)


def python_of(name: str) -> Path:
    """The interpreter of an environment; made or made anew if its lock file changed.

    Raises:
        subprocess.CalledProcessError: a package cannot be installed here.
    """
    if name == "ours":
        return OWN_PYTHON
    return environment(ROOT / ".bench" / name, f"bench-{name}")


def versions_of(name: str, packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of some packages as they are installed there."""
    code = "import sys; from importlib.metadata import version; print(*(version(p) for p in sys.argv[1:]))"
    told = subprocess.run(
        [str(python_of(name)), "-c", code, *packages], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    return dict(zip(packages, told, strict=True))
