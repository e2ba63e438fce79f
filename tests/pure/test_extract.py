"""Which page of which walk is asked for next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.extract import Scope, extract
from pipeline.model import Page, Request, Response
from pipeline.resources import Resource, read_catalogue

COMPANIES, CLAIMS = 20, 50


def test_open_walks_do_not_grow_with_the_number_of_parents():
    """Claims of one company are followed down before those of the next are listed, so few walks wait at once."""
    waiting = most = 0

    async def send(request: Request) -> Response:
        nonlocal waiting, most
        count = {"company": COMPANIES, "claim": CLAIMS}.get(request.resource, 0)
        key = "companyId" if request.resource == "company" else "id"
        if request.resource == "claim":
            waiting += CLAIMS
            most = max(most, waiting)
        elif request.resource == "expense":
            waiting -= 1
        return Response(json.dumps({"page": [{key: str(n)} for n in range(count)]}).encode(), datetime.now(UTC))

    async def deliver(resource: Resource, pages: Sequence[Page]) -> None:
        pass

    done = asyncio.run(extract(Scope(read_catalogue(), "beta", concurrency=2), send, deliver, lambda _: None))
    walked = {one.resource: one.walk_count for one in done.walks}
    assert (walked["claim"], walked["expense"]) == (COMPANIES, COMPANIES * CLAIMS)
    assert waiting == 0
    assert most <= 3 * CLAIMS
