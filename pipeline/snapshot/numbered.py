"""Numbered documents in a folder, each with its own hash and that of the one before: none goes or changes unnoticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.durable import document_bytes, document_hash, make_folder, storing, write_sealed
from pipeline.errors import StoredDataDamaged, VersionMismatch


@dataclass(frozen=True, slots=True)
class Kind:
    """Documents of one kind: their folder, what they are of, their format, and what to do if one is damaged."""

    folder: Path
    of: str
    format: int
    damaged_do: str


def read_all(kind: Kind) -> tuple[dict[str, Any], ...]:
    """Every document, oldest first.

    Raises:
        StoredDataDamaged: one is missing or damaged, or does not follow on the one before.
        VersionMismatch: a newer version of this program wrote one.
    """
    found: list[dict[str, Any]] = []
    for number, path in enumerate(sorted(kind.folder.glob("[0-9]*.json")), 1):
        document = _read(kind, path)
        if document["number"] != number or path.name != _name(number) or document["previous"] != _named(found):
            what = f"a document of {kind.of} does not follow on the one before"
            raise StoredDataDamaged(what, where=str(path), do=kind.damaged_do)
        found.append(document)
    return tuple(found)


def add(kind: Kind, content: Mapping[str, Any]) -> dict[str, Any]:
    """One more document stands, whole or not at all. Called under the run lock."""
    earlier = read_all(kind)
    number = len(earlier) + 1
    document = {"format": kind.format, "number": number, "previous": _named(earlier), **content}
    document["sha256"] = document_hash(document)
    with storing(f"{kind.folder.name} · {kind.folder}"):
        make_folder(kind.folder)
        write_sealed(kind.folder / _name(number), document_bytes(document))
    return document


def _named(earlier: tuple[dict[str, Any], ...] | list[dict[str, Any]]) -> dict[str, Any] | None:
    return {"number": len(earlier), "sha256": earlier[-1]["sha256"]} if earlier else None


def _name(number: int) -> str:
    return f"{number:05}.json"


def _read(kind: Kind, path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        stated, written_as, own = document["sha256"], document["format"], document_hash(document)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"a document of {kind.of} cannot be read ({type(error).__name__})"
        raise StoredDataDamaged(what, where=str(path), do=kind.damaged_do) from error
    if type(written_as) is int and written_as > kind.format:
        what = f"format {written_as} of {kind.of}, this program reads up to {kind.format}"
        raise VersionMismatch(what, where=str(path))
    if stated != own or type(written_as) is not int or written_as != kind.format:
        what = f"a document of {kind.of} is not what was written"
        raise StoredDataDamaged(what, where=str(path), do=kind.damaged_do)
    return document
