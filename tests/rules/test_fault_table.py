"""The table of faults is whole: every row is there, proven by tests that exist, run, and expect what the row says."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from fault_rows.cases import CASES
from fault_rows.never import NEVER
from fault_rows.rows import ROWS, SECTIONS

from pipeline import errors

TESTS = Path(__file__).parents[1]
NUMBERS = [number for numbers in SECTIONS.values() for number in numbers]
CODES = {
    name: kind.exit_code
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.PipelineError)
}


@cache
def module(file: str) -> ast.Module:
    return ast.parse((TESTS / file).read_text())


def definition(name: str) -> tuple[ast.FunctionDef, str]:
    """A test's function, and its source together with that of the tables and functions beside it that it names."""
    file, _, function = name.partition("::")
    text, tree = (TESTS / file).read_text(), module(file)
    (found,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    named = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
    beside = [
        node
        for node in tree.body
        if (isinstance(node, ast.FunctionDef) and node.name in named)
        or (isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in named for t in node.targets))
    ]
    return found, "\n".join(
        ast.get_source_segment(text, node) or "" for node in (*found.decorator_list, found, *beside)
    )


def test_every_row_is_there_once_and_in_order():
    """No number of a section that is listed may be missing."""
    assert list(ROWS) == NUMBERS == sorted(set(NUMBERS))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_row_is_proven_by_what_it_says(number: int):
    """By cases of the real command or by named tests; its exit codes are exactly what these expect."""
    row = ROWS[number]
    proven = {case.code for case in CASES if case.row == number} | set(row.also.values())
    assert proven, "nothing proves it"
    assert proven == set(row.exits)
    assert row.title
    assert row.never
    assert set(row.never) <= NEVER.keys()


@pytest.mark.parametrize("name", sorted({name for row in ROWS.values() for name in row.also}))
def test_a_named_test_exists_runs_and_expects_its_code(name: str):
    """It is never skipped whatever the machine, and names the exit code or the error of that code."""
    found, source = definition(name)
    for decorator in found.decorator_list:
        told = ast.unparse(decorator)
        assert "mark.skip(" not in told
        assert told != "pytest.mark.skip"
        assert "xfail" not in told
    first = found.body[1] if ast.get_docstring(found) else found.body[0]
    assert "pytest.skip" not in ast.unparse(first) or isinstance(first, ast.If)
    for code in {row.also[name] for row in ROWS.values() if name in row.also} - {0}:
        words = {word for word, exit_code in CODES.items() if exit_code == code} | {str(code)}
        assert words & set(re.findall(r"\w+", source)), code


def test_no_two_cases_have_one_name():
    """A case is found by its row and name."""
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_cases_belong_to_rows():
    """Only what the catalogue does not name has no number."""
    assert {case.row for case in CASES if case.row is not None} <= set(ROWS)


def test_every_case_is_run():
    """The test that takes the cases takes all of them, and skips none."""
    found, source = definition("whole/test_fault_rows.py::test_a_fault_ends_as_the_table_says")
    assert 'parametrize("case", CASES' in source
    assert "skip" not in source
    assert "assert_never" in ast.unparse(found)
