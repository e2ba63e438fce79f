"""What a run met that the catalogue does not say stands in the file: since when, how often, of which type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from warehouse_nights import Night, written
from warehouse_parts import CHECKS, claim, total

from pipeline import warehouse
from pipeline.model import Note, Quarantined, ResourceResult
from pipeline.warehouse import RunParts

COLUMNS = "resource, field, kind, record_count, fill_percent, first_seen_run, first_seen_at, found, proposed"


def claims(*extras: str | None) -> dict[str, list[dict[str, object]]]:
    return {"claim": [claim(str(n), _extra=extra) for n, extra in enumerate(extras)]}


def run_of(
    folder: Path, night: Night, *notes: Note, quarantined: tuple[Quarantined, ...] = (), read: int = 4
) -> RunParts:
    run = written(folder, night)
    result = ResourceResult("claim", "full", rows=read, calls=1, pages=1, records=read, quarantined=len(quarantined))
    return replace(run, facts=replace(run.facts, resources=(result,), notes=notes, quarantined=quarantined))


def changes(path: Path, run_id: str) -> list[tuple[object, ...]]:
    with warehouse.connect(path) as connection:
        return connection.execute(
            f"SELECT {COLUMNS} FROM meta.schema_change WHERE run_id = '{run_id}' ORDER BY field, kind"
        ).fetchall()


def noted(field: str, count: int, kind: str = "unknown_field") -> Note:
    return Note("claim", field, kind, count)


FIRST = Night(0, claims('{"mood":"sunny"}', '{"mood":"grey","rank":1}', None, None))
SECOND = Night(1, claims('{"mood":"sunny"}', '{"mood":"wet"}', '{"rank":2.5}', '{"rank":null}'))


@pytest.mark.parametrize("at_once", [True, False], ids=["from nothing", "night by night"])
def test_a_new_field_has_its_first_night_share_type_and_column(tmp_path: Path, at_once: bool):
    """A later run keeps since when; a rebuild tells the same as night after night did."""
    runs = [
        run_of(tmp_path, FIRST, noted("mood", 2), noted("rank", 1)),
        run_of(tmp_path, SECOND, noted("mood", 2), noted("rank", 2)),
    ]
    path = tmp_path / "second.duckdb"
    if at_once:
        built = warehouse.build(path, runs, temp_dir=tmp_path)
    else:
        first = warehouse.build(tmp_path / "first.duckdb", runs[:1], temp_dir=tmp_path)
        warehouse.finish(first, CHECKS)
        built = warehouse.build(path, runs[1:], base=first.path, temp_dir=tmp_path)
    warehouse.finish(built, CHECKS)
    text, number = '[resource.claim.column.mood]\ntype = "text"', '[resource.claim.column.rank]\ntype = "decimal(18,6)"'
    for night, shares in ((FIRST, (50.0, 25.0)), (SECOND, (50.0, 50.0))):
        mood, rank = changes(path, night.run_id)
        assert mood[:8] == ("claim", "mood", "unknown_field", 2, shares[0], FIRST.run_id, FIRST.at, "text")
        assert rank[4:8] == (shares[1], FIRST.run_id, FIRST.at, "number")
        assert (str(mood[8]).startswith(text), str(rank[8]).startswith(number)) == (True, True)


def test_an_unchanged_row_still_tells_its_unknown_field(tmp_path: Path):
    """A record read again as it was brings no new row; the field's type is the one found before."""
    again = Night(1, FIRST.records)
    runs = [run_of(tmp_path, night, noted("mood", 2), noted("rank", 1)) for night in (FIRST, again)]
    warehouse.finish(warehouse.build(tmp_path / "w.duckdb", runs, temp_dir=tmp_path), CHECKS)
    assert changes(tmp_path / "w.duckdb", again.run_id) == changes(tmp_path / "w.duckdb", FIRST.run_id)


def test_fields_of_list_elements_are_found_by_their_way(tmp_path: Path):
    """The unknown field of an element is told as field of the list, and its column goes to the elements."""
    records = {"claim": [claim("1", totals=[total(1, "AUD", '{"tip":0.5}')], _extra='{"tip":"none"}')]}
    night = Night(0, records)
    run = run_of(tmp_path, night, noted("totals[].tip", 1), noted("tip", 1))
    warehouse.finish(warehouse.build(tmp_path / "w.duckdb", [run], temp_dir=tmp_path), CHECKS)
    own, element = changes(tmp_path / "w.duckdb", night.run_id)
    assert (own[1], own[7]) == ("tip", "text")
    assert (element[1], element[7]) == ("totals[].tip", "number")
    assert str(element[8]).startswith("[shape.total.tip]")


def test_records_set_aside_tell_which_field_changed_its_type(tmp_path: Path):
    """One row a field, with the most frequent reason; values and enumerations are only counted."""
    one = Quarantined("claim", (("companyId", "1"),), 0, 0, "fee", "number wanted, text found", b'{"fee":"S3CRET"}')
    wrong = (one, replace(one, record=1), replace(one, record=2, reason="number wanted, object found"))
    run = run_of(tmp_path, FIRST, noted("status", 3, "unknown_value"), quarantined=wrong, read=6)
    warehouse.finish(warehouse.build(tmp_path / "w.duckdb", [run], temp_dir=tmp_path), CHECKS)
    assert changes(tmp_path / "w.duckdb", FIRST.run_id) == [
        ("claim", "fee", "changed_type", 3, 50.0, FIRST.run_id, FIRST.at, "number wanted, text found", None),
        ("claim", "status", "unknown_value", 3, 50.0, FIRST.run_id, FIRST.at, None, None),
    ]


def test_a_field_behind_many_rows_is_told_without_its_type(tmp_path: Path):
    """Only so many rows are looked at: a rare field may have no type that night, and is listed all the same."""
    records = {
        "claim": [claim(f"{n:06}", _extra='{"mood":1}') for n in range(2_000)] + [claim("x", _extra='{"rank":1}')]
    }
    night = Night(0, records)
    run = run_of(tmp_path, night, noted("mood", 2_000), noted("rank", 1), read=2_001)
    warehouse.finish(warehouse.build(tmp_path / "w.duckdb", [run], temp_dir=tmp_path), CHECKS)
    mood, rank = changes(tmp_path / "w.duckdb", night.run_id)
    assert (mood[7], rank[3], rank[7], rank[8]) == ("number", 1, None, None)
