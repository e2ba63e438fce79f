"""Ending statements of DuckDB when a signal says so: 2.0 calls the handler, and then waits for the statement."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType

_TIMES_TOLD, _BETWEEN_S = 12, 0.25


def end_statements() -> None:
    """From a thread of its own, every statement of this process is told to end until it hears."""
    threading.Thread(target=_tell, name="ending statements", daemon=True).start()


def end_statements_on_interrupt() -> None:
    """Ctrl-C ends a statement as well. Not for a command that reads the source: asyncio wants the handler to itself."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        end_statements()
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, in the background
        signal.signal(signal.SIGINT, interrupt)


def _tell() -> None:
    for _ in range(_TIMES_TOLD):
        time.sleep(_BETWEEN_S)
        if interrupting := sys.modules.get("pipeline.warehouse.interrupting"):
            interrupting.interrupt_all()
