"""Environments beside our own, for programs whose packages would clash with ours: made when first needed, from a lock file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environment(folder: Path, lock: str, *, options: tuple[str, ...] = ()) -> Path:
    """The interpreter of an environment with what `requirements/<lock>.txt` names; made anew if that changed.

    Args:
        folder: where it stands.
        lock: name of the lock file.
        options: more of `pip install`.

    Raises:
        subprocess.CalledProcessError: a package cannot be installed here.
    """
    path = ROOT / "requirements" / f"{lock}.txt"
    python, marker = folder / "bin" / "python", folder / "made-from"
    wanted = hashlib.sha256(path.read_bytes()).hexdigest()
    if not marker.exists() or marker.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = ["-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-input", *options]
        locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(path)]
        subprocess.run([str(python), *install, *locked], check=True)
        marker.write_text(wanted)
    return python
