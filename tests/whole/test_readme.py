"""The first screen of the README is true: its query, run on the sample books, prints what it shows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_query_prints_what_the_readme_shows(prospend, tmp_path):
    """The demo at its default size, then the README's own statement: the very lines of the README."""
    sql, shown = re.search(
        r'^\$ \.venv/bin/prospend query --data data/demo "(.*?)"\n(.*?)^```', README, re.MULTILINE | re.DOTALL
    ).groups()
    assert prospend("demo", "--quiet", "--data", tmp_path / "demo").code == 0
    assert prospend("query", "--data", tmp_path / "demo", sql).out == shown


def test_every_exit_code_is_named():
    """The README names every exit code that an error class has."""
    from pipeline import errors

    listed = README.split("## Exit codes")[1].split("##")[0]
    codes = {getattr(errors, name).exit_code for name in dir(errors) if isinstance(getattr(errors, name), type)}
    assert all(str(code) in listed for code in codes - {42})  # call budgets are not built yet


def test_every_resource_is_named():
    """What the README says you get is what the catalogue reads."""
    names = tomllib.loads((ROOT / "configs" / "prospend.toml").read_text())["resource"]
    assert [name for name in names if name not in README] == []
