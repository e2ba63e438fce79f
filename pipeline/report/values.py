"""What a report needs to know besides the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Which site's report, of which run, and how it is to be shown.

    `token_expires_at` is what the token says of itself, or None where it says nothing. With `mask_people` no name of a
    person appears in anything that is written.
    """

    site: str
    timezone: str
    run_id: str
    written_at: datetime
    token_expires_at: datetime | None = None
    mask_people: bool = False
