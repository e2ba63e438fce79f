"""The address of a request: always on the one origin, whatever the path and the parameters hold.

Strict rather than clever: what a URL parser, a proxy or a server could read in two ways is refused, not repaired.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from yarl import URL

from pipeline.errors import SecurityStop
from pipeline.model import Request

# Segments of RFC 3986's pchar, none of them empty or a dot segment (percent-encoded ones included): nothing to
# normalise, and no character that a request line could be split at.
_PATH: Final = re.compile(r"(?:/(?!(?:\.|%2[Ee]){1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+")
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ADDRESS: Final = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
# What percent-encoding leaves as it is, most names and values among it.
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]*")


def address_on(origin: URL, request: Request) -> URL:
    """The URL of a request, proven to lie on the origin.

    Raises:
        SecurityStop: the path or a parameter could lead elsewhere.
    """
    path = request.path
    if not _PATH.fullmatch(path) or ("%" in path and _STRAY_PERCENT.search(path)):
        raise SecurityStop("a path that could leave the source's origin was refused", where=request.label)
    query = ""
    for name, value in request.params:
        query += f"{'&' if query else '?'}{_quoted(name, request)}={_quoted(value, request)}"
    authority = origin.raw_authority
    url = URL(f"https://{authority}{path}{query}", encoded=True)
    if url.scheme != "https" or url.raw_authority != authority:
        raise SecurityStop("a request to another origin was refused", where=request.label)
    return url


def leads_away(origin: URL, asked: URL, location: str) -> bool:
    """Whether a redirect's target, relative or not, lies on another origin."""
    try:
        return asked.join(URL(location)).origin() != origin.origin()
    except ValueError:
        return True


def _quoted(text: str, request: Request) -> str:
    """A name or value of the query, percent-encoded."""
    if _UNRESERVED.fullmatch(text):
        return text
    if _ADDRESS.match(text):
        raise SecurityStop(
            "the source sent an address where a cursor belongs; nothing was sent there", where=request.label
        )
    return quote(text, safe="")
