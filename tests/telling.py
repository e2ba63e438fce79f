"""Every switch that could tell a secret, turned on for the `prospend` command; as a program of its own or in another.

All log records to standard error; each error that a command raises logged in the styles of loggers and crash reporters:
text, repr, traceback with the local variables of every frame and of all that led to it, extra fields, a JSON document.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
import warnings

from pipeline import cli

LOG = logging.getLogger("telling")


def tell(error: BaseException) -> None:
    """Log an error in every style."""
    LOG.error("text %s", error)
    LOG.error("repr %r, %r", error, error.args)
    LOG.error("fields", exc_info=error, extra={"error": error})
    LOG.error("extra %s", json.dumps({"error": vars(error), "args": error.args}, default=repr))
    LOG.error("locals %s", "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    led_to: BaseException | None = error
    while led_to is not None:
        LOG.error("deep %r %s", led_to.args, deep(led_to))
        led_to = led_to.__context__


def deep(error: BaseException) -> str:
    """Every variable of every frame, with its own variables."""
    told = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        told += [f"{frame.f_code.co_name}, line {line}", *(inside(value) for value in frame.f_locals.values())]
    return "\n".join(told)


def inside(value: object) -> str:
    named = getattr(value, "__dict__", None) or {
        name: getattr(value, name) for name in getattr(type(value), "__slots__", ()) if hasattr(value, name)
    }
    return f"{type(value).__name__} {named!r} {value!r}"


def telling(main):
    """The same entry to all commands, telling what it raises."""

    def run(*args: object, **options: object) -> object:
        try:
            return main(*args, **options)
        except Exception as error:
            tell(error)
            raise

    return run


def switch_on() -> None:
    """From now on this process tells all it can."""
    os.environ["PYTHONASYNCIODEBUG"] = "1"
    warnings.simplefilter("always")
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    cli.prospend.main = telling(cli.prospend.main)


if __name__ == "__main__":
    switch_on()
    sys.exit(cli.run_command(sys.argv[1:]))
