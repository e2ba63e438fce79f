"""The comparison with peers on small books: everybody reads the same, and the judgement sees what each stored."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.resources import parse_catalogue
from tests.bench.memory import repeated
from tests.bench.peers.books import LISTS, catalogue_text, open_books
from tests.bench.peers.field import BY_NAME
from tests.bench.peers.turns import Cell, take_turn

ROWS = 300


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    with open_books(tmp_path_factory.mktemp("books") / "all", ROWS, 100, 0) as found:
        yield found


@pytest.mark.parametrize(("name", "amounts"), [("ours-parquet", "exact (DECIMAL(18,4))"), ("script", "float (DOUBLE)")])
def test_what_was_served_is_found_again(books, tmp_path, name, amounts):
    """All rows of all lists by as many requests as there are pages, and amounts as they were stored."""
    one = dataclasses.replace(BY_NAME[name], environment="ours")
    turn = take_turn(one, books, Cell(ROWS, 100, 0), tmp_path / name, 60)
    assert set(books.rows) == {"company", *LISTS}
    assert turn.usage.outcome == "ended"
    assert turn.amounts.startswith(amounts)
    assert turn.requests >= len(list(books.bodies.iterdir()))
    assert turn.usage.cpu_s > 0 < turn.usage.peak_mb


def test_lists_under_other_names_are_lists_of_their_own():
    """Three times as many records as the books hold: the same paths, other tables."""
    catalogue = parse_catalogue(repeated(catalogue_text(), 3), "the bench")
    assert set(catalogue.names) == {"company", *LISTS, *(f"{name}_{n}" for name in LISTS for n in (2, 3))}
    for name in LISTS:
        assert catalogue[f"{name}_3"].path == catalogue[name].path
