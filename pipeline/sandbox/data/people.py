"""Who claims and who approves: users of the site, who exist only inside claims and invoices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.sandbox.data import names
from pipeline.sandbox.data.dimensions import Dimensions
from pipeline.sandbox.data.draw import Draws, Ints
from pipeline.sandbox.data.text import Choices, Value, json_text, raw_texts, take, texts

_FIRST_ID: Final = 4001
# The cost centres of the last entity of each company, which is disabled, have no staff of their own.
_STAFFED_DIVISIONS: Final = np.array([32, 10])
_MOST: Final = len(names.FIRST_NAMES) * len(names.SURNAMES)


@dataclass(frozen=True, slots=True)
class People:
    """Columns by person: company and cost centre (rows of `Dimensions`), two approvers (people), and texts."""

    company: Ints
    division: Ints
    manager: Ints
    director: Ints
    company_texts: Choices
    ids: Choices
    employee_numbers: Choices
    names: Choices
    external_codes: Choices
    approver_openings: Choices

    @property
    def count(self) -> int:
        return len(self.company)


def make_people(seed: int, claim_count: int, dimensions: Dimensions) -> People:
    """One claimant for about eighteen claims; every fifth works for the New Zealand company."""
    count = min(max(claim_count // 18, 30), _MOST)
    rows = np.arange(count, dtype=np.int64)
    draws = Draws(seed, "person")
    company = (rows % 5 == 4).astype(np.int64)
    # The first tenth of each company's people are managers: people 5k to 5k + 3 are Australian, 5k + 4 are not.
    fives = max(count // 50, 2)
    drawn = draws.below("manager", rows, fives) * 5
    manager = np.where(company == 1, drawn + 4, drawn + rows % 4)
    manager = np.where(manager == rows, np.where(drawn == 0, manager + 5, manager - 5), manager)
    surnames, firsts = len(names.SURNAMES), len(names.FIRST_NAMES)
    pairs = [(names.FIRST_NAMES[n % firsts], names.SURNAMES[(n // firsts + n * 7) % surnames]) for n in range(count)]
    ids = [str(_FIRST_ID + n) for n in range(count)]
    full = [f"{first} {surname}" for first, surname in pairs]
    return People(
        company=company,
        division=dimensions.divisions.first[company] + draws.below("division", rows, _STAFFED_DIVISIONS[company]),
        manager=manager,
        director=np.where(company == 1, 4, 0),
        company_texts=texts(str(each + 1) for each in company.tolist()),
        ids=raw_texts(f'"{each}"' for each in ids),
        employee_numbers=raw_texts(f'"E{n + 1:05d}"' for n in range(count)),
        names=texts(full),
        external_codes=texts(f"{first[0]}{surname}{n % 9 or ''}".upper() for n, (first, surname) in enumerate(pairs)),
        approver_openings=raw_texts(
            f'{{"id":"{each}","name":{json_text(name)},"approvedDate":' for each, name in zip(ids, full, strict=True)
        ),
    )


def claimant_fields(people: People, claimants: Ints) -> dict[str, Value]:
    """The four fields of a claim that say whose it is."""
    return {
        "claimantId": (take(people.ids, claimants),),
        "employeeNumber": (take(people.employee_numbers, claimants),),
        "claimantName": (take(people.names, claimants),),
        "claimantExternalCode": (take(people.external_codes, claimants),),
    }
