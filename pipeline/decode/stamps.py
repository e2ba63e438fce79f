"""What the change times of decoded rows say: how far a list has come, and whether its pages are in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from pipeline.model import PageProof
from pipeline.resources import Resource
from pipeline.tables import PAGE

# The package's stubs know neither grouped tables nor plain values as scalars.
pc: Any = pyarrow.compute

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def newest_by_company(table: pa.Table, resource: Resource) -> dict[str, datetime]:
    """The greatest change time of each company's rows; nothing for a resource without change times.

    Shape:
        in   a decoded table of one resource; its first column is the company's key
    """
    if resource.updated is None or not resource.context_names or not table.num_rows:
        return {}
    company = resource.context_names[0]
    grouped: Any = table.select([company, resource.updated])
    latest = grouped.group_by(company).aggregate([(resource.updated, "max")])
    pairs = zip(latest.column(company).to_pylist(), latest.column(f"{resource.updated}_max").to_pylist(), strict=True)
    return {key: mark for key, mark in pairs if mark is not None}


def stamped(proofs: Sequence[PageProof], table: pa.Table, resource: Resource) -> tuple[PageProof, ...]:
    """The proofs of some pages, with the change times of their rows.

    Args:
        proofs: of the pages that `table` was decoded from.
        table: their rows, in the order of the pages.
        resource: of the rows.
    """
    if resource.updated is None or not table.num_rows:
        return tuple(proofs)
    known = table.select([PAGE, resource.updated]).filter(pc.is_valid(table.column(resource.updated)))
    by_page = _by_page(known.column(PAGE).to_numpy(), known.column(resource.updated).cast(pa.int64()).to_numpy())
    return tuple(
        dataclasses.replace(proof, first_updated=first, last_updated=last, is_ascending=is_ascending)
        for proof in proofs
        for first, last, is_ascending in [by_page.get(proof.ordinal, (None, None, True))]
    )


def _by_page(pages: np.ndarray[Any, Any], stamps: np.ndarray[Any, Any]) -> Mapping[int, tuple[Any, Any, bool]]:
    """First and last time of each page, and whether they do not go back on it. Rows of one page stand together."""
    if not len(pages):
        return {}
    starts = np.flatnonzero(np.concatenate(([True], pages[1:] != pages[:-1])))
    ends = np.append(starts[1:], len(pages)) - 1
    goes_back = np.concatenate(([False], (stamps[1:] < stamps[:-1]) & (pages[1:] == pages[:-1])))
    is_broken = np.logical_or.reduceat(goes_back, starts)
    facts = zip(pages[starts], stamps[starts], stamps[ends], is_broken, strict=True)
    return {int(page): (_instant(first), _instant(last), not broken) for page, first, last, broken in facts}


def _instant(microseconds: np.int64) -> datetime:
    return EPOCH + timedelta(microseconds=int(microseconds))


def are_ascending(proofs: Sequence[PageProof]) -> bool:
    """Whether the change times of a list never go back, neither on a page nor from page to page of one walk."""
    by_walk: dict[tuple[object, ...], list[PageProof]] = {}
    for proof in proofs:
        by_walk.setdefault((proof.context, proof.params, proof.purpose, proof.turn), []).append(proof)
    return all(_is_ascending(walk) for walk in by_walk.values())


def _is_ascending(walk: list[PageProof]) -> bool:
    newest: datetime | None = None
    for proof in sorted(walk, key=lambda one: one.number):
        if not proof.is_ascending or (newest and proof.first_updated and proof.first_updated < newest):
            return False
        newest = proof.last_updated or newest
    return True
