"""The admin port: what the journal holds, as JSON, for tools in other processes, and the hands of the clock."""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections.abc import Callable

import msgspec
from aiohttp import web

from pipeline.sandbox.journal import Journal


def make_app(journal: Journal) -> web.Application:
    """GET /journal[?last=N] and GET /counters."""

    async def show_journal(request: web.Request) -> web.Response:
        last = request.query.get("last", "")
        if last and not (last.isascii() and last.isdigit()):
            return web.json_response({"message": "last must be a whole number"}, status=400)
        entries = journal.entries
        return _json(entries[-int(last) or len(entries) :] if last else entries)

    async def show_counters(_request: web.Request) -> web.Response:
        return _json(journal.counts)

    app = web.Application()
    app.router.add_get("/journal", show_journal)
    app.router.add_get("/counters", show_counters)
    return app


def let_advance(app: web.Application, secret: str, advance: Callable[[int], object]) -> None:
    """POST /advance?days=N for whoever carries the secret of the state folder; `advance` may take its time."""

    async def move(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {secret}".encode()):
            return web.json_response({"message": "the secret of the state folder is missing or wrong"}, status=401)
        days = request.query.get("days", "1")
        if not (days.isascii() and days.isdigit() and len(days) < 6):
            return web.json_response({"message": "days must be a whole number"}, status=400)
        try:
            return _json(await asyncio.to_thread(advance, int(days)))
        except ValueError as refused:
            return web.json_response({"message": str(refused)}, status=400)

    app.router.add_post("/advance", move)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


async def start(app: web.Application, port: int, tls: ssl.SSLContext) -> tuple[web.AppRunner, int]:
    """Listen on the loopback interface; the port it got."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
    await site.start()
    return runner, int(runner.addresses[0][1])


async def stop(runner: web.AppRunner) -> None:
    """Stop listening, and end every connection at once: a browser keeps its own open, and TLS would wait for it."""
    handlers = runner.server.connections if runner.server is not None else []
    transports = [handler.transport for handler in handlers if handler.transport is not None]
    await runner.cleanup()
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)  # lets the loop close their sockets
