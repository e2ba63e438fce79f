"""What the document says of the run itself: when, on which machine, with which versions, and who could not take part."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.account import versions
from tests.bench.peers.environments import versions_of
from tests.bench.peers.field import Contestant


@dataclass(frozen=True)
class Facts:
    """Of one run."""

    began_at: datetime
    machine: str
    versions: Mapping[str, Mapping[str, str]]
    absent: Mapping[str, str]
    command: str


def facts_of(began_at: datetime, ready: Sequence[Contestant], absent: Mapping[str, str], command: str) -> Facts:
    """What can be told before anything is measured."""
    used = {one.title: versions_of(one.environment, one.packages) for one in ready if one.packages and not one.is_ours}
    ours = {one.title: versions() for one in ready if one.name == "ours"}
    return Facts(began_at, _machine(), {**ours, **used}, absent, command)


def _machine() -> str:
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return (
        f"{os.cpu_count()} cores of {processor[1] if processor else platform.machine()}, "
        f"{int(memory[1]) / 1e6 if memory else 0:.0f} GB of memory, {platform.system()} {platform.machine()}"
    )
