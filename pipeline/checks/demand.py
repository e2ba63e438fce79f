"""Which checks a site wants to refuse a night, and which only to be told of, where it differs from the default."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.checks.sums import AMOUNTS, LINES
from pipeline.errors import ConfigError
from pipeline.marts import told_tests
from pipeline.model import CheckResult
from pipeline.resources import Catalogue, Resource, Tie, snake_case
from pipeline.tables import Table, all_tables

# These can be made required or advisory. The others are what the promises stand on, or have a limit of their own.
_SWITCHABLE = (
    "fields_sent",
    "fields_sent_in_changes",
    "fields_known",
    "types_as_declared",
    "values_as_documented",
    "status_counts",
    "null_rates_steady",
    "data_fresh",
    "update_times_plausible",
)


def amounts_check(table: Table) -> str:
    """The name of the check that amounts in a table add up."""
    return f"{AMOUNTS}.{table.name}"


def lines_check(resource: Resource, tie: Tie) -> str:
    """The name of the check that lines add up to the row above them."""
    return f"{LINES}.{resource.name}" + (f".{snake_case(tie.to)}" if tie.to else "")


def switchable(catalogue: Catalogue) -> tuple[str, ...]:
    """Names of the checks that `checks.required` and `checks.advisory` may hold."""
    amounts = [amounts_check(table) for table in all_tables(catalogue) if any(c.sum_of for c in table.columns)]
    lines = [lines_check(resource, tie) for resource in catalogue for tie in resource.ties]
    return (*_SWITCHABLE, *amounts, *lines, *told_tests())


def refuse_unknown(required: Iterable[str], advisory: Iterable[str], catalogue: Catalogue) -> None:
    """Every name is that of a check, or of a kind of checks, and stands on one side only.

    Raises:
        ConfigError: naming every problem, and the nearest name.
    """
    required, advisory, known = tuple(required), tuple(advisory), switchable(catalogue)
    groups = dict.fromkeys((*known, *(name.partition(".")[0] for name in known)))
    problems = []
    for setting, wanted in (("required", required), ("advisory", advisory)):
        for name in wanted:
            if name not in groups:
                close = difflib.get_close_matches(name, list(groups), n=1, cutoff=0.4)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(groups)}"
                problems.append(f"checks.{setting}: {name!r} is no check that can be switched; {hint}")
    problems += [f"checks: {name!r} is both required and advisory" for name in sorted({*required} & {*advisory})]
    if problems:
        raise ConfigError("; ".join(problems), where="[checks]")


def demanded(
    results: Iterable[CheckResult], required: Sequence[str], advisory: Sequence[str]
) -> tuple[CheckResult, ...]:
    """The verdicts as the site wants them; a check's own name goes before that of its kind."""
    wanted = dict.fromkeys(required, True) | dict.fromkeys(advisory, False)
    return tuple(
        replace(one, required=wanted.get(one.name, wanted.get(one.name.partition(".")[0], one.required)))
        for one in results
    )
