"""What a machine says that other programs obey and this one does not: proxies, key logging, stored logins.

Nothing here is obeyed, by construction; it is only told, so that nobody wonders.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC", "SSLKEYLOGFILE")


def ignored(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the variables that are set and ignored, and the file of logins that `HOME` holds; never a value."""
    found = [name for name in _NAMES if environ.get(name) or environ.get(name.lower())]
    try:
        if environ.get("HOME") and (Path(environ["HOME"]) / ".netrc").is_file():
            found.append("~/.netrc")
    except (OSError, ValueError):
        pass
    return tuple(found)
