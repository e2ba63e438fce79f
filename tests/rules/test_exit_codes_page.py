"""docs/exit-codes.md lists every error with its code, its title, and whether pages are kept: as `pipeline/errors.py` has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import errors

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "exit-codes.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.PipelineError) and kind is not errors.PipelineError
]


def test_every_error_has_its_row_and_every_row_its_error():
    """Code, title, name, pages kept."""
    stated = {(int(code), title, name, kept == "yes") for code, title, name, _, kept, _ in ROWS if name}
    assert stated == {(kind.exit_code, kind.title, kind.__name__, kind.keeps_pages) for kind in KINDS}
    assert len(ROWS) == len({(row[0], row[2]) for row in ROWS})


def test_codes_without_an_error_are_there_as_well():
    """Published, bugs, interruptions; in the order of the codes."""
    without = {int(row[0]) for row in ROWS if not row[2]}
    assert without == {
        errors.EXIT_PUBLISHED, errors.EXIT_INTERNAL, errors.EXIT_INTERRUPTED, errors.EXIT_TERMINATED,
    }  # fmt: skip
    codes = [int(row[0]) for row in ROWS]
    assert codes == sorted(codes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[2]}".strip())
def test_every_row_says_what_it_means_and_what_to_do(row: list[str]):
    """And each setting that it names is one."""
    _, _, _, meaning, _, todo = row
    assert meaning
    assert todo
    example = (ROOT / "configs" / "site.example.toml").read_text()
    for name in re.findall(r"`(?:api|site|storage|extract)\.(\w+)`", meaning + todo):
        assert re.search(rf"^(# )?{name} = ", example, re.MULTILINE), name
