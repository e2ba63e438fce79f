"""What Python programs call: a run, a connection, a frame. Re-exported by the package itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import platformdirs

from pipeline import nightly, settings, warehouse
from pipeline.errors import ConfigError
from pipeline.model import RunReport, run_order
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


def frame(
    name_or_sql: str,
    *,
    where: str | Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
    as_of: date | datetime | None = None,
    categories: bool = False,
    warehouse: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """A table or the result of a SELECT as a pandas frame, decimals exact.

    Args:
        name_or_sql: `"mart.spend_line"`, or a SELECT.
        where: which rows: a condition in SQL, or for some columns the value that is wanted, several of them in a list,
            or None for missing. Values in a mapping are bound: they can hold anything.
        columns: which columns, in order; all by default.
        as_of: a table as it was at an instant, or at the end of a day by the site's clock. Tables of `prospend` come
            from the history; a mart comes from the newest warehouse file that is kept and not younger than that.
        categories: text of which few values are different becomes pandas' `category`.
        warehouse: as for `connect`; by default that of the site whose settings `prospend` would use here.

    Shape:
        one row a row; columns have Arrow-backed types: DECIMAL is `decimal128`, DATE `date32[day]`, times are
        `timestamp[us, tz=UTC]`, missing values are `pandas.NA`.

    Raises:
        ConfigError: no such table or column, a statement that is not right, or nothing kept from so early.
    """
    from pipeline import warehouse as files
    from pipeline.report import frames

    name_or_sql = name_or_sql.strip()
    if warehouse is None:
        here = settings.find_config(
            None, working_dir=Path.cwd(), user_config_dir=platformdirs.user_config_path("prospend")
        )
        warehouse = settings.load_settings(here).storage.data_dir
    with connect(warehouse) as connection:
        instant = None if as_of is None else _instant(as_of, files.timezone(connection))
        with files.asking("frame"):
            if instant is None or not frames.is_table_name(name_or_sql) or not name_or_sql.startswith("mart."):
                return frames.frame(
                    connection, name_or_sql, where=where, columns=columns, as_of=instant, categories=categories
                )
    with connect(_file_of(Path(warehouse), instant)) as earlier, files.asking("frame"):
        return frames.frame(earlier, name_or_sql, where=where, columns=columns, categories=categories)


def _instant(as_of: date | datetime, zone: str) -> datetime:
    """The instant that is meant; a day means its end."""
    if isinstance(as_of, datetime):
        if as_of.tzinfo is None:
            raise ConfigError(
                "as_of has no time zone", where="frame", do="give one, such as datetime(2026, 6, 30, 18, tzinfo=UTC)"
            )
        return as_of
    return datetime.combine(as_of + timedelta(days=1), time(), ZoneInfo(zone)) - timedelta(microseconds=1)


def _file_of(place: Path, instant: datetime) -> Path:
    """The newest warehouse file, not newer than what readers open, whose data is of that instant or earlier."""
    data_dir = place if place.is_dir() else place.parent
    kept = warehouse.generations(data_dir / "warehouse", pointer_of(data_dir))
    current = next((run_order(one.run_id) for one in kept if one.is_current), None)
    oldest = None
    for one in kept:
        if current is None or run_order(one.run_id) > current:
            continue
        with connect(one.path) as connection:
            oldest = warehouse.snapshot_info(connection).data_as_at
        if oldest <= instant:
            return one.path
    told = f"; the oldest is of {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
    raise ConfigError(
        f"no warehouse file that is kept shows {instant:%Y-%m-%d %H:%M %Z}{told}",
        where="frame · as_of",
        do="ask for a table of prospend, whose history is kept; storage.keep_generations says how many files are",
    )
