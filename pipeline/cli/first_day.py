"""`init` and `doctor`: a settings file from a few answers, and whether a run could begin."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import shared, until_the_reader_leaves
from pipeline.cli.text import counted, visible
from pipeline.durable import make_folder, move, storing, write_sealed
from pipeline.errors import ConfigError, PipelineError
from pipeline.settings import Settings, Site, defaults_of, load_settings
from pipeline.settings.writing import Value, example_path, filled_in

if TYPE_CHECKING:
    from pipeline.examining import Finding

_SIGNS = {"fine": "ok  ", "note": "note", "wrong": "FAIL"}
_ORIGIN = "https://api.apac.prospend.io"
_CONFIG = Path("configs/site.toml")
_DATA_DIR = "../data"
_NEXT = ("run", "status", "schedule --cron")
_TOKEN_FILE = "~/.prospend-token"  # noqa: S105 - where it is, not what it is


@dataclass(frozen=True, slots=True)
class Answers:
    """What a settings file needs to know; a missing token place means the default file."""

    name: str
    base_url: str
    timezone: str
    fiscal_year_start: int
    data_dir: str
    token_place: tuple[str, Value]
    ca_file: str | None


@click.command(short_help="Write configs/site.toml from a few answers, and try the token.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    default=_CONFIG,
    show_default=True,
    help="The settings file to write.",
)
@click.option("--name", help="Your name for the site, such as my-company.")
@click.option("--base-url", help=f"Origin of the API, https only.  [default: {_ORIGIN}]")
@click.option("--timezone", help="Time zone of dates shown to people, such as Pacific/Auckland.")
@click.option("--fiscal-year-start", type=click.IntRange(1, 12), help="Month in which the fiscal year begins.")
@click.option("--data", help="Folder for everything that is stored, absolute or below the settings file's.")
@click.option("--ca-file", help="PEM file with more certificate authorities.")
@click.option("--token-file", help=f"The file with the token, mode 0600.  [default: {_TOKEN_FILE}]")
@click.option("--token-env", metavar="NAME", help="An environment variable that holds it.")
@click.option("--token-command", metavar="WORDS", help="A command that prints it.")
@click.option("--token-keyring", metavar="SERVICE/USER", help="An entry of the system's keyring.")
@click.option("--token-credential", metavar="NAME", help="A systemd credential.")
@click.option("--no-check", is_flag=True, help="Ask the source nothing.")
@click.option("--force", is_flag=True, help="Write over a file that exists; it is kept beside, as .before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; ask nothing.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors; ask nothing.")
@click.option("--debug", is_flag=True, help="With an error, also print where in the program it happened.")
def init(
    config: Path,
    name: str | None,
    base_url: str | None,
    timezone: str | None,
    fiscal_year_start: int | None,
    data: str | None,
    ca_file: str | None,
    token_file: str | None,
    token_env: str | None,
    token_command: str | None,
    token_keyring: str | None,
    token_credential: str | None,
    no_check: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write a commented settings file, try the token by one call, and say what to do next.

    \b
    Examples:
      prospend init                                     asks what it needs to know
      prospend init --name my-company --timezone Pacific/Auckland --fiscal-year-start 4
      prospend init --name my-company --token-env PROSPEND_TOKEN --no-check

    Asked on a terminal, you can paste the token: it is stored in a file that only you can read. It never stands in the
    settings or on a command line.
    """
    places: dict[str, Value | None] = {
        "file": token_file,
        "env": token_env,
        "command": tuple(shlex.split(token_command)) if token_command else None,
        "keyring": token_keyring,
        "credential": token_credential,
    }
    given = [(kind, value) for kind, value in places.items() if value]
    if len(given) > 1:
        raise ConfigError(
            f"the token can be in one place only, and {len(given)} are given",
            where="init",
            state="nothing was written",
            do="give one of --token-file, --token-env, --token-command, --token-keyring, --token-credential",
        )
    _refuse_existing(config, is_forced=force)
    ask = _asked if sys.stdin.isatty() and not (as_json or quiet) else _not_asked
    answers = Answers(
        name=ask("Your name for the site", name, None, "--name"),
        base_url=ask("Origin of the API", base_url, _ORIGIN, "--base-url"),
        timezone=ask("Time zone of your people", timezone, _own_zone(), "--timezone"),
        fiscal_year_start=int(
            ask(
                "First month of your fiscal year, 1 to 12",
                str(fiscal_year_start) if fiscal_year_start else None,
                str(defaults_of(Site)["fiscal_year_start"]),
                "--fiscal-year-start",
            )
        ),
        data_dir=data or _DATA_DIR,
        token_place=given[0] if given else ("file", ask("File with the token", None, _TOKEN_FILE, "--token-file")),
        ca_file=ca_file,
    )
    settings = _written(config, answers)
    if ask is _asked:
        _offer_to_store(settings.token.file)
    seen = None if no_check else _seen(settings, config)
    with until_the_reader_leaves():
        _tell(config, settings, seen, as_json=as_json, quiet=quiet)


def _asked(question: str, given: str | None, default: str | None, _option: str) -> str:
    """What the person at the terminal says, unless it was given as an option."""
    return given or str(click.prompt(question, default=default, err=True)).strip()


def _not_asked(question: str, given: str | None, default: str | None, option: str) -> str:
    found = given or default
    if found is None:
        raise ConfigError(
            f"{question[0].lower()}{question[1:]} is not given",
            where="init",
            state="nothing was written",
            do=f"give {option}, or run it on a terminal to be asked",
        )
    return found


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


def _written(config: Path, answers: Answers) -> Settings:
    """The settings file stands, and is right; the one before stays beside it.

    Raises:
        ConfigError: an answer is not right; nothing was written.
    """
    kind, place = answers.token_place
    values: dict[tuple[str, str], Value | None] = {
        ("site", "name"): answers.name,
        ("site", "base_url"): answers.base_url,
        ("site", "timezone"): answers.timezone,
        ("site", "fiscal_year_start"): answers.fiscal_year_start,
        ("storage", "data_dir"): answers.data_dir,
        ("token", "file"): None,
        ("token", kind): place,
    }
    if answers.ca_file:
        values["api", "ca_file"] = str(Path(answers.ca_file).expanduser().absolute())
    text = filled_in(example_path().read_text("utf-8"), values)
    where = f"init · {config}"
    with storing(where):
        make_folder(config.parent)
        aside = config.with_name(f".{config.name}.new")
        try:
            aside.write_text(text, "utf-8")
            try:
                settings = load_settings(aside)
            except ConfigError as error:
                error.where, error.state = where, "nothing was written"
                error.do = "correct the answer and run `prospend init` again"
                raise
            if config.exists():
                config.replace(config.with_name(f"{config.name}.before"))
            move(aside, config)
        finally:
            aside.unlink(missing_ok=True)
    return settings


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


@click.command(short_help="Everything that could be wrong on this machine, each with its remedy.")
@click.option("--offline", is_flag=True, help="Ask the source nothing.")
@shared
def doctor(
    offline: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> int:
    """Look at settings, token, clock, network, disk, permissions, locks, schedule and data. Nothing is changed.

    \b
    Examples:
      prospend doctor
      prospend doctor --offline --json

    Exit code 0: a run could begin. Otherwise that of the first thing that is wrong: a run would end with it.
    """
    import os
    from datetime import UTC, datetime

    from pipeline.cli.options import site_settings
    from pipeline.cli.token import checked_token_document
    from pipeline.examining import Patient, examined
    from pipeline.ops.token_source import guarded_environment

    settings = site_settings(config, data)
    environ = guarded_environment(settings.token, os.environ)
    asks = None if offline else (lambda: checked_token_document(settings))
    found = tuple(examined(Patient(settings, environ, datetime.now(UTC), asks)))
    with until_the_reader_leaves():
        if as_json:
            click.echo(json.dumps({"findings": [asdict(one) for one in found]}, indent=2))
        else:
            _print_findings(found, quiet=quiet)
    return next((one.exit_code for one in found if one.kind == "wrong"), 0)


def _print_findings(found: Sequence[Finding], *, quiet: bool) -> None:
    for one in found:
        if quiet and one.kind == "fine":
            continue
        click.echo(f"{_SIGNS[one.kind]} {one.name:<12}  {visible(one.told)}")
        if one.remedy:
            click.echo(f"{'':<19}DO  {visible(one.remedy)}")
    wrong = [one for one in found if one.kind == "wrong"]
    if not quiet:
        told = f"{counted(len(wrong), 'thing')} to put right before a run" if wrong else "a run could begin"
        click.echo(f"\n{told}")


def _option(config: Path) -> str:
    """How other commands are told of a settings file that they would not find by themselves."""
    return "" if config == _CONFIG else f" --config {shlex.quote(str(config))}"
