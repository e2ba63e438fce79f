"""A plain client of a sandbox over TLS, without any of the pipeline's own."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pipeline.resources import Resource
from pipeline.sandbox import Running


@dataclass(frozen=True)
class Got:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


class Client:
    """One kept connection, with the token of the sandbox's handle."""

    def __init__(self, connection: http.client.HTTPSConnection, token: str) -> None:
        self._connection = connection
        self._token = token

    def get(self, path: str, query: Mapping[str, object] | None = None, *, method: str = "GET", **headers: str) -> Got:
        target = path + (f"?{urlencode(query)}" if query else "")
        self._connection.request(method, target, headers={"Authorization": f"Bearer {self._token}", **headers})
        answered = self._connection.getresponse()
        return Got(answered.status, answered.headers, answered.read())

    def walk(self, path: str, query: Mapping[str, object] | None = None, *, limit: int = 50) -> list[dict]:
        """Every record of a list, page after page."""
        found: list[dict] = []
        cursor: dict[str, object] = {}
        while True:
            got = self.get(path, {**(query or {}), "limit": limit, **cursor})
            assert got.status == 200, got.body
            found += got.json["page"]
            if not got.json.get("nextCursor"):
                return found
            cursor = {"cursor": got.json["nextCursor"]}


@contextmanager
def client_of(running: Running) -> Iterator[Client]:
    parts = urlsplit(running.base_url)
    trusting = ssl.create_default_context(cafile=str(running.ca_file))
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=trusting, timeout=20)
    try:
        yield Client(connection, running.token)
    finally:
        connection.close()


def path_of(resource: Resource, context: tuple[str, ...]) -> str:
    """The path of a list under some parents."""
    path = resource.path.replace("{version}", "beta")
    for name, key in zip(resource.context_names, context, strict=True):
        path = path.replace(f"{{{name}}}", quote(key, safe=""))
    return path
