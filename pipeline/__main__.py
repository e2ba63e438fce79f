"""`python -m pipeline` and the `prospend` command."""

from __future__ import annotations

import io
import os
import sys

from pipeline.cli import run_command


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where the descriptor is closed
            # UTF-8 whatever the locale: cron's knows ASCII alone, and a result must not depend on who asked for it.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # A mask that shuts the owner out would do so in the middle of a night; what it says of others holds.
    os.umask(os.umask(0o077) & 0o077)
    code = run_command(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            # What cannot be written any more must not become the exit code (Python would leave with 120).
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
