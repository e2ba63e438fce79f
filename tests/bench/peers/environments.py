"""An environment for each family of contestants: made when first needed, from a lock file, outside of our own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
OWN_PYTHON = Path(sys.executable)


def python_of(name: str) -> Path:
    """The interpreter of an environment; made or made anew if its lock file changed.

    Raises:
        subprocess.CalledProcessError: a package cannot be installed here.
    """
    if name == "ours":
        return OWN_PYTHON
    folder, lock = ROOT / ".bench" / name, ROOT / "requirements" / f"bench-{name}.txt"
    python, marker = folder / "bin" / "python", folder / "made-from"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not marker.exists() or marker.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = ["-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-input"]
        locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
        subprocess.run([str(python), *install, *locked], check=True)
        marker.write_text(wanted)
    return python


def versions_of(name: str, packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of some packages as they are installed there."""
    code = "import sys; from importlib.metadata import version; print(*(version(p) for p in sys.argv[1:]))"
    told = subprocess.run(
        [str(python_of(name)), "-c", code, *packages], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    return dict(zip(packages, told, strict=True))
