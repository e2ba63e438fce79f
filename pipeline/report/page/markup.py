"""HTML as values: text is escaped wherever it enters, so no name can become markup."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final

_VOID: Final = {"input", "link", "meta"}


class Markup(str):
    """Text that is HTML already; only `tag` and `raw` make it."""

    __slots__ = ()


Child = str | Iterable["Child"] | None


def raw(text: str) -> Markup:
    """Text of this program's own that is HTML as it stands; never anything from the warehouse."""
    return Markup(text)


def joined(*children: Child) -> Markup:
    """Children one after the other: markup as it is, other text escaped, None as nothing."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(html.escape(child, quote=False))
        else:
            parts.append(joined(*child))
    return Markup("".join(parts))


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Markup:
    """One element. `class_` is written `class` and `data_of` `data-of`; True is an attribute without a value."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{written}>" if name in _VOID else f"<{name}{written}>{joined(*children)}</{name}>")
