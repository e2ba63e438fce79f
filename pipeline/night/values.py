"""What every step of one run is given, and what reading comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.auth import Secret
from pipeline.extract import Extracted
from pipeline.model import Observe, World
from pipeline.ops import runs
from pipeline.readings import Reading, Wanted
from pipeline.resources import Catalogue
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Base:
    """What a night builds on: manifests of the accepted runs, oldest first, and a file with all of them applied.

    `is_borrowed` tells that the file is no generation, but stands only while the run lasts.
    """

    manifests: tuple[Mapping[str, Any], ...] = ()
    path: Path | None = None
    is_borrowed: bool = False

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The manifest that the run builds on."""
        return self.manifests[-1] if self.manifests else None

    @property
    def run_id(self) -> str | None:
        """The run that the next one builds on."""
        return None if self.last is None else str(self.last["run_id"])

    @property
    def recheck_turn(self) -> int:
        """Counts the accepted runs, so that the samples of unchanged records rotate."""
        return len(self.manifests)


@dataclass(frozen=True, slots=True)
class Night:
    """What every stage of one run is given.

    `wanted` and `accepts_shrink` (names of resources) are what the user asked for beside the settings, for this run;
    `base` is what it builds on, and `how` tells how each resource is read.
    """

    settings: Settings
    catalogue: Catalogue
    run_id: str
    started_at: datetime
    world: World
    observe: Observe
    renew: Callable[[], Secret] = field(repr=False)
    wanted: Wanted = field(default_factory=Wanted)
    accepts_shrink: frozenset[str] = frozenset()
    base: Base = field(default_factory=Base)
    how: Mapping[str, Reading] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        """The site's data folder."""
        return self.settings.storage.data_dir

    @property
    def pointer(self) -> Path:
        """The link that readers open."""
        return runs.pointer_of(self.data_dir)

    @property
    def closed_before(self) -> datetime | None:
        """The first instant after the closed period, None if none is closed."""
        closed_until = self.settings.checks.closed_until
        if closed_until is None:
            return None
        zone = ZoneInfo(self.settings.site.timezone)
        return datetime.combine(closed_until + timedelta(days=1), time(), zone).astimezone(UTC)

    @property
    def building(self) -> Path:
        """Where the new warehouse file is made, aside."""
        return self.data_dir / "warehouse" / f".building-{self.run_id}.duckdb"

    @property
    def borrowed(self) -> Path:
        """Where a file to build on is made, if no generation will do."""
        return self.data_dir / "warehouse" / f".building-{self.run_id}-base.duckdb"


@dataclass(frozen=True, slots=True)
class Vanished:
    """What became of the records of one resource that complete walks did not show.

    `unseen` counts them all, those under deleted parents too; `looked_up` of them were asked for singly, and
    `still_there` of those answered. `is_held` tells that there were more than the site takes without being asked: none
    was looked up, none is taken for deleted, and `deleted` counts what would have been.
    """

    resource: str
    unseen: int = 0
    deleted: int = 0
    looked_up: int = 0
    still_there: int = 0
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What reading came to: the proof of the walks, how far each list has come, and what had ended.

    `newest` gives the greatest change time stored, by resource and company; `unordered` names the lists whose change
    times went back somewhere, `alone` those that one walker must read, and why. `recheck_differed` counts, by resource,
    records under unchanged parents that were not as they had been.
    """

    extracted: Extracted
    newest: Mapping[tuple[str, str], datetime]
    unordered: frozenset[str]
    alone: Mapping[str, str] = field(default_factory=dict)
    vanished: tuple[Vanished, ...] = ()
    recheck_differed: Mapping[str, int] = field(default_factory=dict)
