"""Night after night counted by what moved: the numbers are those of counting everything again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from warehouse_nights import Night, written

from pipeline import checks, warehouse
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables
from pipeline.warehouse import Counted
from pipeline.warehouse.counting import counted
from pipeline.warehouse.since import SIGN, moved, since_of

OWN = read_catalogue()
CLAIMS, EXPENSES = [("1", f"c{n}") for n in range(6)], ("x", "y")
NOW = datetime(2026, 11, 30, tzinfo=UTC)
Records = dict[str, list[dict[str, Any]]]


def money(random: Random, gross: int | None = None) -> dict[str, Any]:
    """Amounts that mostly add up."""
    gross = random.choice((10, 20, 30)) if gross is None else gross
    tax = random.choice((0, 1, None)) if random.random() < 0.5 else 1
    net = gross - (tax or 0) + (1 if random.random() < 0.1 else 0)
    values = {"grossAmount": gross, "netAmount": net, "taxAmount": tax}
    decimals = {name: None if value is None else Decimal(value) for name, value in values.items()}
    return {**decimals, "currencyCode": random.choice(("AUD", "AUD", "AUD", "NZD", None))}


def claim(random: Random, key: tuple[str, str]) -> dict[str, Any]:
    finalised = random.choice((None, datetime(2026, 5, 31, 15, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)))
    totals = [money(random, random.choice((10, 20, 40, 50))) for _ in range(random.choice((0, 1, 1, 2)))]
    return {
        "companyId": key[0],
        "id": key[1],
        "status": random.choice(("Approved", "Finalised", "Sideways", None)),
        "finalisedDate": finalised,
        "updatedDate": random.choice((None, finalised)),
        "notes": random.choice((None, "n")),
        "transactionTotals": totals or None,
    }


def expense(random: Random, key: tuple[str, str, str]) -> dict[str, Any]:
    names = ("companyId", "claimId", "id")
    flags = {"isPersonal": random.choice((None, None, True)), "isSplit": random.choice((None, True, False))}
    return dict(zip(names, key, strict=True)) | money(random) | flags


def part(random: Random, key: tuple[str, str, str, str]) -> dict[str, Any]:
    return dict(zip(("companyId", "claimId", "expenseId", "id"), key, strict=True)) | money(random)


def nights(random: Random, count: int) -> list[Night]:
    """Each reads some of everything and proves some of it gone; what was gone comes back in another night."""
    found = []
    for number in range(count):
        share = 1.0 if number == 0 else random.choice((0.1, 0.3))
        expenses = [(*claim, name) for claim in CLAIMS for name in EXPENSES]
        keys = {
            "claim": (claim, CLAIMS),
            "expense": (expense, expenses),
            "expense_split": (part, [(*key, place) for key in expenses[:6] for place in ("1", "2")]),
        }
        records: Records = {
            name: [make(random, key) for key in of if random.random() < share] for name, (make, of) in keys.items()
        }
        gone = [(name, key) for name, (_, of) in keys.items() for key in of if number and random.random() < 0.08]
        found.append(Night(number, records, gone))
    return found


def all_counted(path: Path, run_id: str, folder: Path, zone: str = "UTC") -> Counted:
    """Everything counted in a copy of the file that no longer knows of a night before."""
    copy = folder / "copy.duckdb"
    shutil.copy(path, copy)
    copy.chmod(0o600)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("DELETE FROM meta.figure")
        return counted(connection, OWN, run_id=run_id, now=NOW, switches=frozenset({"include_personal"}), zone=zone)


def assert_what_moved_is_the_difference(path: Path, rows: dict[str, int]) -> None:
    """The rows that came less those that went make, in every table, what there is now of what there was."""
    with duckdb.connect(str(path), read_only=True) as connection:
        since = since_of(connection)
        assert since is not None
        before = dict(since.figures.rows)
        for table in all_tables(OWN):
            ((more,),) = connection.execute(
                f"SELECT coalesce(sum({SIGN}), 0) FROM {moved(table, table.key, since)}"
            ).fetchall()
            assert before[table.name] + more == rows[table.name], table.name


@pytest.mark.parametrize("seed", range(3))
def test_counting_what_moved_gives_the_numbers_of_counting_all(tmp_path: Path, seed: int):
    """Rows, filled columns, states and wrong sums, over changes, deletions, returns, nights two at a time, other zones."""
    random = Random(seed)
    runs = [written(tmp_path / "parts", night, OWN) for night in nights(random, 9)]
    base, partial, wrong = None, 0, 0
    while runs:
        step, runs = (runs[:1], runs[1:]) if base is None or random.random() < 0.7 else (runs[:2], runs[2:])
        built = warehouse.build(tmp_path / f"{step[-1].run_id}.duckdb", step, base=base, temp_dir=tmp_path)
        zone, personal = random.choice(("UTC", "Australia/Sydney", "Australia/Sydney")), frozenset({"include_personal"})
        found = warehouse.count(built, OWN, now=NOW, switches=personal, temp_dir=tmp_path, zone=zone)
        whole = all_counted(built.path, built.run_id, tmp_path, zone)
        assert found.figures == whole.figures
        if base is not None:
            assert_what_moved_is_the_difference(built.path, dict(found.figures.rows))
        for one, other in zip(found.sums, whole.sums, strict=True):
            assert (one.name, one.wrong_count, one.wrong) == (other.name, other.wrong_count, other.wrong)
            assert one.compared <= other.compared
            assert not other.is_of_changes
            partial += one.is_of_changes
            wrong += one.wrong_count
        warehouse.finish(built, checks.sums_right(found.sums), figures=found.figures)
        base = built.path
    assert partial > 20
    assert wrong > 20


def test_rows_that_were_wrong_and_are_not_all_named_are_looked_for_again(tmp_path: Path):
    """More wrong rows than names: what moved is not enough to tell which are still wrong."""
    random = Random(1)
    first, second = (written(tmp_path / "parts", night, OWN) for night in nights(random, 2))
    built = warehouse.build(tmp_path / "first.duckdb", [first], temp_dir=tmp_path)
    found = warehouse.count(built, OWN, now=NOW, switches=frozenset(), temp_dir=tmp_path)
    results = [replace(one, blamed=one.blamed[:1]) for one in checks.sums_right(found.sums)]
    assert sum(one.blamed_count > 1 for one in results) > 1
    warehouse.finish(built, results, figures=found.figures)
    then = warehouse.build(tmp_path / "second.duckdb", [second], base=built.path, temp_dir=tmp_path)
    found = warehouse.count(then, OWN, now=NOW, switches=frozenset(), temp_dir=tmp_path)
    again = {one.name: one.is_of_changes for one in found.sums if not one.not_compared}
    assert again == {one.name: one.blamed_count <= 1 for one in results if one.name in again}


def test_numbers_that_do_not_come_to_the_rows_there_are_counted_anew(tmp_path: Path):
    """Figures of the night before that cannot be right are not built upon."""
    first, second = (written(tmp_path / "parts", night, OWN) for night in nights(Random(2), 2))
    built = warehouse.build(tmp_path / "first.duckdb", [first], temp_dir=tmp_path)
    figures = warehouse.count(built, OWN, now=NOW, switches=frozenset(), temp_dir=tmp_path).figures
    wrong = tuple((table, count + 1) for table, count in figures.rows)
    states = tuple(replace(one, rows=one.rows + 1) for one in figures.states)
    fills = tuple(replace(one, filled=one.filled + 1) for one in figures.fills)
    warehouse.finish(built, (), figures=replace(figures, rows=wrong, states=states, fills=fills))
    then = warehouse.build(tmp_path / "second.duckdb", [second], base=built.path, temp_dir=tmp_path)
    found = warehouse.count(then, OWN, now=NOW, switches=frozenset({"include_personal"}), temp_dir=tmp_path)
    assert found.figures == all_counted(then.path, then.run_id, tmp_path).figures
