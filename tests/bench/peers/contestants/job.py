"""What every contestant is given: where to read, which lists, and where to put them. Nothing but the standard library."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN_VARIABLE = "PROSPEND_BENCH_TOKEN"
JOB_VARIABLE = "PROSPEND_BENCH_JOB"


@dataclass(frozen=True)
class Listed:
    """One list under each company: its name, path below the version, query, and the JSON schema of a record."""

    name: str
    path: str
    query: dict[str, str]
    schema: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """The token is not part of it: it comes by the environment alone."""

    base_url: str
    page_limit: int
    lists: tuple[Listed, ...]
    target: Path
    bodies: Path

    @property
    def api_url(self) -> str:
        """Where all paths begin."""
        return f"{self.base_url}/beta"


def the_job() -> Job:
    """The job of this process."""
    written = json.loads(Path(os.environ[JOB_VARIABLE]).read_text())
    lists = tuple(Listed(**one) for one in written["lists"])
    return Job(written["base_url"], written["page_limit"], lists, Path(written["target"]), Path(written["bodies"]))


def the_token() -> str:
    """The token of this process."""
    return os.environ[TOKEN_VARIABLE]
