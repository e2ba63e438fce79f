"""Text for terminals: aligned tables, and values that cannot forge a line, move a cursor or colour the screen."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click


def visible(text: str) -> str:
    """The text with every control and formatting character shown as its escape, not obeyed."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def aligned(header: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Columns padded to their widest cell: header, rule, rows; `right` tells which stand to the right."""
    widths = [max(len(row[i]) for row in (header, *cells)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True))
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), line(["─" * width for width in widths]), *(line(row) for row in cells)])


def tinted(line: str, colour: str | None, *, bold: bool = False) -> str:
    """A line in a colour; the words must say the same, for `say` may leave it out."""
    return click.style(line, fg=colour, bold=bold) if colour else line


def say(text: str) -> None:
    """Print; colours reach terminals alone, and none whose owner asked for none (NO_COLOR, no-color.org)."""
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    click.echo(text, color=False if is_plain else None)
