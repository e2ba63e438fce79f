"""Refuses a data folder that shares its insides with something else.

A run sweeps, renames and one day prunes in folders of its own inside `storage.data_dir`. What lies there by a link or
by another setting would be swept with them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigError
from pipeline.settings import Settings

# Everything in these is the program's.
OWN_FOLDERS: Final = ("snapshots", "runs", "warehouse", "reports", "staging", "state", "logs", "parquet-runs")


def refuse_shared(settings: Settings) -> None:
    """Nothing, if the data folder's insides are its own.

    Raises:
        ConfigError: one of them leads elsewhere or holds a file that another setting names, or the data folder lies
            within another's.
    """
    data_dir = settings.storage.data_dir
    for name in OWN_FOLDERS:
        if (data_dir / name).is_symlink():
            raise ConfigError(
                f"{name} in storage.data_dir is a symbolic link: what it leads to would be swept with the folder",
                where=str(data_dir / name),
                do="make it a folder; to keep data on another disk, let storage.data_dir as a whole lie there",
            )
    link = data_dir / "parquet"
    if settings.report.parquet and link.exists() and not link.is_symlink():
        raise ConfigError(
            "parquet in storage.data_dir is not the link that report.parquet makes",
            where=str(link),
            do="move it away, or set report.parquet = false",
        )
    for key, path in _files(settings):
        if any(_is_within(path, data_dir / name) for name in OWN_FOLDERS):
            raise ConfigError(
                f"{key} lies inside a folder that belongs to storage.data_dir alone",
                where=f"{key} = {path}; storage.data_dir = {data_dir}",
                do=f"move the file elsewhere and correct {key}",
            )
    for above in data_dir.absolute().parents:
        if above.name in OWN_FOLDERS and (above.parent / "warehouse.duckdb").is_symlink():
            raise ConfigError(
                "storage.data_dir lies inside another data folder",
                where=f"storage.data_dir = {data_dir}; the other one is {above.parent}",
                do="choose another folder as storage.data_dir",
            )


def _files(settings: Settings) -> list[tuple[str, Path]]:
    named = (
        ("token.file", settings.token.file),
        ("api.ca_file", settings.api.ca_file),
        ("api.resources", settings.api.resources),
        ("watch.prometheus_file", settings.watch.prometheus_file),
        ("the settings file", settings.source),
    )
    return [(key, path) for key, path in named if path is not None]


def _is_within(path: Path, folder: Path) -> bool:
    """By the paths as written, or by where links lead (`realpath` does not fail on a loop of them)."""
    real, real_folder = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    return path.absolute().is_relative_to(folder.absolute()) or real.is_relative_to(real_folder)
