"""Records in quarantine come out of it when the catalogue takes them: at their place in the fold, as if always taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse_nights import CATALOGUE as OLD
from warehouse_nights import TEXT, Night, deleted_part
from warehouse_parts import facts

from pipeline import warehouse
from pipeline.decode import add_notes, decode_pages
from pipeline.errors import ConfigError
from pipeline.model import Page, Quarantined, ResourceResult, Walk
from pipeline.resources import Catalogue, parse_catalogue
from pipeline.totals import add_totals
from pipeline.warehouse import Built, Parts, RunParts

# The catalogue after somebody has read why records did not fit: the number of pages is a text.
NEW = parse_catalogue(TEXT.replace('pageCount = { type = "integer"', 'pageCount = { type = "text"'), "test")
CLAIMS = Walk("claim", (("companyId", "1"),))


@dataclass(frozen=True)
class Served:
    """What one run was given: pages of claims as they were sent, and the keys it proved gone."""

    number: int
    pages: Sequence[Sequence[bytes]] = ()
    gone: Sequence[str] = ()

    @property
    def night(self) -> Night:
        return Night(self.number, {}, [("claim", ("1", key)) for key in self.gone])


def claim(key: str, pages: Any, at: int = 0, fee: str = "0.1") -> bytes:
    """A claim as sent; `pages` is JSON text."""
    changed = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=at)
    lists = f'"tags":["{key}","t"],"totals":[{{"grossAmount":{fee},"currencyCode":"AUD"}}]'
    return (
        f'{{"id":"{key}","pageCount":{pages},"fee":{fee},"updatedDate":"{changed:%Y-%m-%dT%H:%M:%SZ}","new":1,{lists}}}'
    ).encode()


def as_read(folder: Path, served: Served, by: Catalogue, *, today: Catalogue | None = None) -> RunParts:
    """The run as one catalogue typed it; with `today`, as it is applied under that one."""
    night, resource = served.night, by["claim"]
    pages = [Page(CLAIMS, place, tuple(page), night.at) for place, page in enumerate(served.pages)]
    decoded = decode_pages(pages, resource, run_id=night.run_id)
    files: dict[str, tuple[Path, ...]] = {}
    if decoded.table.num_rows:
        path = folder / f"{night.run_id}-claim.parquet"
        pq.write_table(decoded.table, path)
        files["claim"] = (path,)
    count, misfits = sum(map(len, served.pages)), len(decoded.quarantined)
    run = facts(
        night.run_id,
        data_as_at=night.at,
        resources=(ResourceResult("claim", "full", 0, 1, len(pages), count, misfits),),
        control_totals=add_totals(decoded.totals),
        quarantined=decoded.quarantined,
        notes=add_notes(decoded.notes),
    )
    parts = tuple(Parts(one, files.get(one.name, ())) for one in today or by)
    return RunParts(night.run_id, night.at, parts, deleted_part(folder, night), run, is_typed_otherwise=bool(today))


def built(folder: Path, name: str, runs: Iterable[RunParts], base: Path | None = None) -> Built:
    return warehouse.build(folder / f"{name}.duckdb", list(runs), base=base, temp_dir=folder)


def held(file: Built) -> Mapping[str, str]:
    with duckdb.connect(str(file.path), read_only=True) as connection:
        return warehouse.content_hash(connection)


def rows(file: Built, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file.path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


HISTORY = (
    Served(
        0, [[claim("a", 1), claim("b", '"ii"'), claim("c", '"iii"', at=5)], [claim("c", 3, at=4), claim("d", "[4]")]]
    ),
    Served(1, [[claim("b", 2, at=9), claim("e", '"v"')]], gone=["c"]),
    Served(2, [[claim("a", '"i"', at=9), claim("c", '"iii"', at=5), claim("f", '"vi"', at=3), claim("f", 6, at=2)]]),
    Served(3, [], gone=["e"]),
)


def test_what_fits_now_stands_as_if_it_had_always_fitted(tmp_path: Path):
    """Rows, lists, every version, deletions, amounts and books: equal to runs that today's catalogue had typed."""
    now = built(tmp_path, "now", (as_read(tmp_path, one, OLD, today=NEW) for one in HISTORY))
    (tmp_path / "always").mkdir()
    always = built(tmp_path / "always", "always", (as_read(tmp_path / "always", one, NEW) for one in HISTORY))
    assert held(now) == held(always)
    assert (now.fit_now, always.fit_now) == (6, 0)
    assert rows(now, "SELECT id, page_count, _deleted_at IS NULL FROM prospend.claim ORDER BY id") == [
        ("a", "i", True),
        ("b", "2", True),
        ("c", "iii", True),
        ("e", "v", False),
        ("f", "vi", True),
    ]
    versions = rows(now, "SELECT id, list(page_count ORDER BY _valid_from) FROM history.claim GROUP BY id ORDER BY id")
    assert versions == [("a", ["1", "i"]), ("b", ["ii", "2"]), ("c", ["iii", "iii"]), ("e", ["v"]), ("f", ["vi"])]
    assert rows(now, "SELECT tag FROM prospend.claim_tag WHERE claim_id = 'f' ORDER BY _index") == [("f",), ("t",)]
    assert now.key_problems == ()


def test_what_still_does_not_fit_keeps_its_entry_with_todays_reason(tmp_path: Path):
    """It is never in both places, and each run's books tie: served = quarantined + superseded + read."""
    now = built(tmp_path, "now", (as_read(tmp_path, one, OLD, today=NEW) for one in HISTORY))
    entries = rows(now, "SELECT page, record, field, reason FROM meta.quarantine")
    assert entries == [(1, 1, "pageCount", "text wanted, array found")]
    books = rows(
        now,
        "SELECT record_count, quarantined_count, superseded_count, read_count FROM meta.run_resource ORDER BY run_id",
    )
    assert books == [(5, 1, 1, 3), (2, 0, 0, 2), (4, 0, 1, 3), (0, 0, 0, 0)]
    assert all(served == sum(rest) for served, *rest in books)
    money = dict(rows(now, "SELECT place, sum(total) FROM meta.control_total WHERE place <> 'warehouse' GROUP BY ALL"))
    assert money == {"pages": Decimal("2.0"), "read": Decimal("1.6"), "superseded": Decimal("0.4")}
    noted = rows(now, "SELECT run_id, record_count FROM meta.schema_change WHERE kind = 'unknown_field' ORDER BY ALL")
    assert [count for _, count in noted] == [4, 2, 4]


def test_an_entry_is_marked_by_the_run_that_proved_its_record_gone(tmp_path: Path):
    """Whichever run it is of; one that came later is open, and so is what was never shown to be gone."""
    again = Served(4, [[claim("c", '"iii"', at=5)]])
    old = built(tmp_path, "old", (as_read(tmp_path, one, OLD) for one in (*HISTORY, again)))
    entries = rows(
        old, "SELECT key[2], run_id[7:8], strftime(deleted_at, '%d') FROM meta.quarantine ORDER BY ALL NULLS LAST"
    )
    assert entries == [
        ("a", "03", None),
        ("b", "01", None),
        ("c", "01", "02"),
        ("c", "03", None),
        ("c", "05", None),
        ("d", "01", None),
        ("e", "02", "04"),
        ("f", "03", None),
    ]


def test_what_has_vanished_is_asked_of_records_in_quarantine_too(tmp_path: Path):
    """With those that have rows, each key once; what a run proved gone is not known any more."""
    old = built(tmp_path, "old", (as_read(tmp_path, one, OLD) for one in HISTORY[:2]))
    with warehouse.connect_for_run(old.path, tmp_path) as connection:
        assert warehouse.only_in_quarantine(connection, OLD["claim"]) == {("1", "d"), ("1", "e")}
        assert warehouse.only_in_quarantine(connection, OLD["line"]) == frozenset()
        gone = sorted(warehouse.vanished(connection, OLD["claim"], None, []))
        assert gone == [("1", key) for key in "abde"]
        assert list(warehouse.vanished(connection, OLD["claim"], [("2",)], [])) == []
        assert sorted(warehouse.alive_under(connection, OLD["claim"], [("1",)])) == gone


def test_runs_whose_parts_were_put_together_come_to_the_same(tmp_path: Path):
    """Of a file with rows of several runs each takes its own, in today's form."""
    runs = [as_read(tmp_path, one, OLD, today=NEW) for one in HISTORY]
    shared = tmp_path / "shared.parquet"
    files = [file for run in runs for one in run.parts for file in one.files]
    pq.write_table(pa.concat_tables([pq.read_table(file) for file in files]), shared)
    together = [
        replace(
            run, parts=tuple(replace(one, files=(shared,), is_shared=True) if one.files else one for one in run.parts)
        )
        for run in runs
    ]
    assert held(built(tmp_path, "together", together)) == held(built(tmp_path, "apart", runs))


def test_nothing_is_tried_again_while_the_catalogue_is_the_same(tmp_path: Path):
    """Then the verdict stands; and a file of the old catalogue is no base for a night under the new one."""
    old = built(tmp_path, "old", (as_read(tmp_path, one, OLD) for one in HISTORY))
    assert old.fit_now == 0
    assert len(rows(old, "FROM meta.quarantine")) == 7
    assert warehouse.fits(old.path, OLD)
    assert not warehouse.fits(old.path, NEW)


NARROW = parse_catalogue(TEXT.replace('fee = { type = "money"', 'fee = { type = "decimal(9,1)"'), "test")


def test_a_column_that_became_too_narrow_is_refused_with_field_and_count(tmp_path: Path):
    """Over all runs, versions that no longer hold among them: no value is NULL where readers had it. No file is left."""
    history = (
        Served(0, [[claim("a", 1, fee="0.25"), claim("b", 1, fee="0.5"), claim("c", 1, fee="1.125")]]),
        Served(1, [[claim("a", 1, at=9, fee="0.2"), claim("d", 1, fee="-1000.01")]]),
    )
    runs = [as_read(tmp_path, one, OLD, today=NARROW) for one in history]
    with pytest.raises(ConfigError) as caught:
        built(tmp_path, "narrow", runs)
    assert caught.value.what == "3 values of claim.fee do not fit its column"
    assert "resource file" in caught.value.where
    assert not (tmp_path / "narrow.duckdb").exists()
    with pytest.raises(ConfigError, match=r"^1 value of claim\.fee does not fit its column$"):
        built(tmp_path, "narrow", runs[1:])
    assert rows(built(tmp_path, "wide", [as_read(tmp_path, one, OLD, today=NEW) for one in history]),
                "SELECT count(fee) FROM history.claim") == [(5,)]  # fmt: skip


def test_an_alias_alone_makes_another_file(tmp_path: Path):
    """No table looks otherwise for it, but records that did not fit may fit now."""
    text = TEXT.replace('id = { type = "text", evidence = "documented", about = "key of the claim" }',
                        'id = { type = "text", evidence = "documented", aliases = ["key"], about = "key of the claim" }')  # fmt: skip
    wider = parse_catalogue(text, "test")
    served = Served(0, [[claim("a", 1), claim("b", 2).replace(b'"id"', b'"key"')]])
    old = built(tmp_path, "old", [as_read(tmp_path, served, OLD)])
    assert not warehouse.fits(old.path, wider)
    now = built(tmp_path, "now", [as_read(tmp_path, served, OLD, today=wider)])
    assert rows(now, "SELECT id FROM prospend.claim ORDER BY id") == [("a",), ("b",)]
    assert rows(now, "FROM meta.quarantine") == []


def random_history(random: Random) -> tuple[Served, ...]:
    nights = []
    for number in range(5):
        pages = [
            [
                claim(random.choice("abcde"), random.choice(['"x"', '"y"', "1", "2", "[3]"]), at=random.randrange(9))
                for _ in range(random.randrange(1, 5))
            ]
            for _ in range(random.randrange(3))
        ]
        nights.append(Served(number, pages, gone=random.sample("abcde", random.randrange(3)) if number else ()))
    return tuple(nights)


@pytest.mark.parametrize("seed", range(8))
def test_any_history_comes_to_the_same_rows_night_by_night_or_at_once(tmp_path: Path, seed: int):
    """Tried again in a rebuild, or on the night after the change and then night by night: equal, table by table."""
    history = random_history(Random(f"quarantine {seed}"))
    change = Random(seed).randrange(1, len(history))
    before = [as_read(tmp_path, one, OLD, today=NEW) for one in history[:change]]
    after = [as_read(tmp_path, one, NEW) for one in history[change:]]
    at_once = built(tmp_path, "at-once", [*before, *after])
    live = built(tmp_path, "base", before)
    for place, run in enumerate(after):
        live = built(tmp_path, f"night-{place}", [run], base=live.path)
    (tmp_path / "always").mkdir()
    always = built(tmp_path / "always", "always", [as_read(tmp_path / "always", one, NEW) for one in history])
    assert held(at_once) == held(live) == held(always)


def test_a_record_of_a_resource_that_is_gone_stays_in_quarantine(tmp_path: Path):
    """Kept, never guessed at."""
    run = as_read(tmp_path, HISTORY[0], OLD, today=NEW)
    lost = Quarantined("gone", (("companyId", "1"),), 0, 0, "x", "text wanted, array found", b'{"id":"1"}')
    given = RunParts(run.run_id, run.as_at, run.parts, None, facts(run.run_id, quarantined=(lost,)), True)
    now = built(tmp_path, "now", [given])
    assert rows(now, "SELECT resource, reason FROM meta.quarantine") == [("gone", "text wanted, array found")]
