"""The `prospend` command. Only this package prints.

Commands are small modules that are cheap to import: whatever is heavy is imported inside the command that needs it, so
that `--help` and errors stay instant.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from pipeline.cli.commands import demo, plan, query, run, status
from pipeline.cli.sandbox import sandbox
from pipeline.cli.token import token
from pipeline.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_PUBLISHED, EXIT_TERMINATED, PipelineError

_EXAMPLES = """\b
Examples:
  prospend demo                      everything, on built-in sample books; no account needed
  prospend run                       the nightly run of configs/site.toml
  prospend plan                      what that run would read and cost
  prospend query "SELECT status, count(*) FROM prospend.claim GROUP BY status"
  prospend status                    last runs and the age of the data
  prospend token check               one call: is the token accepted
  prospend sandbox serve             a ProSpend-compatible server to develop against
"""


class Terminated(BaseException):
    """SIGTERM arrived; nothing may swallow it."""


@click.group(help=f"ProSpend to Parquet to DuckDB, every night.\n\n{_EXAMPLES}")
@click.version_option(package_name="prospend-pipeline", message="prospend %(version)s")
def prospend() -> None:
    """See `help`, which begins with examples."""


for command in (demo, run, plan, query, status, token, sandbox):
    prospend.add_command(command)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line. Returns its exit code; errors are printed in four lines, without a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        result = prospend.main(args=list(arguments), prog_name="prospend", standalone_mode=False)
    except PipelineError as error:
        _print_error(error, with_traceback="--debug" in arguments)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 10
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing was published", err=True)
        return EXIT_INTERRUPTED
    except Terminated:
        click.echo("terminated; nothing was published", err=True)
        return EXIT_TERMINATED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_PUBLISHED
    except Exception as error:  # noqa: BLE001 - the outermost place: what arrives here is a bug, and is told as one
        _print_bug(error, with_traceback="--debug" in arguments)
        return EXIT_INTERNAL
    return result if isinstance(result, int) else EXIT_PUBLISHED


def _print_error(error: PipelineError, *, with_traceback: bool) -> None:
    if with_traceback:
        traceback.print_exception(error)
    for label, text in error.lines():
        click.echo(f"{label:<6} {_one_line(text)}", err=True)


def _print_bug(error: Exception, *, with_traceback: bool) -> None:
    if with_traceback:
        traceback.print_exception(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    click.echo(f"WHAT   INTERNAL (70): {type(error).__name__}", err=True)
    click.echo(f"WHERE  {place.name}, line {place.lineno} of {place.filename.rsplit('/', 1)[-1]}", err=True)
    click.echo("STATE  nothing published by this run; readers are unaffected", err=True)
    click.echo("DO     report this as a bug with these lines; run again with --debug for the traceback", err=True)


def _one_line(text: str) -> str:
    """Control characters made visible, so that no value can forge a line or colour a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
