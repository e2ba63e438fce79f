"""How numbers, dates and times are written for Australian readers, and the exact text behind each."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigError

NOTHING: Final = "\N{EN DASH}"
TO: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def number(value: Decimal | float, *, places: int = 0, most: int | None = None) -> str:
    """`1,234.50`: at least `places` decimals, and up to `most` where the value has them."""
    exact = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    most = places if most is None else most
    text = f"{abs(round(exact, most)):,.{most}f}"
    if most > places:
        whole, _, digits = text.partition(".")
        kept = digits.rstrip("0").ljust(places, "0")
        text = f"{whole}.{kept}" if kept else whole
    is_negative = exact < 0 and any(digit in text for digit in "123456789")
    return (_MINUS if is_negative else "") + text


def money(value: Decimal | float) -> str:
    """`1,234.50`; further decimals only where the amount has them."""
    return number(value, places=2, most=4)


def sent_money(value: Decimal | float | None) -> str:
    """The same, or that it was not sent."""
    return "not sent" if value is None else money(value)


def brief_money(value: float) -> str:
    """For axes: `1.2m`, `350k`, `80`."""
    for size, unit in ((1e9, "b"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= size * 0.99995:  # 999,950 is told as 1m
            return f"{number(value / size, most=1)}{unit}"
    return number(value)


def day(value: date) -> str:
    """`27 Nov 2026`."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def long_day(value: date) -> str:
    """`Friday, 27 November 2026`."""
    return f"{_WEEKDAYS[value.weekday()]}, {value.day} {_LONG_MONTHS[value.month - 1]} {value.year}"


def month(value: date) -> str:
    """`Nov 2026`."""
    return f"{_MONTHS[value.month - 1]} {value.year}"


def long_month(value: date) -> str:
    """`November 2026`."""
    return f"{_LONG_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime, zone: ZoneInfo) -> str:
    """`27 Nov 2026, 11:21 am AEDT`, in a time zone."""
    local = value.astimezone(zone)
    half = "am" if local.hour < 12 else "pm"
    return f"{day(local)}, {(local.hour + 11) % 12 + 1}:{local.minute:02d} {half} {local.tzname()}"


def hours(value: float) -> str:
    """`7.5 h` up to two days, then `3.2 days`."""
    return f"{number(value, places=1)} h" if abs(value) < 48 else f"{number(value / 24, places=1)} days"


def age(seconds: float) -> str:
    """`12 minutes`, `5 hours`, `3 days`: how old something is, rounded down."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count >= 1 and not (unit == "hour" and count == 0):
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def change(value: Decimal | float) -> str:
    """`+4.2 %`, or the same with a minus sign."""
    text = number(value, places=1)
    return f"{text} %" if value <= 0 or text == "0.0" else f"+{text} %"


def count_of(count: int, one: str, many: str | None = None) -> str:
    """`1 invoice`, `1,234 invoices`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def exact(value: object) -> str:
    """The value as a program would write it: what stands in the page beside the text for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def zone_of(name: str) -> ZoneInfo:
    """The site's time zone.

    Raises:
        ConfigError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            "the time zone is not known", where="site.timezone", do="name one as Australia/Sydney"
        ) from error
