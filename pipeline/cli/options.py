"""Options that several commands share, and how they find the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    help="Settings file; otherwise configs/site.toml, then the user's config folder.",
)
_DATA = click.option(
    "--data", type=click.Path(path_type=Path, readable=False), help="Data folder, instead of storage.data_dir."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_QUIET = click.option("--quiet", is_flag=True, help="No progress on standard error.")
_DEBUG = click.option("--debug", is_flag=True, help="With an error, also print where in the program it happened.")


_FORMS = {"YYYY-MM-DD": "%Y-%m-%d", "YYYY-MM-DDTHH:MM:SSZ": "%Y-%m-%dT%H:%M:%SZ"}


class Moment(click.DateTime):
    """A day or a time in one of the forms given, which are told as people write them, not in codes."""

    def __init__(self, *forms: str) -> None:
        super().__init__([_FORMS[form] for form in forms])
        self._told = " or ".join(forms)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The moment; what is none is refused, naming the forms."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r:.60} is not {self._told}", param, ctx)


def shared(command: F) -> F:
    """`--config --data --json --quiet --debug` on a command. `--debug` is read by the outermost caller."""
    for option in (_DEBUG, _QUIET, _JSON, _DATA, _CONFIG):
        command = option(command)
    return command


@contextmanager
def until_the_reader_leaves() -> Iterator[None]:
    """Printing inside may stop early: a reader such as `head` that has seen enough is no failure."""
    with suppress(BrokenPipeError):
        yield


def site_settings(config: Path | None, data: Path | None) -> Settings:
    """The settings of the site the user means.

    Raises:
        ConfigError: no settings file, or one that is not right.
    """
    import platformdirs

    from pipeline.settings import find_config, load_settings

    user_config_dir = platformdirs.user_config_path("prospend")
    path = find_config(config, working_dir=Path.cwd(), user_config_dir=user_config_dir)
    overrides = {"storage": {"data_dir": str(data)}} if data is not None else {}
    return load_settings(path, overrides=overrides)


def data_folder(config: Path | None, data: Path | None) -> Path:
    """The data folder alone: commands that only read need no valid site."""
    return data if data is not None else site_settings(config, None).storage.data_dir


def existing(folder: Path) -> Path:
    """The data folder, which must be there: a mistyped one is told, not made.

    Raises:
        ConfigError: it is not.
    """
    from pipeline.errors import ConfigError

    if not folder.is_dir():
        raise ConfigError("there is no such data folder", where=str(folder), do="name one with --data")
    return folder


def catalogue_of(config: Path | None, data: Path | None) -> Path | None:
    """Where the site's own catalogue lies, None for the built-in one; with `--data` alone that."""
    return None if config is None and data is not None else site_settings(config, data).api.resources
