"""Reads plans from texts as the command line takes them: `NAME` or `NAME:key=value,key=value`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pipeline.sandbox.faults.plan import Fault, Option, Options, Plan, Scenario, UnknownFault, Value, Where
from pipeline.sandbox.faults.scenarios import SCENARIOS

_WHERE: Final[Mapping[str, Option]] = {
    option.name: option
    for option in (
        Option("path", str, "", "only paths that begin so"),
        Option("resource", str, "", "only this resource of the catalogue"),
        Option("page", int, 0, "only this page of a walk, from 1"),
        Option("attempts", int, 0, "only the first so many times the very same is asked"),
        Option("nth", int, 0, "only the nth that fits, from 1"),
        Option("share", float, 1.0, "only this share of what fits, drawn by the seed", most=1),
        Option("times", int, 0, "stop after so many hits"),
    )
}
_OF_CONNECTIONS: Final = ("nth", "share", "times")


def plan(*texts: str, seed: int = 0) -> Plan:
    """A plan from texts; keys are a scenario's own options or those of `Where`, `drawn` leaves a value to the seed.

    Raises:
        UnknownFault: there is no such scenario or key, or the value does not fit.
    """
    return Plan(tuple(_fault(text) for text in texts), seed)


def keys_of(scenario: Scenario) -> tuple[tuple[Option, Value], ...]:
    """Every key a scenario takes, its own first, with what holds when it is left out."""
    own = tuple((option, option.default) for option in scenario.options)
    return own + tuple((option, getattr(scenario.where, option.name)) for option in _where_options(scenario))


def _where_options(scenario: Scenario) -> tuple[Option, ...]:
    taken = {option.name for option in scenario.options}
    names = _WHERE if scenario.on_request else _OF_CONNECTIONS
    return tuple(_WHERE[name] for name in names if name not in taken)


def _fault(text: str) -> Fault:
    name, _, rest = text.partition(":")
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise UnknownFault(f"there is no fault {name!r}{_nearest(name, SCENARIOS)}")
    values = {option.name: default for option, default in keys_of(scenario)}
    known = {option.name: option for option, _ in keys_of(scenario)}
    for pair in rest.split(",") if rest else ():
        key, _, value = pair.partition("=")
        if key not in known:
            raise UnknownFault(f"fault {name} takes no {key!r}{_nearest(key, known)}")
        values[key] = _value(name, known[key], value)
    own = Options(tuple((option.name, values.pop(option.name)) for option in scenario.options))
    return Fault(name, own, msgspec.convert(values, Where))


def _value(name: str, option: Option, text: str) -> Value:
    """One value of its kind and within its bounds."""
    if text == "drawn" and option.may_be_drawn:
        return None
    wrong = UnknownFault(f"fault {name}: {option.name}={text!r} does not fit ({option.meaning})")
    try:
        value = option.kind(text)
    except ValueError:
        raise wrong from None
    if isinstance(value, str):
        is_sound = value.isprintable() and value.isascii() and (not option.choices or value in option.choices)
    else:
        is_sound = math.isfinite(value) and option.least <= value <= option.most
    if not is_sound:
        raise wrong
    return value


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
