"""Moving the clock of a state folder from another process: through its server if one listens, else in the folder."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pipeline.errors import ConfigError
from pipeline.sandbox.clock import kept
from pipeline.sandbox.clock.moving import MOST_DAYS

_TIMEOUT_S = 600  # large books take some seconds a day


@dataclass(frozen=True, slots=True)
class Moved:
    """How far the clock stands now, and whether a server that listens has moved it."""

    days: int
    by_server: bool


def move(state_dir: Path, days: int) -> Moved:
    """Move the clock of a folder.

    Raises:
        ConfigError: the clock cannot move so far, or the server refuses.
    """
    admin_url = kept.noted_server(state_dir)
    if admin_url is not None:
        try:
            return Moved(_ask(state_dir, admin_url, days), by_server=True)
        except ConnectionError:
            pass  # it stopped without saying so
    reached = kept.kept_days(state_dir) + days
    if not 0 < reached <= MOST_DAYS:
        raise _refused(f"the clock can move no further than {MOST_DAYS} days")
    kept.keep_days(state_dir, reached)
    return Moved(reached, by_server=False)


def _ask(state_dir: Path, admin_url: str, days: int) -> int:
    parts = urlsplit(admin_url)
    trusting = ssl.create_default_context(cafile=state_dir / "ca.pem")
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S, context=trusting)
    try:
        headers = {"Authorization": f"Bearer {kept.admin_secret(state_dir)}"}
        connection.request("POST", f"/advance?days={days}", headers=headers)
        response = connection.getresponse()
        body = msgspec.json.decode(response.read())
    finally:
        connection.close()
    if response.status != 200:
        raise _refused(f"the sandbox refuses to move its clock: {body['message']}")
    return int(body["days"])


def _refused(what: str) -> ConfigError:
    return ConfigError(what, where="sandbox advance", do="give fewer days")
