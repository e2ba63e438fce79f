"""Writing a site's first settings: questions on a terminal, the file, the token, and what to do next."""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from pipeline.cli.first_day import CONFIG, ORIGIN, TOKEN_FILE
from pipeline.cli.options import until_the_reader_leaves
from pipeline.cli.text import counted, visible
from pipeline.durable import make_folder, storing, write_sealed
from pipeline.errors import ConfigError, PipelineError
from pipeline.settings import Settings, Site, defaults_of, load_settings
from pipeline.settings.writing import Value, example_path, filled_in
from pipeline.written import looks_like_token

_DATA_DIR = "../data"
_UNTOUCHED = "nothing was written"
_NEXT = ("run", "status", "schedule --cron")


@dataclass(frozen=True, slots=True)
class Given:
    """What was given as options; None is asked for, or takes its default. At most one place of the token is given."""

    config: Path
    name: str | None
    base_url: str | None
    timezone: str | None
    fiscal_year_start: int | None
    data_dir: str | None
    ca_file: str | None
    places: Mapping[str, Value | None]


def set_up(given: Given, *, checks_token: bool, is_forced: bool, as_json: bool, quiet: bool) -> None:
    """The settings file stands, the token was tried, and what to do next is told.

    Raises:
        ConfigError: an answer is missing or not right; nothing was written.
        PipelineError: the token is not there or not taken; the settings stay.
    """
    places = [(kind, value) for kind, value in given.places.items() if value]
    if len(places) > 1:
        raise ConfigError(
            f"the token can be in one place only, and {len(places)} are given",
            where="init",
            state=_UNTOUCHED,
            do="give one of --token-file, --token-env, --token-command, --token-keyring, --token-credential",
        )
    _refuse_existing(given.config, is_forced=is_forced)
    ask = _asked if sys.stdin.isatty() and not (as_json or quiet) else _not_asked
    month = str(given.fiscal_year_start) if given.fiscal_year_start else None
    usual_month = str(defaults_of(Site)["fiscal_year_start"])
    answers: dict[tuple[str, str], Value | None] = {
        ("site", "name"): ask("Your name for the site", given.name, None, "--name"),
        ("site", "base_url"): ask("Origin of the API", given.base_url, ORIGIN, "--base-url"),
        ("site", "timezone"): ask("Time zone of your people", given.timezone, _own_zone(), "--timezone"),
        ("site", "fiscal_year_start"): _month(
            ask("First month of your fiscal year, 1 to 12", month, usual_month, "--fiscal-year-start")
        ),
        ("storage", "data_dir"): given.data_dir or _DATA_DIR,
        ("token", "file"): None,
    }
    kind, place = places[0] if places else ("file", ask("File with the token", None, TOKEN_FILE, "--token-file"))
    answers["token", kind] = _absolute(place) if kind == "file" else place
    if given.ca_file:
        answers["api", "ca_file"] = _absolute(given.ca_file)
    settings = _written(given.config, answers)
    if ask is _asked:
        _offer_to_store(settings.token.file)
    seen = _seen(settings, given.config) if checks_token else None
    with until_the_reader_leaves():
        _tell(given.config, settings, seen, as_json=as_json, quiet=quiet)


def _asked(question: str, given: str | None, default: str | None, _option: str) -> str:
    """What the person at the terminal says, unless it was given as an option."""
    return given or str(click.prompt(question, default=default, err=True)).strip()


def _not_asked(question: str, given: str | None, default: str | None, option: str) -> str:
    found = given or default
    if found is None:
        raise ConfigError(
            f"{question[0].lower()}{question[1:]} is not given",
            where="init",
            state=_UNTOUCHED,
            do=f"give {option}, or run it on a terminal to be asked",
        )
    return found


def _month(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 12:
        return int(text)
    raise ConfigError(f"{text!r:.20} is no month from 1 to 12", where="init", state=_UNTOUCHED, do="give a number")


def _own_zone() -> str:
    """This machine's zone where it is Australian or of New Zealand; a server's UTC is nobody's business hours."""
    default: str = defaults_of(Site)["timezone"]
    try:
        found = Path("/etc/timezone").read_text("utf-8").strip()
    except (OSError, ValueError):
        return default
    return found if found.startswith(("Australia/", "Pacific/Auckland", "Pacific/Chatham")) else default


def _refuse_existing(config: Path, *, is_forced: bool) -> None:
    if config.exists() and not is_forced:
        raise ConfigError(
            "the settings file exists already",
            where=str(config),
            state="nothing was changed",
            do="edit it (configs/site.example.toml explains every setting), or give --force to write it anew; "
            "name another one with --config",
        )


def _written(config: Path, answers: Mapping[tuple[str, str], Value | None]) -> Settings:
    """The settings file stands, and is right; the one before stays beside it.

    Raises:
        ConfigError: an answer is not right; nothing was written.
    """
    if any(looks_like_token(one) for one in _texts(answers.values())):
        raise ConfigError(
            "an answer is a token: settings say only where it is found",
            where="init",
            state=_UNTOUCHED,
            do="name the file with the token; you are asked for the token itself after that",
        )
    text = filled_in(example_path().read_text("utf-8"), answers)
    where = f"init · {config}"
    with storing(where):
        make_folder(config.parent)
        aside = config.with_name(f".{config.name}.new")
        try:
            aside.unlink(missing_ok=True)
            aside.write_text(text, "utf-8")
            try:
                settings = replace(load_settings(aside), source=config)
            except ConfigError as error:
                error.where, error.state = where, _UNTOUCHED
                error.do = "correct the answer and run `prospend init` again"
                raise
            mode = 0o640
            if config.exists():
                mode = stat.S_IMODE(config.stat().st_mode)
                os.link(config, _free_name(config))
            write_sealed(config, text.encode(), mode=mode | stat.S_IWUSR)
        finally:
            aside.unlink(missing_ok=True)
    return settings


def _absolute(place: Value) -> Value:
    """A path as the settings are to hold it: from where the user is, not from the settings' folder; ~ stays."""
    return place if not isinstance(place, str) or place.startswith("~") else str(Path(place).absolute())


def _free_name(config: Path) -> Path:
    """Where the file before is kept: never in place of one that was kept earlier."""
    names = (f"{config.name}.before", *(f"{config.name}.before-{number}" for number in range(2, 1000)))
    return next(config.with_name(name) for name in names if not config.with_name(name).exists())


def _texts(values: Iterable[Value | None]) -> Iterator[str]:
    for value in values:
        yield from (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()


def _offer_to_store(file: Path | None) -> None:
    """The token is put where the settings say, if it is not there yet and somebody has it at hand."""
    if file is None or file.exists():
        return
    given = click.prompt(
        f"Paste the token to store it in {file} (nothing is shown), or press Enter to do that later",
        default="",
        hide_input=True,
        show_default=False,
        err=True,
    ).strip()
    if given:
        with storing(f"init · {file}"):
            make_folder(file.parent)
            write_sealed(file, f"{given}\n".encode(), mode=0o600)


def _seen(settings: Settings, config: Path) -> Mapping[str, Any]:
    """What `token check` finds.

    Raises:
        PipelineError: the token is not there or not taken; the settings stay.
    """
    from pipeline.cli.token import checked_token_document

    try:
        return checked_token_document(settings)
    except PipelineError as error:
        error.state = f"{config} is written, and nothing else"
        error.do = f"{error.do}; then `prospend token check{_option(config)}`"
        raise


def _tell(config: Path, settings: Settings, seen: Mapping[str, Any] | None, *, as_json: bool, quiet: bool) -> None:
    nexts = [f"prospend {command}{_option(config)}" for command in _NEXT]
    if as_json:
        companies = seen["companies"] if seen else None
        told = {
            "config": str(config),
            "data_dir": str(settings.storage.data_dir),
            "companies": companies,
            "next": nexts,
        }
        click.echo(json.dumps(told, indent=2))
        return
    if quiet:
        return
    click.echo(f"written: {config}, with every setting explained")
    if seen is not None:
        more = ", and there are more" if seen["more_companies"] else ""
        click.echo(f"the token is accepted; it sees {counted(len(seen['companies']), 'company', 'companies')}{more}:")
        for one in seen["companies"]:
            click.echo(f"  {visible(one['id'])}  {visible(one['name'] or '')}".rstrip())
    click.echo("\nNext:")
    for command in nexts:
        click.echo(f"  {command}")


def _option(config: Path) -> str:
    """How other commands are told of a settings file that they would not find by themselves."""
    return "" if config == CONFIG else f" --config {shlex.quote(str(config))}"
