"""Our pipeline as far as its Parquet: read, decoded, checked row by row, written, synced and in place.

The nightly run itself, ended where it would begin to build the warehouse, as a kill there would end it.
"""

from __future__ import annotations

import os
from pathlib import Path

from job import the_job

from pipeline import nightly
from pipeline.model import StageBegan
from pipeline.settings import load_settings


def until_the_load(event: object) -> None:
    """End this process as soon as the parts are in place; what is written is left as it lies."""
    if isinstance(event, StageBegan) and event.stage == "load":
        os._exit(0)


nightly.run(load_settings(Path(the_job().target) / "site.toml"), observe=until_the_load)
