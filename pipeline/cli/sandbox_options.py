"""How a sandbox is to serve, as options that `sandbox serve` and `sandbox openapi` share, and what explains them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.sandbox.model import SandboxSettings

F = TypeVar("F", bound=Callable[..., Any])

_POSITIVE = click.IntRange(1, 1_000_000_000)
_OPTIONS = (
    click.option("--variant", "variants", multiple=True, metavar="NAME=VALUE", help="See `prospend sandbox variants`."),
    click.option("--page-cap", type=_POSITIVE, default=1000, show_default=True, help="The greatest page."),
    click.option("--cursor-lifetime-s", type=_POSITIVE, help="Cursors expire after so many seconds."),
    click.option("--cursor-lifetime-pages", type=_POSITIVE, help="Cursors of a walk expire after so many pages."),
    click.option("--hourly-limit", type=_POSITIVE, help="Requests in an hour, then 429."),
    click.option("--monthly-limit", type=_POSITIVE, help="Requests in 30 days, then 429."),
)


def serving_options(command: F) -> F:
    """The options that `serving_settings` takes, on a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def serving_settings(
    state: Path, *, variants: tuple[str, ...] = (), **numbers: Any
) -> SandboxSettings:  # numbers: fields of SandboxSettings, as click read them
    """The settings that some options mean.

    Raises:
        ConfigError: a variant that does not exist.
    """
    from pipeline.sandbox.model import SandboxSettings
    from pipeline.sandbox.variants import read_variants

    return SandboxSettings(state_dir=state.absolute(), variants=read_variants(variants), **numbers)


@click.command("variants", short_help="List what is not documented and can be switched.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def variants_command(as_json: bool) -> None:
    """List every variant: its name, its values beginning with the default, and what it decides.

    \b
    Examples:
      prospend sandbox variants
      prospend sandbox serve --variant end_marker=missing --variant number_ids=on
    """
    from pipeline.sandbox.variants import switches

    if as_json:
        listed = [{"name": s.name, "default": s.default, "values": s.values, "about": s.about} for s in switches()]
        click.echo(json.dumps(listed, indent=2))
        return
    for switch in switches():
        first, *others = switch.values
        click.echo(f"{switch.name}={first} (default) | {' | '.join(others)}")
        click.echo(f"    {switch.about}")


@click.command("openapi", short_help="Print the description of what is served.")
@serving_options
def openapi_command(**options: Any) -> None:
    """Print the OpenAPI document of a sandbox with these options, as it is served at /openapi.yaml.

    \b
    Examples:
      prospend sandbox openapi > openapi.yaml
      prospend sandbox openapi --variant names=old
    """
    from pipeline.resources import read_catalogue
    from pipeline.sandbox.openapi import openapi_yaml

    click.echo(openapi_yaml(read_catalogue(), serving_settings(Path(), **options)), nl=False)
