"""From values to HTML: fills the templates that lie beside it as files. Every value is escaped unless it is `Html`."""

from __future__ import annotations

import html
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from string import Template
from typing import Final

FILES: Final = Path(__file__).parent / "files"


class Html(str):
    """Markup that one of the templates made: stands in a page as it is."""

    __slots__ = ()


def fill(template: str, **values: str | int) -> Html:
    """The template `files/<template>.html` with its values.

    Raises:
        KeyError: a value is missing.
    """
    safe = {name: value if isinstance(value, Html) else html.escape(str(value)) for name, value in values.items()}
    return Html(_template(template).substitute(safe))


def joined(parts: Iterable[Html]) -> Html:
    """Pieces of a page, one after the other."""
    return Html("".join(parts))


def day(instant: datetime) -> str:
    """A date as people in the sandbox's countries read it, `24 Nov 2026`; UTC."""
    return f"{instant.day} {instant:%b %Y}"


@cache
def _template(name: str) -> Template:
    return Template((FILES / f"{name}.html").read_text("utf-8"))
