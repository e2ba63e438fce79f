"""What the vendor's pages leave open, as switches: each with the values it can take, the first being the default.

Only names, values and meanings live here; what a value does is done where answers are made (`answer`,
`record_text`).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from pipeline.errors import ConfigError


def _switch(default: str, about: str) -> Any:  # a field's default has the type of its field
    return dataclasses.field(default=default, metadata={"about": about})


@dataclass(frozen=True, slots=True)
class Variants:
    """One choice for everything that is not documented."""

    end_marker: Literal["null", "missing", "empty"] = _switch(
        "null", "how the last page is marked: nextCursor is null, missing, or an empty text"
    )
    error_body: Literal["object", "array", "problem", "text"] = _switch(
        "object",
        "body of an error: an object with code and message, an array `errors` of such objects, problem+json with title "
        "and detail, or plain text",
    )
    company: Literal["page", "array", "object"] = _switch(
        "page", "what the list of companies is: a page as every list, a bare array, or the first company alone"
    )
    not_yet: Literal["null", "missing", "epoch"] = _switch(
        "null", "a date that is not set yet, as of approval: null, missing, or 1970-01-01T00:00:00Z"
    )
    seven_digits: Literal["off", "on"] = _switch("off", "instants carry seven digits of a second, as .NET writes them")
    number_ids: Literal["off", "on"] = _switch("off", "ids made of digits are JSON numbers instead of texts")
    names: Literal["new", "old"] = _switch(
        "new", "names of fields: the newest documented, or the oldest (createdOn, description, currency, ...)"
    )
    totals: Literal["arrays", "single"] = _switch(
        "arrays", "totals of claims and invoices: arrays, or as in the oldest documentation one object `total`"
    )
    over_cap: Literal["cap", "refuse"] = _switch(
        "cap", "a limit above the greatest page: gets the greatest page, or is refused with 400"
    )
    gzip: Literal["on", "off"] = _switch("on", "long bodies are compressed for clients that accept it")

    @property
    def change_records(self) -> bool:
        """Whether records read otherwise than by default."""
        return any(
            getattr(self, one.name) != one.default
            for one in switches()
            if one.name in ("not_yet", "seven_digits", "number_ids", "names", "totals")
        )


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch as people see it; `values` begin with the default."""

    name: str
    values: tuple[str, ...]
    about: str

    @property
    def default(self) -> str:
        return self.values[0]


def switches() -> tuple[Switch, ...]:
    """Every switch, in the order they are declared."""
    kinds = get_type_hints(Variants)
    return tuple(
        Switch(each.name, get_args(kinds[each.name]), each.metadata["about"]) for each in dataclasses.fields(Variants)
    )


def read_variants(written: Iterable[str]) -> Variants:
    """The choices of some texts `NAME=VALUE`; what is not named keeps its default.

    Raises:
        ConfigError: not of that form, an unknown name or value (the nearest one is told), or a name twice.
    """
    known = {one.name: one for one in switches()}
    chosen: dict[str, str] = {}
    for text in written:
        name, equals, value = text.partition("=")
        if not equals:
            raise _refused(f"a variant is NAME=VALUE, not {name!r}")
        if name not in known:
            raise _refused(f"there is no variant {name!r}{_nearest(name, known)}")
        if value not in known[name].values:
            listed = ", ".join(known[name].values)
            raise _refused(f"{name} is one of {listed}, not {value!r}{_nearest(value, known[name].values)}")
        if name in chosen:
            raise _refused(f"variant {name!r} is given twice")
        chosen[name] = value
    return Variants(**chosen)  # type: ignore[arg-type]  # each value was looked up among its Literal's


def _refused(what: str) -> ConfigError:
    return ConfigError(what, where="sandbox --variant", do="see `prospend sandbox variants`")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
