"""What the guides say is true where a text can tell: their blocks are followed, settings exist, personal columns are listed."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.resources import read_catalogue, snake_case
from pipeline.settings import SECTIONS, Extract, Storage, defaults_of, load_settings, seconds_of

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("getting-started", "nightly", "exit-codes", "recovery", "privacy", "upgrading", "container")


def test_the_privacy_page_names_every_personal_column():
    """Each in the row of its table, as the catalogue marks them; and nothing else."""
    page = (DOCS / "privacy.md").read_text()
    rows = re.findall(r"^\| `prospend\.(\w+)` \|([^|]*)\|([^|]*)\|", page, re.MULTILINE)
    stated = {(table, name) for table, *cells in rows for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert stated == set(personal_columns())


def personal_columns() -> Iterator[tuple[str, str]]:
    for resource in read_catalogue():
        marked = {one.name for one in resource.columns if one.personal}
        yield from ((resource.name, snake_case(name)) for name in marked)
        for column in resource.columns:
            yield from ((str(column.table), snake_case(one.name)) for one in column.columns if one.personal)


# ---- what holds for all of these pages -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_commands_is_followed_or_says_why_not(page: str):
    """Blocks without a language are commands; `text` is what is printed, `toml` settings."""
    text = (DOCS / f"{page}.md").read_text()
    kinds = re.findall(r"(<!-- [^\n]* -->)?\n *```(\w*)\n.*?\n *```", text, re.DOTALL)
    assert kinds
    for comment, language in kinds:
        assert language in ("toml", "text") or re.match(r"<!-- (executed by a test|by hand: .+)", comment), page


@pytest.mark.parametrize("page", PAGES)
def test_the_settings_of_a_page_are_settings(page: str, tmp_path: Path):
    """Each block of them, put into a file with the least that a site needs."""
    for block in re.findall(r"^```toml\n(.*?)^```", (DOCS / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL):
        given = tomllib.loads(block)
        least = {
            "site": {"name": "a", "base_url": "https://localhost"},
            "token": {"env": "A"},
            "storage": {"data_dir": "d"},
        }
        merged = {name: {**least.get(name, {}), **given.get(name, {})} for name in {*least, *given}}
        lines = [
            line
            for name, keys in merged.items()
            for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
        ]
        (tmp_path / "site.toml").write_text("\n".join(lines))
        load_settings(tmp_path / "site.toml", environ={})


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_a_page_names_is_one(page: str):
    """As `section.name`."""
    known = {f"{section}.{one.name}" for section, kind in SECTIONS.items() for one in dataclasses.fields(kind)}
    named = set(re.findall(rf"`((?:{'|'.join(SECTIONS)})\.\w+)[` ]", (DOCS / f"{page}.md").read_text()))
    assert named <= known


def test_the_defaults_of_the_privacy_page_are_the_real_ones():
    """How many generations, and how long pages may be gone on from."""
    page = (DOCS / "privacy.md").read_text()
    assert f"`storage.keep_generations` ({defaults_of(Storage)['keep_generations']})" in page
    assert seconds_of(defaults_of(Extract)["resume_within"]) == timedelta(days=3).total_seconds()
    assert "`extract.resume_within` (3 days)" in page
