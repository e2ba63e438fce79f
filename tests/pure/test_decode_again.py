"""Records in quarantine are tried again from their bytes after the catalogue changed, without any call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pipeline.decode import decode_again, decode_pages
from pipeline.model import Page, Walk
from pipeline.resources import default_path, parse_catalogue, read_catalogue

RUN, AT, LATER = "20261123T020000Z", datetime(2026, 11, 23, 2, tzinfo=UTC), datetime(2026, 11, 23, 3, tzinfo=UTC)
OWN = read_catalogue()
# The catalogue after somebody has read why the records did not fit.
WIDER = parse_catalogue(
    default_path().read_text().replace('code = { type = "text", evidence = "documented", about = "code of the entity"',
                                       'code = { type = "decimal(9,2)", evidence = "documented", about = "code"'),
    "wider",
)  # fmt: skip
CONTEXT = (("companyId", "1"),)


def pages(*many: tuple[int, tuple[bytes, ...]]) -> list[Page]:
    return [Page(Walk("entity", CONTEXT), ordinal, records, LATER) for ordinal, records in many]


def entity(key: str, code: str) -> bytes:
    return f'{{"id":"{key}","code":{code}}}'.encode()


QUARANTINED = decode_pages(
    pages(
        (4, (entity("a", '"x"'), entity("b", "[1]"))), (7, (entity("c", "{}"), entity("d", '"y"'), entity("e", "[]")))
    ),
    OWN["entity"],
    run_id=RUN,
).quarantined


def test_nothing_changes_with_the_same_catalogue():
    """What did not fit does not, for the same reason, at the same place."""
    assert [(one.page, one.record) for one in QUARANTINED] == [(4, 1), (7, 0), (7, 2)]
    assert decode_again(QUARANTINED, OWN, run_id=RUN, read_at=AT) == ((), QUARANTINED)


def test_what_fits_now_stands_where_it_was_first_read():
    """Run, page, place and time of arrival are the first ones, so that newer versions of a record still win."""
    text = decode_pages(
        pages((4, (entity("a", '"1.5"'), entity("b", '"oops"'), entity("c", "2.25")))), WIDER["entity"], run_id=RUN
    )
    numbers = tuple(one for one in text.quarantined)
    assert [(one.page, one.record) for one in numbers] == [(4, 1)]
    wrong = [*numbers, *QUARANTINED]
    (again,), rest = decode_again(wrong, OWN, run_id=RUN, read_at=AT)
    assert again.resource == OWN["entity"]
    assert again.decoded.table.select(
        ["companyId", "id", "code", "_run_id", "_page", "_record", "_fetched_at"]
    ).to_pylist() == [
        {"companyId": "1", "id": "b", "code": "oops", "_run_id": RUN, "_page": 4, "_record": 1, "_fetched_at": LATER}
    ]
    assert again.decoded.table.schema == decode_pages((), OWN["entity"], run_id=RUN).table.schema
    assert rest == QUARANTINED


def test_what_no_longer_has_a_place_stays_in_quarantine():
    """A resource that left the catalogue, hangs elsewhere, or a record that names another parent: kept, never guessed."""
    gone = replace(QUARANTINED[0], resource="gone")
    elsewhere = replace(QUARANTINED[0], context=(("companyId", "1"), ("thingId", "2")))
    foreign = replace(QUARANTINED[0], raw=b'{"id":"z","companyId":"2"}')
    fit, rest = decode_again([gone, elsewhere, foreign], OWN, run_id=RUN, read_at=AT)
    assert fit == ()
    assert {one.resource for one in rest} == {"entity", "gone"}
    assert len(rest) == 3
