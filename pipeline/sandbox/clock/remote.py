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
    connection = _connected(state_dir)
    if connection is not None:
        return Moved(_ask(connection, kept.admin_secret(state_dir), days), by_server=True)
    reached = kept.kept_days(state_dir) + days
    if not 0 < reached <= MOST_DAYS:
        raise _refused(f"the clock can move no further than {MOST_DAYS} days")
    kept.keep_days(state_dir, reached)
    return Moved(reached, by_server=False)


def _connected(state_dir: Path) -> http.client.HTTPSConnection | None:
    """A connection to the admin port of the folder's server; None when it is not there, or another's is."""
    admin_url = kept.noted_server(state_dir)
    ca_file = state_dir / "ca.pem"
    if admin_url is None or not ca_file.exists():
        return None
    parts = urlsplit(admin_url)
    trusting = ssl.create_default_context(cafile=ca_file)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S, context=trusting)
    try:
        connection.connect()
    except OSError:
        return None
    return connection


def _ask(connection: http.client.HTTPSConnection, secret: str, days: int) -> int:
    """How far the clock stands after a server has moved it."""
    try:
        connection.request("POST", f"/advance?days={days}", headers={"Authorization": f"Bearer {secret}"})
        response = connection.getresponse()
        status, body = response.status, response.read()
    except (OSError, http.client.HTTPException) as broken:
        what = "the sandbox broke off while its clock moved"
        raise ConfigError(
            what, where="sandbox advance", do="see `clock.json` in its folder for where it stands"
        ) from broken
    finally:
        connection.close()
    if status != 200:
        raise _refused(f"the sandbox refuses to move its clock: {body[:200].decode(errors='replace')}")
    return int(msgspec.json.decode(body)["days"])


def _refused(what: str) -> ConfigError:
    return ConfigError(what, where="sandbox advance", do="give fewer days")
