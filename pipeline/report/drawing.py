"""Charts drawn by Vega-Lite in a process of its own: where memory is denied to its engine, that ends the process.

What is drawn comes in as specifications and goes out as SVG text. The process is given no token, opens no connection,
and takes its memory with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

_DEADLINE_S: Final = 120
_VERSION: Final = "5.20"  # of Vega-Lite: the same drawings until we choose otherwise
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH")


def drawn(specs: Sequence[dict[str, Any]]) -> list[str] | None:
    """Each specification as SVG, in order; None if this machine cannot draw."""
    if not specs:
        return []
    environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(
            (sys.executable, "-I", "-m", "pipeline.report.drawing"),
            input=json.dumps(specs).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            timeout=_DEADLINE_S,
            check=True,
        )
        pictures = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return pictures if isinstance(pictures, list) and len(pictures) == len(specs) else None


def _draw_all() -> None:
    """Draw what standard input asks for."""
    import vl_convert

    specs = json.load(sys.stdin.buffer)
    pictures = [vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[]) for spec in specs]
    sys.stdout.write(json.dumps(pictures))


if __name__ == "__main__":
    _draw_all()
