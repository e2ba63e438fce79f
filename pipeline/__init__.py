"""ProSpend to Parquet to DuckDB, every night: the public door.

    settings = pipeline.load_settings("configs/site.toml")
    report = pipeline.run(settings)
    claims = pipeline.frame("prospend.claim", warehouse=settings.storage.data_dir / "warehouse.duckdb")

Names are loaded when they are first used, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.door import connect, frame, load_settings, run
    from pipeline.errors import (
        BudgetReached,
        CheckRefused,
        ConfigError,
        LocalAccess,
        LocalResource,
        NotPermitted,
        NotThere,
        PipelineError,
        RequestRefused,
        RunActive,
        SecurityStop,
        SourceContractBroken,
        SourceUnavailable,
        StoredDataDamaged,
        TokenError,
        VersionMismatch,
    )
    from pipeline.model import RunReport
    from pipeline.settings import Settings

__all__ = [
    "BudgetReached",
    "CheckRefused",
    "ConfigError",
    "LocalAccess",
    "LocalResource",
    "NotPermitted",
    "NotThere",
    "PipelineError",
    "RequestRefused",
    "RunActive",
    "RunReport",
    "SecurityStop",
    "Settings",
    "SourceContractBroken",
    "SourceUnavailable",
    "StoredDataDamaged",
    "TokenError",
    "VersionMismatch",
    "connect",
    "frame",
    "load_settings",
    "run",
]

_DOOR = ("connect", "frame", "load_settings", "run")
_HOMES = {**dict.fromkeys(_DOOR, "door"), "RunReport": "model", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
