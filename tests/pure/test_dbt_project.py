"""The exported dbt project as text: YAML that parses, descriptions that stay text, tests that follow from the dictionary."""

from __future__ import annotations

import re

import pytest
import yaml

from pipeline.report.dbt import project, sources
from pipeline.report.dictionary import DescribedColumn, DescribedTable, Dictionary

HOSTILE = [
    "plain",
    "{{ env_var('HOME') }} {% raw %} {# a comment #}",
    "quotes \" and ' and back\\slash: # no comment",
    "two\nlines\tand a tab",
    "no-break\u00a0space, next\u0085line, \u2028, bell \x07, \ufeff",
    "- list: [a, b] & *alias !tag |",
    "Māori, 你好, 🧾",
]


def as_jinja_gives_it(text: str) -> str:
    """The text after Jinja, which may only have met `{{ 'x' }}`: anything else would have been carried out."""
    rest = re.sub(r"\{\{ '[{}]' \}\}", "", text)
    assert not re.search(r"[{}]", rest)
    return re.sub(r"\{\{ '([{}])' \}\}", r"\1", text)


def books(about: str) -> Dictionary:
    key = DescribedColumn("company_id", "VARCHAR", "key", is_key=True)
    status = DescribedColumn("status", "VARCHAR", about, known_values=("None", about))
    claim = DescribedTable(
        "prospend", "claim", about, (key, DescribedColumn("id", "VARCHAR", about, is_key=True), status)
    )
    company = DescribedTable("prospend", "company", "companies", (key,))
    spend = DescribedTable(
        "mart", "spend", about, (key, DescribedColumn("gross", "DECIMAL(18,4)", about, currency="c"))
    )
    return Dictionary((company, claim, spend))


@pytest.mark.parametrize("about", HOSTILE)
def test_every_description_stays_text(about):
    """Neither YAML nor Jinja reads anything into it."""
    files = {path: yaml.safe_load(text) for path, text in sources(books(about)).items() if path.endswith(".yml")}
    (_, claim) = files["models/sources/prospend.yml"]["sources"][0]["tables"]
    assert as_jinja_gives_it(claim["description"]) == about
    assert as_jinja_gives_it(claim["columns"][1]["description"]) == about
    (accepted,) = claim["columns"][2]["data_tests"]
    assert accepted["accepted_values"]["arguments"]["values"] == ["None", about]


def test_tests_follow_from_keys_values_and_links():
    """A row a key; what the source may break is warned of, what this program keeps is an error."""
    files = sources(books("plain"))
    (_, claim) = yaml.safe_load(files["models/sources/prospend.yml"])["sources"][0]["tables"]
    assert claim["data_tests"] == [{"unique_row": {"arguments": {"columns": ["company_id", "id"]}}}]
    assert claim["columns"][0]["data_tests"] == [
        "not_null",
        {
            "relationships": {
                "arguments": {"to": "source('prospend', 'company')", "field": "company_id"},
                "config": {"severity": "warn"},
            }
        },
    ]
    assert claim["columns"][2]["data_tests"][0]["accepted_values"]["config"] == {"severity": "warn"}
    (spend,) = yaml.safe_load(files["models/sources/mart.yml"])["sources"][0]["tables"]
    assert [column.get("data_tests") for column in spend["columns"]] == [None, None]


def test_the_users_files_parse_and_name_the_warehouse():
    """A path may hold what YAML and Jinja would read otherwise."""
    files = project('/srv/it\'s "here"/back\\slash/w.duckdb', has_marts=True)
    (attached,) = yaml.safe_load(files["profiles.yml"])["prospend"]["outputs"]["local"]["attach"]
    (default,) = re.findall(r"\{\{ env_var\('PROSPEND_WAREHOUSE', ('.*')\) \}\}", attached["path"])
    assert default == r"""'/srv/it\'s "here"/back\\slash/w.duckdb'"""
    assert attached["read_only"] is True
    assert attached["alias"] == "prospend"
    assert yaml.safe_load(files["dbt_project.yml"])["profile"] in yaml.safe_load(files["profiles.yml"])


def test_a_site_without_marts_gets_no_models_over_them():
    """Every source that a model names is among the sources."""
    dictionary = books("plain")
    assert any("source('mart'" in text for text in project("w.duckdb", has_marts=True).values())
    without = Dictionary(dictionary.of_schema("prospend"))
    files = sources(without) | project("w.duckdb", has_marts=False)
    assert not any("source('mart'" in text for path, text in files.items() if path.startswith("models/"))
