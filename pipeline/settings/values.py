"""The settings of a site as frozen values: names, types, limits, defaults.

The reference for people is `configs/site.example.toml`; a test keeps the two equal. Secrets never stand here: only
where to find one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

SWITCHES = ("include_omitted", "include_personal")
ENVIRONMENT_PREFIX = "PROSPEND__"
TOKEN_PLACES = ("env", "file", "command", "keyring", "credential")

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
Duration = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,5}[smhd]$")]
"""A whole number and its unit: seconds, minutes, hours or days."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Site:
    """Which ProSpend site, and which of its companies."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")]
    base_url: NonEmpty
    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")] = "beta"
    companies: Literal["all"] | Annotated[tuple[NonEmpty, ...], msgspec.Meta(min_length=1)] = "all"
    timezone: NonEmpty = "Australia/Sydney"
    fiscal_year_start: Annotated[int, msgspec.Meta(ge=1, le=12)] = 7


@dataclass(frozen=True, slots=True)
class Api:
    """How to speak to the source."""

    ca_file: Path | None = None
    proxy: NonEmpty | None = None
    page_limit: Literal["auto"] | Annotated[int, msgspec.Meta(ge=1, le=100_000)] = "auto"
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=256)] = 16
    connect_timeout_s: Seconds = 10.0
    read_timeout_s: Seconds = 60.0
    request_timeout_s: Seconds = 300.0
    run_deadline_s: Seconds = 21_600.0
    attempts: Annotated[int, msgspec.Meta(ge=1, le=20)] = 10
    max_body_mb: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 64
    resources: Path | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """Where the API token is found: exactly one place. The token itself never stands in a settings file."""

    env: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Path | None = None
    command: Annotated[tuple[NonEmpty, ...], msgspec.Meta(min_length=1)] | None = None
    keyring: Annotated[str, msgspec.Meta(pattern=r"^[^/]+/.+$")] | None = None
    credential: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")] | None = None
    warn_days: Annotated[int, msgspec.Meta(ge=0, le=730)] = 60


@dataclass(frozen=True, slots=True)
class Budget:
    """How many calls may be made of the source, counted over all runs; None is no limit."""

    hourly: Annotated[int, msgspec.Meta(ge=1)] | None = None
    monthly: Annotated[int, msgspec.Meta(ge=1)] | None = None
    reserve_percent: Annotated[float, msgspec.Meta(ge=0, lt=100)] = 5.0


@dataclass(frozen=True, slots=True)
class Extract:
    """What to read, how often in full, and for how long pages of a run that ended early are still used."""

    full_every: Duration = "7d"
    overlap: Duration = "15m"
    recheck_percent: Percent = 2.0
    include_personal: bool = False
    include_omitted: bool = False
    resume_within: Duration = "3d"

    @property
    def switched_on(self) -> tuple[str, ...]:
        """The switches of resources that this site asks for, sorted."""
        return tuple(name for name in SWITCHES if getattr(self, name))


@dataclass(frozen=True, slots=True)
class Storage:
    """Where everything is kept, how much and for how long; `keep_days` None keeps every snapshot."""

    data_dir: Path
    compression: Literal["zstd", "snappy", "none"] = "zstd"
    keep_generations: Annotated[int, msgspec.Meta(ge=3, le=10_000)] = 7
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    max_kept_gb: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 20.0
    keep_log_days: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 30

    @property
    def max_kept_bytes(self) -> int:
        """How large the pages of one run may be together, as they are kept."""
        return int(self.max_kept_gb * 10**9)


@dataclass(frozen=True, slots=True)
class Checks:
    """When a complete run is refused all the same, and what is only told."""

    max_quarantined_percent: Percent = 1.0
    max_shrink_percent: Percent = 20.0
    max_deleted_percent: Percent = 5.0
    min_key_overlap_percent: Percent = 50.0
    max_null_change_percent: Percent = 20.0
    max_data_age: Duration | None = None
    closed_until: date | None = None
    required: tuple[NonEmpty, ...] = ()
    advisory: tuple[NonEmpty, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What is made of the tables for people to read, and by which rules of the house."""

    marts: bool = True
    page: bool = True
    workbook: bool = True
    mask_people: bool = False
    parquet: bool = False
    due_soon_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 7
    approval_thresholds: tuple[Annotated[int, msgspec.Meta(ge=1, le=10**12)], ...] = (1000, 5000, 10_000)
    threshold_percent: Percent = 5.0
    entertainment_types: tuple[NonEmpty, ...] = ("Entertainment",)


Occasion = Literal["failure", "recovery", "token", "drift", "missed"]
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)


@dataclass(frozen=True, slots=True)
class Notify:
    """Who hears of a night, and of what."""

    urls: tuple[NonEmpty, ...] = ()
    on: tuple[Occasion, ...] = OCCASIONS
    ping_url: NonEmpty | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Who else watches the nights."""

    prometheus_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run is told. `source` names the file, for messages; None for settings made in code."""

    site: Site
    token: Token
    storage: Storage
    api: Api = field(default_factory=Api)
    budget: Budget = field(default_factory=Budget)
    extract: Extract = field(default_factory=Extract)
    checks: Checks = field(default_factory=Checks)
    report: Report = field(default_factory=Report)
    notify: Notify = field(default_factory=Notify)
    watch: Watch = field(default_factory=Watch)
    source: Path | None = field(default=None, compare=False)


SECTIONS: dict[str, type] = {
    "site": Site,
    "api": Api,
    "token": Token,
    "budget": Budget,
    "extract": Extract,
    "storage": Storage,
    "checks": Checks,
    "report": Report,
    "notify": Notify,
    "watch": Watch,
}


def defaults_of(section: type) -> dict[str, Any]:
    """The settings of a section that need not be given, by name."""
    return {one.name: one.default for one in dataclasses.fields(section) if one.default is not dataclasses.MISSING}


def seconds_of(duration: Duration) -> int:
    """The seconds that a setting such as "15m" or "7d" means."""
    return int(duration[:-1]) * _UNITS_S[duration[-1]]
