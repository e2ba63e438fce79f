"""Settings from TOML, the environment and the command line, in that order, and all that is wrong with them."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import msgspec

from pipeline.errors import ConfigError
from pipeline.settings.values import ENVIRONMENT_PREFIX, SECTIONS, TOKEN_PLACES, Settings
from pipeline.written import (
    base_url_problems,
    looks_like_token,
    notify_problems,
    proxy_problems,
    shown_name,
    toml_document,
    toml_text,
)


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
        notify = values["notify"]
        for key, urls in (("urls", notify.urls or ()), ("ping_url", filter(None, (notify.ping_url,)))):
            for problem in dict.fromkeys(chain.from_iterable(map(notify_problems, urls))):
                self.problems.append(f"{self.at('notify', key)}: notify.{key} {problem}")
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
