"""`python -m pipeline` and the `prospend` command."""

from __future__ import annotations

import sys

from pipeline.cli import run_command


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
