"""A Superset of a test's own: one process on loopback, SQLite for its own tables, no cache, no worker; and its REST API."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

USER = "admin"
_CONFIG = """
import os
SECRET_KEY = os.environ["SUPERSET_TEST_SECRET"]
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.environ["SUPERSET_HOME"] + "/superset.db"
TALISMAN_ENABLED = False
"""


@contextmanager
def superset(python: Path, home: Path) -> Iterator[Superset]:
    """A server that has started, with one user; ended with the block."""
    home.mkdir()
    (home / "superset_config.py").write_text(_CONFIG)
    password = secrets.token_urlsafe(16)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SUPERSET_HOME": str(home),
        "SUPERSET_CONFIG_PATH": str(home / "superset_config.py"),
        "SUPERSET_TEST_SECRET": secrets.token_urlsafe(32),
        "FLASK_APP": "superset",
    }
    command = ["nice", "-n", "10", str(python.with_name("superset"))]
    person = ["--username", USER, "--firstname", "A", "--lastname", "B", "--email", "a@example.com"]
    with (home / "superset.log").open("wb") as log:
        for arguments in (["db", "upgrade"], ["fab", "create-admin", *person, "--password", password], ["init"]):
            subprocess.run([*command, *arguments], env=environ, cwd=home, stdout=log, stderr=log, check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        serve = [*command, "run", "-h", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(serve, env=environ, cwd=home, stdout=log, stderr=log)
        try:
            found = Superset(f"http://127.0.0.1:{port}", password)
            found.wait(server)
            yield found
        finally:
            server.terminate()
            server.wait(30)


@dataclass
class Superset:
    """Its address, its user's password, and what can be asked of it."""

    url: str
    password: str
    _headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def wait(self, server: subprocess.Popen[bytes], patience_s: float = 180) -> None:
        """Until it answers."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            assert server.poll() is None, "Superset ended; see superset.log"
            try:
                self._opener.open(f"{self.url}/health", timeout=5).close()
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise TimeoutError("Superset does not answer")

    def log_in(self) -> None:
        """The API takes what follows as the user's."""
        given = {"username": USER, "password": self.password, "provider": "db", "refresh": False}
        self._headers = {"Referer": self.url}
        self._headers["Authorization"] = f"Bearer {self.call('security/login', given)['access_token']}"
        self._headers["X-CSRFToken"] = self.call("security/csrf_token/")["result"]

    def call(self, path: str, body: object = None, method: str | None = None) -> dict[str, Any]:
        """The answer of one endpoint; with a body it is a POST."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method or ("GET" if body is None else "POST"),
            headers={"Content-Type": "application/json", **self._headers},
        )
        try:
            with self._opener.open(request, timeout=120) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read()[:500]!r}") from error
        return found
