"""Reading the dictionary of a warehouse: of another version, and of a site's own catalogue."""

from __future__ import annotations

import duckdb
import pytest
from warehouse_parts import catalogue

from pipeline import warehouse
from pipeline.errors import VersionMismatch
from pipeline.report.dictionary import described
from pipeline.resources import read_catalogue


def test_a_warehouse_of_an_earlier_version_is_refused_with_what_to_do():
    """Its dictionary said less: what is missing is named, and how to come to it."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA meta")
        connection.execute(
            "CREATE TABLE meta.data_dictionary (schema_name VARCHAR, table_name VARCHAR, source_field VARCHAR)"
        )
        with pytest.raises(VersionMismatch) as refused:
            described(connection)
    assert "evidence" in refused.value.what
    assert "source_fields" in refused.value.what
    assert "prospend rebuild" in refused.value.do


def test_a_sites_own_catalogue_is_told():
    """Its tables and fields; marts stand there, too, and name no field that it does not have."""
    with warehouse.blank(catalogue()) as connection:
        tables = {table.full_name: table for table in described(connection)}
    assert {"prospend.claim", "prospend.claim_tag", "mart.spend_line"} <= tables.keys()
    (order,) = [column for column in tables["prospend.claim"].columns if column.name == "order"]
    assert (order.sources, order.evidence) == (("claim.order",), "documented")
    (created,) = [column for column in tables["mart.spend_line"].columns if column.name == "created_on"]
    assert (created.sources, created.evidence) == ((), None)


def test_what_rests_on_inferred_fields_alone_says_so_in_its_comment():
    """Of a mart that does not say so as a whole; a value that one documented field can give does not."""
    with warehouse.blank(read_catalogue()) as connection:
        (document,) = [table for table in described(connection) if table.full_name == "mart.document"]
    about = {column.name: column.about for column in document.columns}
    assert about["division_id"].endswith("(inferred field: may be missing)")
    assert "inferred" not in about["created_on"] + about["status"]
