"""What Python programs call: a run, a connection, a frame. Re-exported by the package itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from pipeline import nightly, settings, warehouse
from pipeline.model import RunReport
from pipeline.ops.runs import pointer_of

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


def load_settings(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> settings.Settings:
    """The settings in a TOML file, with `PROSPEND__SECTION__KEY` from the environment on top.

    Raises:
        ConfigError: naming every problem with its line.
    """
    return settings.load_settings(Path(path), environ=environ)


def run(site: settings.Settings) -> RunReport:
    """Everything the token can see has been read, checked and published.

    Raises:
        PipelineError: nothing was published; `lines()` says what, where, in which state the data is, what to do.
    """
    return nightly.run(site)


def connect(path: str | os.PathLike[str]) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a published warehouse; it keeps showing the night it was opened on.

    The connection can touch nothing but the warehouse: no files, no network, no extensions.

    Args:
        path: `warehouse.duckdb`, or the data folder that holds it.

    Raises:
        ConfigError: there is no warehouse at that place.
    """
    place = Path(path)
    return warehouse.connect(pointer_of(place) if place.is_dir() else place)


def frame(name_or_sql: str, *, warehouse: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """A table or the result of a SELECT as a pandas frame, decimals exact.

    Shape:
        one row a row; columns have Arrow-backed types, so DECIMAL stays `decimal128` and times keep their zone.

    Args:
        name_or_sql: `"prospend.claim"`, or a SELECT.
        warehouse: as for `connect`; by default that of the site whose settings `prospend` would use here.
    """
    from pipeline.report import frames

    if warehouse is None:
        here = settings.find_config(
            None, working_dir=Path.cwd(), user_config_dir=platformdirs.user_config_path("prospend")
        )
        warehouse = settings.load_settings(here).storage.data_dir
    with connect(warehouse) as connection:
        return frames.frame(connection, name_or_sql)
