"""Plain data as YAML in block style: as much of YAML as a document needs, without a package that writes all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

# What reads as the text it is in YAML 1.1 and 1.2 alike; everything else is quoted, nearly as in JSON.
_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_/{}.,;()'+-]*(?: [A-Za-z0-9_/{}.,;()'+-]+)*\Z")
_READ_AS_OTHER: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def yaml_text(value: object) -> str:
    """A mapping or list of mappings, lists, texts, numbers, booleans and None as a YAML document.

    Raises:
        TypeError: a value of another type, or a name that is no text.
    """
    return "\n".join(_lines(value)) + "\n"


def _lines(value: object) -> Iterator[str]:
    match value:
        case dict() if value:
            for name, inner in value.items():
                yield from _placed(f"{_scalar(str(name))}:", inner, indent="  ")
        case list() | tuple() if value:
            for inner in value:
                yield from _listed(inner)
        case _:
            yield _scalar(value)


def _placed(label: str, value: object, *, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list | tuple) and value:
        yield label
        for line in _lines(value):
            yield indent + line
    else:
        yield f"{label} {_scalar(value)}"


def _listed(value: object) -> Iterator[str]:
    mark = "- "
    for line in _lines(value):
        yield mark + line
        mark = "  "


def _scalar(value: object) -> str:
    match value:
        case str() if _PLAIN.match(value) and value.lower() not in _READ_AS_OTHER:
            return value
        case str():
            # JSON leaves some characters bare at which a reader of YAML would break the line.
            quoted = json.dumps(value, ensure_ascii=False)
            return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in quoted)
        case None | bool() | int() | float():
            return json.dumps(value)
        case dict() | list() | tuple() if not value:
            return "{}" if isinstance(value, dict) else "[]"
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a document")
