"""A settings file for a new site: the commented reference with some of its lines filled in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

Value = str | int | tuple[str, ...]
_SECTION = re.compile(r"\[([a-z_]+)\]\s*\Z")
_SETTING = re.compile(r"(?:# )?([a-z_]+) = ")


def filled_in(example: str, answers: Mapping[tuple[str, str], Value | None]) -> str:
    """The example with these settings in it; everything else of it, comments and defaults, stays as it is.

    Args:
        example: the text of `configs/site.example.toml`, where each setting stands once, commented out or not.
        answers: by section and key; None comments a setting out.

    Raises:
        ValueError: the example has no such setting.
    """
    left, section, lines = dict(answers), "", []
    for line in example.splitlines():
        if found := _SECTION.match(line):
            section = found[1]
        setting = _SETTING.match(line)
        place = (section, setting[1]) if setting else None
        if place in left:
            value = left.pop(place)
            lines.append(_commented(line) if value is None else f"{place[1]} = {toml_value(value)}")
        else:
            lines.append(line)
    if left:
        raise ValueError(f"the example has no {', '.join('.'.join(place) for place in left)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Value) -> str:
    """A value as TOML writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(one) for one in value)}]"
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(_escaped(char) for char in value) + '"'


def example_path() -> Path:
    """Where the reference lies: beside the package where it was installed, in `configs` of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "site.example.toml"
    return installed if installed.exists() else package.parent / "configs" / "site.example.toml"


def _commented(line: str) -> str:
    return line if line.startswith("#") else f"# {line}"


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char >= " " and char != "\x7f" else f"\\u{ord(char):04x}"
