"""Bare aiohttp: every list of every company at once, page after page, the bytes thrown away. No parsing, no storing."""

from __future__ import annotations

import asyncio
import json
import ssl

import aiohttp
from job import the_job, the_token

_NEXT = b'"nextCursor":"'


def cursor_of(body: bytes) -> str | None:
    """The cursor, which stands at the end of a page, without parsing the page."""
    at = body.rfind(_NEXT)
    return None if at < 0 else body[at + len(_NEXT) : body.index(b'"', at + len(_NEXT))].decode()


async def main() -> None:
    """Read everything there is."""
    job = the_job()
    connector = aiohttp.TCPConnector(limit=16, ssl=ssl.create_default_context())
    headers = {"Authorization": f"Bearer {the_token()}"}

    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def walk(path: str, query: dict[str, str]) -> bytes:
            """All pages; the last one comes back."""
            params = {**query, "limit": str(job.page_limit)}
            while True:
                async with http.get(f"{job.api_url}/{path}", params=params) as answer:
                    answer.raise_for_status()
                    body = await answer.read()
                cursor = cursor_of(body)
                if cursor is None:
                    return body
                params["cursor"] = cursor

        companies = [one["companyId"] for one in json.loads(await walk("company", {}))["page"]]
        await asyncio.gather(
            *(walk(one.path.replace("{companyId}", company), one.query) for one in job.lists for company in companies)
        )


asyncio.run(main())
