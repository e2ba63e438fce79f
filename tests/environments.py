"""Environments beside our own, for programs whose packages would clash with ours: made when first needed, from a lock file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environment(folder: Path, *locks: str, options: tuple[str, ...] = ()) -> Path:
    """The interpreter of an environment with what `requirements/<lock>.txt` names; made anew if that changed.

    Args:
        folder: where it stands.
        locks: names of lock files, installed one after the other.
        options: more of `pip install`, after `--only-binary :all:`.

    Raises:
        subprocess.CalledProcessError: a package cannot be installed here.
    """
    paths = [ROOT / "requirements" / f"{lock}.txt" for lock in locks]
    python, marker = folder / "bin" / "python", folder / "made-from"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    if not marker.exists() or marker.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-input"]
        for path in paths:
            locked = ["--require-hashes", "--only-binary", ":all:", *options, "-r", str(path)]
            subprocess.run([*pip, *locked], check=True)
        marker.write_text(wanted)
    return python
