"""Every record the books hold, asked past all paging: what a complete reader must find. For tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pipeline.resources import Catalogue, read_catalogue
from pipeline.sandbox.answer import State
from pipeline.sandbox.clock.merge import keys_of, whole_list
from pipeline.sandbox.routes import read_query

Context = tuple[str, ...]


def records(
    state: State, resource: str, context: Context | None, filters: Mapping[str, str]
) -> list[tuple[Context, dict[str, Any]]]:
    """Every record of a resource, parsed, with its parents' keys, in the order the lists serve them.

    Args:
        state: what is being served.
        resource: its name in the catalogue.
        context: parents' keys, outermost first; None goes through all parents.
        filters: query parameters, as `includePersonal="true"`; left out ones have their defaults.

    Amounts are Decimals. Injected records that are not JSON objects are left out.
    """
    catalogue = read_catalogue()
    wanted = read_query(catalogue[resource], tuple(filters.items()), page_cap=1).wanted
    found: list[tuple[Context, dict[str, Any]]] = []
    for where, group in _lists(state, catalogue, resource):
        if context is not None and where != context:
            continue
        text = b"".join((b"[", *whole_list(state.books, state.overlay, resource, where, group, wanted), b"]"))
        found += [(where, record) for record in json.loads(text, parse_float=Decimal)]
        for text in state.injected.get((resource, where), ()):
            try:
                record = json.loads(text, parse_float=Decimal)
            except ValueError:
                continue
            if isinstance(record, dict):
                found.append((where, record))
    return found


def _lists(state: State, catalogue: Catalogue, resource: str) -> Iterator[tuple[Context, int | None]]:
    """Parents' keys and the group of each list of a resource; no group under a parent that has no row."""
    parent = catalogue[resource].parent
    if parent is None:
        yield (), 0
        return
    for where, group in _lists(state, catalogue, parent):
        for key, row in keys_of(state.books, state.overlay, parent, where, group):
            yield (*where, key), row
        for key in state.parents.get((parent, where), {}):
            yield (*where, key), None
