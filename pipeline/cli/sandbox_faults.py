"""Faults on the command line: the options of `sandbox serve`, and `sandbox faults`, which lists what there is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.sandbox.faults import Scenario
    from pipeline.sandbox.model import SandboxSettings

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--fault",
        "faults",
        multiple=True,
        metavar="NAME[:KEY=VALUE,...]",
        help="Break answers or connections so; see `prospend sandbox faults`. The first that fits happens.",
    ),
    click.option(
        "--fault-seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed breaks the same."
    ),
)


def fault_options(command: F) -> F:
    """The options that `with_faults` takes, on a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_faults(settings: SandboxSettings, faults: tuple[str, ...], seed: int) -> SandboxSettings:
    """The settings with a plan of faults; unchanged without any.

    Raises:
        ConfigError: a fault that does not exist, or is told what it does not take.
    """
    if not faults:
        return settings
    from pipeline.errors import ConfigError
    from pipeline.sandbox.faults import UnknownFault, plan

    try:
        return dataclasses.replace(settings, faults=plan(*faults, seed=seed))
    except UnknownFault as error:
        raise ConfigError(str(error), where="sandbox serve --fault", do="see `prospend sandbox faults`") from None


@click.command("faults", short_help="List the faults that can be injected.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, keys included.")
def faults_command(names: tuple[str, ...], as_json: bool) -> None:
    """List every fault, one line each; with names, what those can be told.

    \b
    Examples:
      prospend sandbox faults
      prospend sandbox faults cut-body mix
      prospend sandbox serve --fault mix:share=0.2 --fault-seed 7
      prospend sandbox serve --fault expired-cursor:resource=claim,page=3,times=1
    """
    from pipeline.sandbox.faults import SCENARIOS

    shown = [_scenario(name) for name in names] or list(SCENARIOS.values())
    if as_json:
        click.echo(json.dumps([_document(scenario) for scenario in shown], indent=2))
        return
    width = max(len(scenario.name) for scenario in shown)
    for scenario in shown:
        click.echo(f"{scenario.name:<{width}}  {scenario.description}")
        for key in _document(scenario)["keys"] if names else ():
            default = "drawn by the seed" if key["default"] is None else key["default"]
            click.echo(f"    {key['name']}={default if default != '' else 'any'}: {key['meaning']}")


def _scenario(name: str) -> Scenario:
    from pipeline.errors import ConfigError
    from pipeline.sandbox.faults import SCENARIOS, UnknownFault, plan

    try:
        plan(name)
    except UnknownFault as error:
        raise ConfigError(str(error), where="sandbox faults", do="see `prospend sandbox faults`") from None
    return SCENARIOS[name]


def _document(scenario: Scenario) -> dict[str, Any]:
    from pipeline.sandbox.faults import keys_of

    keys = [
        {"name": key.name, "default": default, "meaning": key.meaning, "values": list(key.choices)}
        for key, default in keys_of(scenario)
    ]
    return {"name": scenario.name, "description": scenario.description, "keys": keys}
