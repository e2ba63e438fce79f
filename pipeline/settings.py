"""What a site can set: frozen values read from TOML, the environment and the command line, in that order.

Lives here: the names, types, limits and defaults of all settings, and their checking. The reference for people is
`configs/site.example.toml`; a test keeps the two equal. Secrets never stand here: only where to find one.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from zoneinfo import ZoneInfo

import msgspec

from pipeline.errors import ConfigError
from pipeline.written import (
    base_url_problems,
    looks_like_token,
    proxy_problems,
    shown_name,
    toml_document,
    toml_text,
)

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
    due_soon_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 7
    approval_thresholds: tuple[Annotated[int, msgspec.Meta(ge=1, le=10**12)], ...] = (1000, 5000, 10_000)
    threshold_percent: Percent = 5.0
    entertainment_types: tuple[NonEmpty, ...] = ("Entertainment",)


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
}


def defaults_of(section: type) -> dict[str, Any]:
    """The settings of a section that need not be given, by name."""
    return {one.name: one.default for one in dataclasses.fields(section) if one.default is not dataclasses.MISSING}


def seconds_of(duration: Duration) -> int:
    """The seconds that a setting such as "15m" or "7d" means."""
    return int(duration[:-1]) * _UNITS_S[duration[-1]]


def find_config(explicit: Path | None, *, working_dir: Path, user_config_dir: Path) -> Path:
    """The settings file to use.

    Raises:
        ConfigError: it does not exist; the message names every place that was looked at.
    """
    tried = (
        [explicit] if explicit is not None else [working_dir / "configs" / "site.toml", user_config_dir / "site.toml"]
    )
    for path in tried:
        try:
            if path.is_file():
                return path
            if path.is_dir() and path == explicit:
                raise ConfigError("the settings file is a folder", where=str(path), do="name the file with --config")
        except OSError as error:
            raise ConfigError(f"the settings file cannot be read ({error.strerror})", where=str(path)) from error
    if explicit is not None:
        raise ConfigError("the settings file does not exist", where=str(explicit), do="correct --config")
    raise ConfigError(
        "no settings file found",
        where=" and ".join(str(path) for path in tried),
        do="copy configs/site.example.toml to configs/site.toml and fill in [site] and [token], or name a file with "
        "--config; to look around without an account, run `prospend demo`",
    )


def load_settings(
    path: Path,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
) -> Settings:
    """The settings in a file, changed by `PROSPEND__SECTION__KEY` and then by `overrides`.

    Relative paths are taken from the folder of the file they stand in.

    Args:
        path: a TOML file.
        environ: the process environment; the real one by default.
        overrides: section -> key -> value, as the command line gives them.

    Raises:
        ConfigError: naming every problem with its line, not only the first.
    """
    try:
        text = toml_text(path.read_bytes())
        document = toml_document(text)
    except OSError as error:
        raise ConfigError(f"the settings file cannot be read ({error.strerror})", where=str(path)) from error
    except ValueError as error:
        raise ConfigError(f"the settings file is {error}", where=str(path)) from None
    reader = _Reader(path, text)
    merged = reader.merged(document, _from_environment(os.environ if environ is None else environ), overrides or {})
    return reader.settings(merged)


def _from_environment(environ: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """Section -> key -> value from `PROSPEND__SITE__NAME=...`; a value that is TOML is read as such, else as text."""
    found: dict[str, dict[str, object]] = {}
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        try:
            value: object = toml_document(f"value = {environ[name]}")["value"]
        except ValueError:
            value = environ[name]
        found.setdefault(section.lower(), {})[key.lower()] = value
    return found


class _Reader:
    """Checks a document section by section and gathers all problems."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.problems: list[str] = []
        self.origins: dict[tuple[str, str], str] = {}

    def merged(
        self, document: dict[str, Any], *layers: Mapping[str, Mapping[str, object]]
    ) -> dict[str, dict[str, Any]]:
        sections: dict[str, dict[str, Any]] = {}
        for name, table in document.items():
            if isinstance(table, dict):
                sections[name] = dict(table)
            else:
                self.problems.append(f"{self.at(name)}: {shown_name(name)!r} stands outside a section")
        for layer, origin in zip(layers, ("environment", "command line"), strict=True):
            for section, values in layer.items():
                for key, value in values.items():
                    if not key:
                        self.problems.append(
                            f"{origin}: {ENVIRONMENT_PREFIX}{shown_name(section.upper())} has not the form "
                            f"{ENVIRONMENT_PREFIX}SECTION__KEY"
                        )
                        continue
                    sections.setdefault(section, {})[key] = value
                    self.origins[section, key] = origin
        return sections

    def settings(self, sections: dict[str, dict[str, Any]]) -> Settings:
        for name in sorted(sections.keys() - SECTIONS.keys()):
            self.problems.append(f"{self.at(name)}: unknown section [{shown_name(name)}]{_nearest(name, SECTIONS)}")
        values = {name: self.section(name, kind, sections.get(name, {})) for name, kind in SECTIONS.items()}
        self.check(values)
        if self.problems:
            raise ConfigError.of_many(
                self.problems,
                where=str(self.path),
                do="correct what is named and run again; configs/site.example.toml lists every setting",
            )
        return Settings(**values, source=self.path)

    def section(self, name: str, kind: type, table: Mapping[str, object]) -> Any:
        hints = get_type_hints(kind, include_extras=True)
        values: dict[str, object] = {}
        for key, written in table.items():
            if key not in hints:
                self.problems.append(
                    f"{self.at(name, key)}: unknown setting {name}.{shown_name(key)}{_nearest(key, hints)}"
                )
                continue
            if _holds_token(written):
                self.problems.append(
                    f"{self.at(name, key)}: {name}.{key} holds what looks like a token; settings say only where it "
                    "is found"
                )
                values[key] = None
                continue
            try:
                values[key] = msgspec.convert(written, hints[key], dec_hook=_path_from, strict=True)
            except msgspec.ValidationError as error:
                self.problems.append(f"{self.at(name, key)}: {name}.{key}: {str(error)[:1].lower()}{str(error)[1:]}")
                values[key] = None
        for spec in dataclasses.fields(kind):
            if spec.default is dataclasses.MISSING and spec.name not in values:
                self.problems.append(f"{self.at(name)}: {name}.{spec.name} is missing")
                values[spec.name] = None
        for key, value in values.items():
            if isinstance(value, Path):
                origin = self.origins.get((name, key))
                folder = Path.cwd() if origin else self.path.absolute().parent
                values[key] = Path(os.path.normpath(folder / self.expanded(name, key, value)))
        return kind(**values)

    def expanded(self, name: str, key: str, path: Path) -> Path:
        """`~` and `~user` as their folders."""
        try:
            return path.expanduser()
        except RuntimeError:
            self.problems.append(f"{self.at(name, key)}: {name}.{key}: there is no such user's folder")
            return path

    def check(self, values: Mapping[str, Any]) -> None:
        """The rules that one type cannot express."""
        if isinstance(values["site"].base_url, str):
            for problem in base_url_problems(values["site"].base_url):
                self.problems.append(f"{self.at('site', 'base_url')}: site.base_url {problem}")
        if isinstance(values["api"].proxy, str):
            for problem in proxy_problems(values["api"].proxy):
                self.problems.append(f"{self.at('api', 'proxy')}: api.proxy {problem}")
        zone = values["site"].timezone
        if isinstance(zone, str):
            try:
                ZoneInfo(zone)
            except (KeyError, ValueError, OSError):
                self.problems.append(f"{self.at('site', 'timezone')}: site.timezone {zone!r} is not a time zone name")
        token = values["token"]
        given = [key for key in TOKEN_PLACES if getattr(token, key) is not None]
        bad = any(f"token.{key}:" in problem for key in TOKEN_PLACES for problem in self.problems)
        if len(given) != 1 and not bad:
            found = " and ".join(f"token.{key}" for key in given) or "none"
            places = ", ".join(f"token.{key}" for key in TOKEN_PLACES)
            self.problems.append(f"{self.at('token')}: exactly one of {places}; found {found}")

    def at(self, section: str, key: str | None = None) -> str:
        """Where a setting stands: a line of the file, the environment or the command line."""
        if key is not None and (section, key) in self.origins:
            return self.origins[section, key]
        inside = False
        for number, line in enumerate(self.lines, 1):
            if re.match(rf"\s*\[\s*{re.escape(section)}\s*\]", line):
                inside = True
                if key is None:
                    return f"line {number}"
            elif line.lstrip().startswith("["):
                inside = False
            elif inside and key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return f"line {number}"
        return "file"


def _holds_token(value: object) -> bool:
    if isinstance(value, str):
        return looks_like_token(value)
    return isinstance(value, list) and any(_holds_token(one) for one in value)


def _path_from(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    raise ValueError(f"expected a path, got {type(value).__name__}")


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
