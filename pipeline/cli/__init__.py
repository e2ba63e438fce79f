"""The `prospend` command. Only this package prints.

Commands are small modules that are cheap to import: whatever is heavy is imported inside the command that needs it, so
that `--help` and errors stay instant.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from pipeline.cli.commands import demo, plan, query, run, status
from pipeline.cli.completing import answered, completion, is_asked
from pipeline.cli.describing import dictionary
from pipeline.cli.ending import end_statements
from pipeline.cli.erasing import erase
from pipeline.cli.exporting import export
from pipeline.cli.exporting_dbt import dbt
from pipeline.cli.first_day import doctor, init
from pipeline.cli.generations import rebuild, rollback
from pipeline.cli.reporting import report
from pipeline.cli.sandbox import sandbox
from pipeline.cli.scheduling import schedule
from pipeline.cli.text import visible
from pipeline.cli.token import token
from pipeline.cli.upkeep import prune, verify
from pipeline.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_PUBLISHED, EXIT_TERMINATED, ConfigError, PipelineError
from pipeline.written import looks_like_token, shown_name

_EXAMPLES = """\b
Examples:
  prospend demo                      everything, on built-in sample books; no account needed
  prospend init                      write configs/site.toml from a few answers
  prospend doctor                    everything that could be wrong on this machine
  prospend run                       the nightly run of configs/site.toml
  prospend plan                      what that run would read and cost
  prospend query "SELECT status, count(*) FROM prospend.claim GROUP BY status"
  prospend status                    last runs and the age of the data
  prospend report                    the page and the workbook again
  prospend verify                    read every stored byte and compare it with what was written
  prospend prune --dry-run           what is no longer needed, and how many bytes it takes
  prospend export csv /tmp/marts     every mart as a file
  prospend dictionary                what every table and column means, and where it comes from
  prospend schedule --cron           the crontab line of the nightly run
  prospend erase --dry-run 4007      what tells of a person who has to be forgotten
  prospend token check               one call: is the token accepted
  prospend completion bash           the script that lets bash complete all of this
  prospend sandbox serve             a ProSpend-compatible server to develop against
"""


@click.group(help=f"ProSpend to Parquet to DuckDB, every night.\n\n{_EXAMPLES}")
@click.version_option(package_name="prospend-pipeline", message="prospend %(version)s")
def prospend() -> None:
    """See `help`, which begins with examples."""


_COMMANDS = (
    *(demo, init, doctor, run, plan, query, status, report, dictionary, export, schedule),
    *(verify, rebuild, rollback, prune, erase, token, sandbox, completion),
)
for command in _COMMANDS:
    prospend.add_command(command)
export.add_command(dbt)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line. Returns its exit code; errors are printed in four lines, without a traceback."""
    if is_asked():
        return answered(prospend)
    terminations: list[int] = []

    def terminate(number: int, _frame: FrameType | None) -> None:
        # DuckDB swallows an exception of a handler, and asyncio loses one that strikes in a task: hence the note, and
        # the orderly way where a loop is running.
        end_statements()
        terminations.append(number)
        if not _cancelled_running_loop():
            raise SystemExit(EXIT_TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which is what nohup asks for
        signal.signal(signal.SIGHUP, terminate)
    with_traceback = "--debug" in arguments
    try:
        result = prospend.main(args=list(arguments), prog_name="prospend", standalone_mode=False)
    except PipelineError as error:
        _print_error(error, with_traceback=with_traceback)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return EXIT_PUBLISHED
    except click.ClickException as error:
        wrong = _wrong_command_line(error, arguments)
        _print_error(wrong, with_traceback=False)
        return wrong.exit_code
    except (KeyboardInterrupt, SystemExit, click.Abort):
        # Never 0, which says published: a SystemExit without a signal is click's way of saying that a pipe broke.
        _say("terminated" if terminations else "interrupted", "; `prospend status` tells what readers have")
        return EXIT_TERMINATED if terminations else EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost place: what arrives here is a bug, and is told as one
        _print_bug(error, with_traceback=with_traceback)
        return EXIT_INTERNAL
    return result if isinstance(result, int) else EXIT_PUBLISHED


def _wrong_command_line(error: click.ClickException, arguments: Sequence[str]) -> ConfigError:
    """The four lines of a command line that is not right. What could be a token in it is not repeated."""
    told = error.format_message()
    for argument in sorted(arguments, key=len, reverse=True):
        if looks_like_token(argument) or (shown_name(argument) != argument and "/" not in argument):
            told = told.replace(argument, f"({len(argument)} characters)")
    is_token = "--token" in told or any(looks_like_token(argument) for argument in arguments)
    do = "see `prospend --help` or `... COMMAND --help`"
    if is_token:
        do = (
            "a token never stands on a command line, where others can see it: store it in a file of mode 0600, name "
            "that file as token.file in the settings; renew the token if others may have seen it"
        )
    return ConfigError(told, where="command line", do=do)


def _cancelled_running_loop() -> bool:
    """Whether an event loop is running here, whose tasks are now being cancelled."""
    asyncio = sys.modules.get("asyncio")
    try:
        loop = asyncio.get_running_loop() if asyncio else None
    except RuntimeError:
        return False
    if asyncio is None or loop is None:
        return False
    tasks = asyncio.all_tasks(loop)
    loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
    return True


def _print_error(error: PipelineError, *, with_traceback: bool) -> None:
    if with_traceback:
        _say("".join(traceback.format_exception(error)))
    else:
        for note in getattr(error, "__notes__", ()):
            _say(f"  - {visible(note)}")
    for label, text in error.lines():
        _say(f"{label:<6} {visible(text)}")


def _print_bug(error: Exception, *, with_traceback: bool) -> None:
    if with_traceback:
        _say("".join(traceback.format_exception(error)))
    place = traceback.extract_tb(error.__traceback__)[-1]
    _say(f"WHAT   INTERNAL (70): {type(error).__name__}")
    _say(f"WHERE  {place.name}, line {place.lineno} of {place.filename.rsplit('/', 1)[-1]}")
    _say("STATE  readers have one complete warehouse; `prospend status` tells which")
    _say("DO     report this as a bug with these lines; run again with --debug for the traceback")


def _say(*texts: str) -> None:
    # A closed or full standard error changes nothing about what happened.
    with contextlib.suppress(OSError, ValueError):
        click.echo("".join(texts), err=True)
