"""What one more night does to the rows that are there: rule by rule."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse_nights import CATALOGUE, FIRST, TEXT, Night, written
from warehouse_parts import CHECKS, catalogue, total

from pipeline import warehouse
from pipeline.errors import PipelineError, StoredDataDamaged, VersionMismatch
from pipeline.resources import Catalogue, parse_catalogue
from pipeline.warehouse import Built, Changes
from pipeline.warehouse.read import stated_size

SECOND, THIRD = FIRST + timedelta(days=1), FIRST + timedelta(days=2)


def claim(record_id: str, **fields: Any) -> dict[str, Any]:
    return {"companyId": "1", "id": record_id, **fields}


def nights(folder: Path, *given: Night, base: Path | None = None) -> Built:
    """The nights applied one after the other, each to a copy of the file before."""
    built = None
    for night in given:
        target = folder / f"{night.run_id}.duckdb"
        built = warehouse.build(target, [written(folder / "parts", night)], base=base, temp_dir=folder)
        base = built.path
    assert built is not None
    return built


def rows(built: Built, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(built.path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql, list(values)).fetchall()


def of(built: Built, resource: str) -> Changes:
    return next(one for one in built.changes if one.resource == resource)


def test_an_unchanged_record_writes_nothing(tmp_path: Path):
    """The row stays that of the run that brought it."""
    built = nights(tmp_path, Night(0, {"claim": [claim("a")]}), Night(1, {"claim": [claim("a")]}))
    assert of(built, "claim") == Changes("claim", unchanged=1)
    assert rows(built, "SELECT _run_id, _valid_from FROM prospend.claim") == [("20261101T020000Z", FIRST)]
    assert rows(built, "SELECT count(*) FROM past.claim") == [(0,)]


def test_another_spelling_is_no_other_version(tmp_path: Path):
    """The same values in other bytes: the fingerprint is taken over, so that the next night need not look again."""
    first, second = Night(0, {"claim": [claim("a", _spelling=1)]}), Night(1, {"claim": [claim("a", _spelling=2)]})
    built = nights(tmp_path, first, second)
    assert of(built, "claim") == Changes("claim", unchanged=1)
    ((before,),) = rows(nights(tmp_path / "one", first), "SELECT _fingerprint FROM prospend.claim")
    assert rows(built, "SELECT _run_id, _fingerprint <> ? FROM prospend.claim", before) == [("20261101T020000Z", True)]
    assert rows(built, "SELECT count(*) FROM history.claim") == [(1,)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"fee": Decimal("0.1000")}, {"fee": Decimal("0.1001")}),
        ({"order": ""}, {"order": None}),
        ({"_extra": None}, {"_extra": '{"a":1}'}),
        ({"tags": ["x"]}, {"tags": ["x", "x"]}),
        ({"tags": ["x", "y"]}, {"tags": ["y", "x"]}),
        ({"tags": ["x"]}, {"tags": []}),
        ({"tags": [None]}, {"tags": []}),
        ({"totals": [total(Decimal(1), "AUD")]}, {"totals": [total(Decimal(1), "NZD")]}),
        ({"totals": [total(None, None)]}, {"totals": [total(None, None, '{"a":1}')]}),
    ],
    ids=[
        "an amount",
        "a text gone",
        "an unknown field",
        "an element more",
        "their order",
        "none left",
        "an empty element gone",
        "currency",
        "its extra",
    ],
)
def test_any_other_value_is_another_version(tmp_path: Path, before: dict[str, Any], after: dict[str, Any]):
    """In the row or in an element of a list; the version before stands whole in `past`, until this night."""
    built = nights(tmp_path, Night(0, {"claim": [claim("a", **before)]}), Night(1, {"claim": [claim("a", **after)]}))
    assert of(built, "claim") == Changes("claim", changed=1)
    assert rows(built, "SELECT _valid_from, _valid_to FROM history.claim ORDER BY ALL") == [
        (FIRST, SECOND),
        (SECOND, None),
    ]
    for list_name, table in (("tags", "claim_tag"), ("totals", "claim_total")):
        ((held, past),) = rows(
            built, f"SELECT (SELECT count(*) FROM prospend.{table}), (SELECT count(*) FROM past.{table})"
        )
        assert (held, past) == (len(after.get(list_name, ())), len(before.get(list_name, ())))


def test_a_list_that_is_missing_is_a_list_without_elements(tmp_path: Path):
    """Neither gives a row, so neither is another version of the other."""
    built = nights(tmp_path, Night(0, {"claim": [claim("a", tags=None)]}), Night(1, {"claim": [claim("a", tags=[])]}))
    assert of(built, "claim") == Changes("claim", unchanged=1)


def test_a_row_not_read_stays(tmp_path: Path):
    """An incremental night says nothing about what it did not read, nor about resources it did not read."""
    built = nights(
        tmp_path, Night(0, {"claim": [claim("a"), claim("b")]}), Night(1, {"claim": [claim("c")]}), Night(2, {})
    )
    assert rows(built, "SELECT id FROM prospend.claim ORDER BY id") == [("a",), ("b",), ("c",)]
    assert of(built, "claim") == Changes("claim")
    assert dict(built.read_rows).get("claim", 0) == 0


def test_a_deleted_row_carries_the_instant_and_comes_back_as_a_new_version(tmp_path: Path):
    """Nothing is erased: the time in between shows no row, before and after show theirs."""
    given = claim("a", tags=["t"])
    built = nights(
        tmp_path, Night(0, {"claim": [given]}), Night(1, {}, [("claim", ("1", "a"))]), Night(2, {"claim": [given]})
    )
    assert of(built, "claim") == Changes("claim", restored=1)
    for table in ("claim", "claim_tag"):
        assert rows(built, f"SELECT _valid_from, _valid_to FROM history.{table} ORDER BY ALL") == [
            (FIRST, SECOND),
            (THIRD, None),
        ]
        held = [rows(built, "SELECT count(*) FROM history.as_of(?, ?)", table, at) for at in (FIRST, SECOND, THIRD)]
        assert held == [[(1,)], [(0,)], [(1,)]]
    assert rows(built, "SELECT _deleted_at FROM prospend.claim") == [(None,)]


def test_deletions_count_rows_that_were_there(tmp_path: Path):
    """An unknown key, a key twice, and one deleted before change nothing; deleted rows are not counted as rows."""
    gone = ("claim", ("1", "a"))
    built = nights(
        tmp_path,
        Night(0, {"claim": [claim("a"), claim("b", fee=Decimal(2))]}),
        Night(1, {}, [gone, gone, ("claim", ("1", "zz")), ("unheard_of", ("1",))]),
    )
    assert of(built, "claim") == Changes("claim", deleted=1)
    assert dict(built.rows)["claim"] == 1
    again = nights(tmp_path, Night(2, {}, [gone]), base=built.path)
    assert of(again, "claim") == Changes("claim")
    assert rows(again, "SELECT _deleted_at FROM prospend.claim WHERE id = 'a'") == [(SECOND,)]
    with warehouse.connect(again.path) as connection:
        assert warehouse.table_rows(connection)["claim"] == 1


def test_deletions_that_runs_have_one_file_for_are_each_run_s_own(tmp_path: Path):
    """As compaction leaves them: each row carries the instant of the run that proved its end."""
    given = (
        Night(0, {"claim": [claim("a"), claim("b"), claim("c")]}),
        Night(1, {}, [("claim", ("1", "a"))]),
        Night(2, {}, [("claim", ("1", "b"))]),
    )
    runs = [written(tmp_path / "parts", night) for night in given]
    shared = tmp_path / "shared.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(run.deleted) for run in runs if run.deleted]), shared)
    runs = [replace(run, deleted=shared) if run.deleted else run for run in runs]
    built = warehouse.build(tmp_path / "shared.duckdb", runs, base=None, temp_dir=tmp_path)
    assert rows(built, "SELECT id, _deleted_at FROM prospend.claim ORDER BY id") == [
        ("a", SECOND),
        ("b", THIRD),
        ("c", None),
    ]


def test_a_row_read_and_then_proved_gone_is_deleted(tmp_path: Path):
    """The proof came after the page: the row never shows."""
    built = nights(
        tmp_path, Night(0, {"claim": [claim("a")]}), Night(1, {"claim": [claim("b")]}, [("claim", ("1", "b"))])
    )
    assert of(built, "claim") == Changes("claim", new=1, deleted=1)
    assert rows(built, "SELECT id FROM history.as_of('claim', ?)", SECOND) == [("a",)]
    assert dict(built.read_rows)["claim"] == 1


def test_a_deletion_of_another_form_is_damage(tmp_path: Path):
    """A key with too few values would hide rows of another parent."""
    with pytest.raises(StoredDataDamaged) as caught:
        nights(tmp_path, Night(0, {"claim": [claim("a")]}), Night(1, {}, [("claim", ("a",))]))
    assert f"run={Night(1, {}).run_id}/part-00000.parquet" in caught.value.where


def test_a_clock_that_went_back_keeps_the_order_of_runs(tmp_path: Path):
    """Versions never end before they began: a run's instant is later than that of every run before it."""
    first = nights(tmp_path, Night(5, {"claim": [claim("a", order="x")]}))
    built = nights(tmp_path, Night(1, {"claim": [claim("a", order="y")]}), base=first.path)
    moved = FIRST + timedelta(days=5, microseconds=1)
    assert rows(built, "SELECT _valid_from, _valid_to FROM history.claim ORDER BY ALL")[0][1] == moved
    assert rows(built, "SELECT as_at, data_as_at FROM meta.run ORDER BY as_at")[1] == (moved, SECOND)


def test_a_run_is_applied_once(tmp_path: Path):
    """A base that holds a run already is refused, and nothing of the attempt is left."""
    night = Night(0, {"claim": [claim("a")]})
    first = nights(tmp_path, night)
    with pytest.raises(ValueError, match="already"):
        warehouse.build(tmp_path / "x.duckdb", [written(tmp_path, night)], base=first.path, temp_dir=tmp_path)
    assert not (tmp_path / "x.duckdb").exists()


def test_the_base_is_never_written(tmp_path: Path):
    """A night works on a copy."""
    first = nights(tmp_path, Night(0, {"claim": [claim("a")]}))
    before = first.path.read_bytes()
    nights(tmp_path, Night(1, {"claim": [claim("a", order="x")]}), base=first.path)
    assert first.path.read_bytes() == before


def test_a_file_of_another_layout_is_no_base(tmp_path: Path):
    """Other columns, other comments or another program's tables: `fits` says so before, and `build` refuses."""
    first = nights(tmp_path, Night(0, {"claim": [claim("a")]}))
    assert warehouse.fits(first.path, CATALOGUE)
    assert not warehouse.fits(first.path, catalogue())
    run = written(tmp_path, Night(1, {}), catalogue())
    with pytest.raises(VersionMismatch):
        warehouse.build(tmp_path / "x.duckdb", [run], base=first.path, temp_dir=tmp_path)
    old = tmp_path / "old.duckdb"
    with duckdb.connect(str(old)) as connection:
        connection.execute("CREATE SCHEMA meta; CREATE TABLE meta.snapshot_info (run_id VARCHAR)")
    assert not warehouse.fits(old, CATALOGUE)


def test_keys_that_come_twice_are_found_on_a_copied_base(tmp_path: Path):
    """The look is at what came this night only, and at its twins of before."""
    first = nights(tmp_path, Night(0, {"claim": [claim("a"), claim("b")]}))
    with duckdb.connect(str(first.path)) as connection:
        connection.execute(
            "INSERT INTO prospend.claim (company_id, id, _fingerprint) VALUES ('1', 'c', 1), ('1', 'c', 2)"
        )
    assert nights(tmp_path, Night(1, {"claim": [claim("d")]}), base=first.path).key_problems == ()
    harmed = nights(tmp_path, Night(2, {"claim": [claim(""), claim("")]}), base=first.path)
    assert ("claim", 2, 0) in harmed.key_problems


def test_meta_accumulates_over_the_runs(tmp_path: Path):
    """One row set a run, and one row that says which night the file shows."""
    built = nights(tmp_path, *(Night(n, {"claim": [claim("a", fee=Decimal(n))]}) for n in range(3)))
    warehouse.finish(built, CHECKS, manifest_sha256="cd" * 32)
    assert rows(built, "SELECT run_id, manifest_sha256 FROM meta.run ORDER BY run_id") == [
        ("20261101T020000Z", "ab" * 32),
        ("20261102T020000Z", "ab" * 32),
        ("20261103T020000Z", "cd" * 32),
    ]
    assert rows(built, "SELECT run_id, source_sha256 FROM meta.snapshot_info") == [("20261103T020000Z", "cd" * 32)]
    totals = rows(built, "SELECT run_id, total FROM meta.control_total WHERE place = 'warehouse' ORDER BY run_id")
    assert [total for _, total in totals] == [0, 1, 2]


def test_checks_of_past_runs_come_with_their_facts(tmp_path: Path):
    """A rebuild holds the verdicts of every run, as the night itself wrote them."""
    live = nights(tmp_path, Night(0, {"claim": [claim("a")]}))
    warehouse.finish(live, CHECKS)
    second = Night(1, {"claim": [claim("a", order="x")]})
    live = nights(tmp_path, second, base=live.path)
    warehouse.finish(live, CHECKS)
    runs = [written(tmp_path / "again", night) for night in (Night(0, {"claim": [claim("a")]}), second)]
    known = [replace(run, facts=replace(run.facts, checks=CHECKS)) for run in runs]
    rebuilt = warehouse.build(tmp_path / "rebuilt.duckdb", known, temp_dir=tmp_path)
    warehouse.finish(rebuilt, ())
    with warehouse.connect(live.path) as one, warehouse.connect(rebuilt.path) as other:
        assert warehouse.content_hash(one) == warehouse.content_hash(other)
        assert len(one.execute("FROM meta.check_result").fetchall()) == 2


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        ("prospend.claim", "UPDATE prospend.claim SET fee = 0.0001 WHERE id = 'b'"),
        ("prospend.claim", "UPDATE prospend.claim SET \"order\" = '' WHERE id = 'a'"),
        ("past.claim", "DELETE FROM past.claim"),
        ("past.claim", "INSERT INTO past.claim FROM past.claim"),
        ("meta.check_result", "UPDATE meta.check_result SET passed = false"),
    ],
)
def test_any_difference_changes_the_content_hash(tmp_path: Path, table: str, sql: str):
    """One value in one row of one table; NULL is not an empty text."""
    built = nights(
        tmp_path, Night(0, {"claim": [claim("a"), claim("b")]}), Night(1, {"claim": [claim("b", fee=Decimal(1))]})
    )
    warehouse.finish(built, CHECKS)
    built.path.chmod(0o600)
    with duckdb.connect(str(built.path)) as connection:
        before = warehouse.content_hash(connection)
        connection.execute(sql)
        after = warehouse.content_hash(connection)
    assert [one for one in before if before[one] != after[one]] == [table]


def test_a_new_column_is_filled_from_what_was_kept(tmp_path: Path):
    """A rebuild with a column added to the catalogue fills it for every night, exactly, and empties `_extra`."""
    wider = CATALOGUE
    narrow = catalogue_without_fee()
    top = Decimal("99999999999999.9999")
    sent = [
        Night(0, {"claim": [claim("a", _extra=f'{{"fee":{top},"colour":"red"}}'), claim("b")]}),
        Night(1, {"claim": [claim("b", _extra='{"fee":0.3}')]}),
    ]
    runs = [written(tmp_path / "parts", night, narrow) for night in sent]
    today = [
        replace(run, parts=tuple(replace(part, resource=wider[part.resource.name]) for part in run.parts))
        for run in runs
    ]
    built = warehouse.build(tmp_path / "w.duckdb", today, temp_dir=tmp_path)
    assert rows(built, "SELECT id, fee, _extra FROM history.claim ORDER BY id, _valid_from") == [
        ("a", top, '{"colour":"red"}'),
        ("b", None, None),
        ("b", Decimal("0.3000"), None),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "w.duckdb"]


def catalogue_without_fee() -> Catalogue:
    return parse_catalogue("\n".join(line for line in TEXT.splitlines() if not line.startswith("fee = ")), "test")


def test_a_restated_period_shows_each_value_before_and_after(tmp_path: Path):
    """Only rows whose period is closed, then or now, and the lines and lists of such; the first night restates nothing."""
    closed = datetime(2026, 7, 1, tzinfo=UTC)
    june, july = {"spentOn": date(2026, 6, 30)}, {"spentOn": date(2026, 7, 1)}
    line = {"companyId": "1", "claimId": "a", "id": "x", "amount": Decimal(1), "currencyCode": "AUD"}
    first = Night(
        0, {"claim": [claim("a", **june), claim("b", **july), claim("c", **june)], "line": [line]}, (), closed
    )
    second = Night(
        1,
        {
            "claim": [claim("a", tags=["t"], **june), claim("b", order="open", **july), claim("c", **july)],
            "line": [line | {"amount": Decimal(2)}, line | {"claimId": "b"}],
        },
        (),
        closed,
    )
    built = nights(tmp_path, first, second, Night(2, {}, [("line", ("1", "a", "x"))], closed))
    found = (
        "SELECT table_name, key, column_name, before, after, kind FROM meta.restatement WHERE run_id = ? ORDER BY ALL"
    )
    assert rows(built, found, first.run_id) == []
    assert rows(built, found, second.run_id) == [
        ("claim", ["1", "c"], "spent_on", "2026-06-30", "2026-07-01", "changed"),
        ("claim_tag", ["1", "a", "0"], "tag", None, "t", "added"),
        ("line", ["1", "a", "x"], "amount", "1.0000", "2.0000", "changed"),
    ]
    assert rows(built, found, "20261103T020000Z") == [
        ("line", ["1", "a", "x"], "amount", "2.0000", None, "deleted"),
        ("line", ["1", "a", "x"], "currency_code", "AUD", None, "deleted"),
        ("line", ["1", "a", "x"], "id", "x", None, "deleted"),
    ]


def test_damage_anywhere_is_found_before_use(tmp_path: Path):
    """A flipped byte is found by reading, or stands where nothing is stored: then the content is the same."""
    random = Random(7)
    built = nights(tmp_path, Night(0, {"claim": [claim(str(n), order=os.urandom(40).hex()) for n in range(4000)]}))
    warehouse.finish(built, CHECKS)
    whole = built.path.read_bytes()
    with warehouse.connect(built.path) as connection:
        content = warehouse.content_hash(connection)
    outcomes = [outcome(tmp_path / f"{n}.duckdb", whole, random.randrange(len(whole)), content) for n in range(60)]
    assert set(outcomes) <= {"refused", "same"}
    assert outcomes.count("refused") > 30


def outcome(path: Path, whole: bytes, place: int, content: dict[str, str]) -> str:
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
    try:
        warehouse.refuse_damage(path)
        with warehouse.connect(path) as connection:
            return "same" if warehouse.content_hash(connection) == content else "other"
    except PipelineError as error:
        return "refused" if error.exit_code in (40, 60) else type(error).__name__


def test_a_file_that_gave_blocks_back_is_as_long_as_it_says(tmp_path: Path):
    """Night after night blocks become free at its end; readers still tell a whole file from one that lost its tail."""
    base, cut = None, 0
    for number in range(6):
        many = [
            claim(str(n), fee=Decimal(number), order="x" * 99) for n in range(3000) if not number or n % 100 == number
        ]
        built = nights(tmp_path, Night(number, {"claim": many}), base=base)
        with duckdb.connect(str(built.path), read_only=True) as connection:
            cut += stated_size(connection) > built.path.stat().st_size
        warehouse.finish(built, CHECKS)
        with warehouse.connect(built.path) as connection:
            assert warehouse.table_rows(connection)["claim"] == 3000
        base = built.path
    assert cut, "no night left free blocks at the end: this test tests nothing"


def test_a_damaged_base_does_not_become_tonights_file(tmp_path: Path):
    """What is copied is read before it is published, also where the night has no business."""
    first = nights(tmp_path, Night(0, {"claim": [claim(str(n), order=os.urandom(40).hex()) for n in range(4000)]}))
    whole, unnoticed = first.path.read_bytes(), 0
    for place in range(3 * 4096 + 500, len(whole), 65_536):
        base = tmp_path / f"{place}.duckdb"
        base.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            warehouse.refuse_damage(base)
        except StoredDataDamaged:
            folder = tmp_path / str(place)
            folder.mkdir()
            try:
                built = nights(folder, Night(1, {}), base=base)
            except StoredDataDamaged:
                continue
            unnoticed += 1
            with pytest.raises(StoredDataDamaged):
                warehouse.finish(built, CHECKS)
    assert unnoticed, "every flip met what the night reads anyway: this test tests nothing"
