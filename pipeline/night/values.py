"""What every step of one run is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.auth import Secret
from pipeline.model import Observe, World
from pipeline.ops import runs
from pipeline.resources import Catalogue
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Night:
    """What every stage of one run is given."""

    settings: Settings
    catalogue: Catalogue
    run_id: str
    started_at: datetime
    world: World
    observe: Observe
    renew: Callable[[], Secret]

    @property
    def data_dir(self) -> Path:
        """The site's data folder."""
        return self.settings.storage.data_dir

    @property
    def pointer(self) -> Path:
        """The link that readers open."""
        return runs.pointer_of(self.data_dir)

    @property
    def building(self) -> Path:
        """Where the new warehouse file is made, aside."""
        return self.data_dir / "warehouse" / f".building-{self.run_id}.duckdb"
