"""The error tree: four lines, an exit code, and nothing lost on the way."""

from __future__ import annotations

import pickle

import pytest

from pipeline import errors


def subclasses(kind: type) -> list[type]:
    return [kind, *(found for child in kind.__subclasses__() for found in subclasses(child))]


CODES = {
    "ConfigError": 10, "TokenError": 11, "NotPermitted": 12, "SourceUnavailable": 20, "SourceContractBroken": 21,
    "RequestRefused": 21, "NotThere": 21, "SecurityStop": 22, "LocalResource": 30, "DiskFull": 30, "TooManyPages": 30,
    "LocalAccess": 31, "StoredDataDamaged": 40,
    "CheckRefused": 41, "BudgetReached": 42, "RunActive": 50, "VersionMismatch": 60, "PipelineError": 70,
}  # fmt: skip


def test_the_tree_is_the_documented_one():
    """Exit codes are a contract: each class has the one that is documented."""
    assert {kind.__name__: kind.exit_code for kind in subclasses(errors.PipelineError)} == CODES


@pytest.mark.parametrize("kind", subclasses(errors.PipelineError))
def test_each_error_says_four_lines_and_survives_pickling(kind):
    """WHAT, WHERE, STATE and DO are never empty, and a copy through pickle says the same."""
    error = kind("something happened", where="here")
    labels = [label for label, _ in error.lines()]
    assert labels == ["WHAT", "WHERE", "STATE", "DO"]
    assert all(text for _, text in error.lines())
    assert str(kind.exit_code) in dict(error.lines())["WHAT"]
    assert pickle.loads(pickle.dumps(error)).lines() == error.lines()
    assert kind.__doc__


def test_a_caller_fills_in_only_what_is_empty():
    """The place nearest to the failure wins."""
    error = errors.SourceUnavailable("gone", where="page 7").filled_in(where="run", state="nothing published")
    assert (error.where, error.state) == ("page 7", "nothing published")
