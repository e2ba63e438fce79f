"""Suppliers of both companies as plain objects, with registration numbers whose check digits are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.sandbox.data import names
from pipeline.sandbox.data.draw import Draws
from pipeline.sandbox.data.times import BOOKS_S, DAY_S, FIRST_DAY

Record = dict[str, Any]  # an object of the API before it is written: its values are of every JSON type


def draw_one(draws: Draws, attribute: str, number: int, bound: int) -> int:
    """A number in [0, bound) for one row."""
    return int(draws.below(attribute, np.array([number]), bound)[0])


def dates(draws: Draws, number: int, moved_days: int) -> tuple[str, str]:
    """Created before the books open or within them, updated later; every sixth row was touched by one mass import."""
    created = (FIRST_DAY - 400 + draw_one(draws, "created", number, 900)) * DAY_S + draw_one(
        draws, "second", number, DAY_S
    )
    updated = created + draw_one(draws, "updated", number, max(BOOKS_S - created, 1))
    imported = (FIRST_DAY + 510) * DAY_S
    if created < imported and draw_one(draws, "imported", number, 6) == 0:
        updated = imported
    return _instant(created + moved_days * DAY_S), _instant(updated + moved_days * DAY_S)


def _instant(seconds: int) -> str:
    return str(np.datetime64(seconds, "s")) + "Z"


def make_suppliers(seed: int, count: int, moved_days: int) -> list[list[Record]]:
    """Four in five are the Australian company's; one in ten trades in US dollars and has no local registration."""
    split = count * 4 // 5
    numbers = range(60_001, 60_001 + count)
    draws = Draws(seed, "supplier")
    return [
        [_supplier(draws, number, 0, moved_days) for number in numbers[:split]],
        [_supplier(draws, number, 1, moved_days) for number in numbers[split:]],
    ]


def _supplier(draws: Draws, number: int, company: int, moved_days: int) -> Record:
    moods, animals = len(names.MOODS), len(names.ANIMALS)
    mood, animal = names.MOODS[number % moods], names.ANIMALS[number // moods % animals]
    trade = names.TRADES[(number // (moods * animals) + draw_one(draws, "trade", number, 4)) % len(names.TRADES)]
    name = f"{mood} {animal} {trade}"
    foreign = draw_one(draws, "foreign", number, 10) == 0
    created, updated = dates(draws, number, moved_days)
    active = draw_one(draws, "active", number, 100) >= 7
    suffix = "Inc" if foreign else ("Pty Ltd", "Limited")[company]
    registration = "" if foreign else (abn, nzbn)[company](draw_one(draws, "registration", number, 10**9))
    return {
        "id": str(number),
        "createdDate": created,
        "approvedDate": created if draw_one(draws, "approved", number, 20) else None,
        "updatedDate": updated,
        "registrationNumber": registration,
        "supplierCode": f"{animal[:3].upper()}{number % 10_000:04d}",
        "displayName": name,
        "tradingNames": [name, f"{animal} {trade}"][: draw_one(draws, "names", number, 3)],
        "legalName": f"{name} {suffix}",
        "country": "US" if foreign else ("AU", "NZ")[company],
        "currency": "USD" if foreign else ("AUD", "NZD")[company],
        "isActive": active,
        "isValidated": draw_one(draws, "validated", number, 10) > 0,
        "primaryAddress": _address(draws, number, company, foreign=foreign),
    }


def _address(draws: Draws, number: int, company: int, *, foreign: bool) -> Record:
    places = (names.PLACES_AU, names.PLACES_NZ)[company]
    suburb, state, code = (
        ("Sampleville", "CA", "90000") if foreign else places[draw_one(draws, "place", number, len(places))]
    )
    street = f"{1 + draw_one(draws, 'street', number, 299)} {names.STREETS[number % len(names.STREETS)]}"
    country = "US" if foreign else ("AU", "NZ")[company]
    level = f"Level {1 + draw_one(draws, 'level', number, 20)}" if number % 3 == 0 else ""
    return {
        "fullAddress": ", ".join(part for part in (level, street, f"{suburb} {state} {code}", country) if part),
        "address1": level or street,
        "address2": street if level else "",
        "address3": "",
        "suburb": suburb,
        "city": suburb,
        "state": state,
        "postCode": code,
        "country": country,
    }


def abn(number: int) -> str:
    """An Australian Business Number with valid check digits, from a number below 10**9; `51 824 753 556` in form.

    Source: the register's own rule: take 1 from the first digit, weigh the digits, the sum is a multiple of 89.
    """
    body = [int(digit) for digit in f"{number:09d}"]
    weights = (3, 5, 7, 9, 11, 13, 15, 17, 19)
    total = sum(weight * digit for weight, digit in zip(weights, body, strict=True))
    # The two check digits weigh 10 (less one) and 1, and run from 10 to 99: exactly one of the 89 values fits.
    check = next(n for n in range(11, 100) if (10 * (n // 10 - 1) + n % 10 + total) % 89 == 0)
    text = f"{check}{number:09d}"
    return f"{text[:2]} {text[2:5]} {text[5:8]} {text[8:]}"


def nzbn(number: int) -> str:
    """A New Zealand Business Number (a GS1 number under 9429) with its check digit, from a number below 10**9."""
    body = f"9429{number % 10**8:08d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"
