"""`schedule`: a crontab line or a systemd timer for the nightly run, printed or installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from pipeline.cli.options import until_the_reader_leaves
from pipeline.durable import owner_of

if TYPE_CHECKING:
    from pipeline.ops.timetable import Nightly
    from pipeline.settings import Settings

_AT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")
# Clocks are changed between two and three in Australia and New Zealand: this time comes once a night, every night.
_DEFAULT_AT = "03:30"
_HOUR_OF_SWITCH = 2
_TIMEOUT_S = 30


@click.command(short_help="Print or install a crontab line or a systemd timer.")
@click.option("--cron", "kind", flag_value="cron", help="A line for crontab.")
@click.option("--systemd", "kind", flag_value="systemd", help="A hardened service, and its timer.")
@click.option("--at", default=_DEFAULT_AT, show_default=True, metavar="HH:MM", help="When it begins.")
@click.option("--install", is_flag=True, help="Put it in place instead of printing it; replaces the one before.")
@click.option("--user", "is_of_user", is_flag=True, help="With --systemd: for your own systemd, not the machine's.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    help="Settings file; otherwise configs/site.toml, then the user's config folder.",
)
@click.option("--debug", is_flag=True, help="With an error, also print where in the program it happened.")
def schedule(
    kind: str | None,
    at: str,
    install: bool,
    is_of_user: bool,
    config: Path | None,
    debug: bool,  # noqa: ARG001
) -> None:
    """Have the nightly run begin by itself.

    \b
    Examples:
      prospend schedule --cron                        the line, to paste into `crontab -e`
      prospend schedule --cron --install --at 04:15   into your own crontab
      prospend schedule --systemd                     both units, as text
      sudo prospend schedule --systemd --install      for the machine; runs as the owner of the data folder
      prospend schedule --systemd --user --install

    All paths in it are absolute, so the working directory, HOME and PATH do not matter. Cron goes by the machine's time
    zone, the timer by the site's. Between two and three in the morning clocks are changed: choose another time.
    """
    from pipeline.errors import ConfigError
    from pipeline.ops import timetable

    if kind is None:
        raise ConfigError("cron or systemd?", where="schedule", do="give --cron or --systemd")
    nightly = _nightly(config, at, is_of_system=kind == "systemd" and not is_of_user)
    if _is_left_out_in_spring(nightly):
        told = "note: clocks go forward from two to three: a systemd timer leaves that night out; choose another --at"
        click.echo(told, err=True)
    if kind == "cron":
        if nightly.variables:
            told = (
                f"note: cron sets none of {', '.join(nightly.variables)}: give each a line NAME=value above the entry"
            )
            click.echo(told, err=True)
        if install:
            _into_crontab(nightly)
        else:
            with until_the_reader_leaves():
                click.echo(timetable.cron_block(nightly), nl=False)
        return
    _refuse_missing(nightly)
    name = timetable.unit_name(nightly)
    units = {f"{name}.service": timetable.service_unit(nightly), f"{name}.timer": timetable.timer_unit(nightly)}
    if install:
        _into_systemd(units, name, nightly, is_of_user=is_of_user)
        return
    with until_the_reader_leaves():
        for file, text in units.items():
            click.echo(f"# ---- {file}\n{text}")


def _nightly(config: Path | None, at: str, *, is_of_system: bool) -> Nightly:
    """The night that the settings describe.

    Raises:
        ConfigError: the settings or the time are not right.
    """
    from pipeline.cli.options import site_settings
    from pipeline.errors import ConfigError

    match = _AT.match(at)
    if match is None:
        raise ConfigError(f"{at!r:.20} is no time of day", where="--at", do="give hours and minutes, such as 03:30")
    nightly = replace(nightly_of(site_settings(config, None)), at=(int(match[1]), int(match[2])))
    is_there = nightly.data_dir.exists()
    return replace(nightly, user=owner_of(nightly.data_dir)) if is_of_system and is_there else nightly


def _is_left_out_in_spring(nightly: Nightly) -> bool:
    """Whether one night a year does not have this time, because the zone has a summer of its own."""
    zone = ZoneInfo(nightly.timezone)
    year = datetime.now(UTC).year
    offsets = {datetime(year, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)}
    return nightly.at[0] == _HOUR_OF_SWITCH and len(offsets) > 1


def nightly_of(settings: Settings) -> Nightly:
    """The nightly run of a site, at the usual time."""
    from pipeline.ops.timetable import Nightly

    assert settings.source is not None
    named = (*settings.notify.urls, *filter(None, (settings.notify.ping_url,)))
    variables = [one.removeprefix("env:") for one in named if one.startswith("env:")]
    return Nightly(
        program=_program(),
        config=Path(os.path.normpath(settings.source.absolute())),
        site=settings.site.name,
        data_dir=settings.storage.data_dir.absolute(),
        at=(3, 30),
        timezone=settings.site.timezone,
        deadline_s=settings.api.run_deadline_s,
        credential=settings.token.credential,
        variables=tuple(dict.fromkeys((*filter(None, (settings.token.env,)), *variables))),
        also_writes=(metrics_file.absolute().parent,) if (metrics_file := settings.watch.prometheus_file) else (),
    )


def _refuse_missing(nightly: Nightly) -> None:
    """A unit that may write to the data folder alone needs one; and whoever owns it is who runs."""
    from pipeline.errors import ConfigError

    if not nightly.data_dir.is_dir():
        raise ConfigError(
            "the data folder is not there yet, and a closed-down service cannot make it",
            where=f"storage.data_dir = {nightly.data_dir}",
            state="nothing was changed",
            do="run `prospend run` once, as the user who is to run it each night",
        )


def _program() -> Path:
    """Where this program is, for somebody who has another PATH."""
    beside = Path(sys.executable).with_name("prospend")
    found = beside if beside.exists() else Path(shutil.which("prospend") or sys.argv[0])
    return found.absolute()


def _into_crontab(nightly: Nightly) -> None:
    from pipeline.errors import ConfigError
    from pipeline.ops.timetable import with_block

    crontab = shutil.which("crontab")
    if crontab is None:
        raise ConfigError(
            "this machine has no crontab command",
            where="schedule --cron --install",
            state="nothing was changed",
            do="install cron, or use `prospend schedule --systemd`",
        )
    listed = _called(crontab, "-l", unless="no crontab for")
    _called(crontab, "-", told=with_block(listed, nightly))
    hour, minute = nightly.at
    click.echo(f"installed in your crontab: every day at {hour:02}:{minute:02} by this machine's clock", err=True)


def _into_systemd(units: dict[str, str], name: str, nightly: Nightly, *, is_of_user: bool) -> None:
    from pipeline.durable import make_folder, storing, write_sealed
    from pipeline.errors import ConfigError

    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise ConfigError(
            "this machine has no systemctl command",
            where="schedule --systemd --install",
            state="nothing was changed",
            do="use `prospend schedule --cron`",
        )
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folder = home / "systemd" / "user" if is_of_user else Path("/etc/systemd/system")
    with storing(f"schedule \xb7 {folder}"):
        make_folder(folder)
        before = folder / f"{name}.service"
        if before.exists() and str(nightly.config) not in before.read_text("utf-8", "replace"):
            raise ConfigError(
                f"{before.name} is of other settings: two sites have one name",
                where=str(before),
                state="nothing was changed",
                do="give this site another site.name",
            )
        for file, text in units.items():
            write_sealed(folder / file, text.encode(), mode=0o644)
    scope = ("--user",) if is_of_user else ()
    _called(systemctl, *scope, "daemon-reload")
    _called(systemctl, *scope, "enable", "--now", f"{name}.timer")
    if is_of_user:
        click.echo("note: `loginctl enable-linger` lets it run while you are not logged in", err=True)
    click.echo(f"installed in {folder}: {', '.join(units)}; `systemctl {' '.join((*scope, 'list-timers'))}`", err=True)


def _called(*command: str, told: str | None = None, unless: str | None = None) -> str:
    """What a command of the system prints; nothing if it fails and says what is expected.

    Raises:
        ConfigError: it failed.
    """
    from pipeline.errors import ConfigError

    try:
        done = subprocess.run(  # noqa: S603 - found by its name, arguments of our own
            command,
            input=told,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            errors="surrogateescape",
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{command[0]} gave no answer in {_TIMEOUT_S} s", where=" ".join(command)) from None
    if done.returncode and (unless is None or unless not in done.stderr):
        said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise ConfigError(
            f"{Path(command[0]).name} refused: {said}",
            where=" ".join(command[1:]),
            state="what is printed by the same command without --install is not in place",
            do="correct what it says, or put it in place by hand",
        )
    return "" if done.returncode else done.stdout
