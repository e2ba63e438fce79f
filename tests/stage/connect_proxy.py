"""A proxy of the tests' own: opens tunnels over real sockets and remembers every byte that passes through it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """What it saw: heads of requests made of it, and bytes it relayed, by direction."""

    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)

    @property
    def everything(self) -> bytes:
        """Every byte that it ever held."""
        return b"".join(self.heads) + self.sent + self.received


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            seen += piece
            writer.write(piece)
            await writer.drain()
    writer.close()


async def _serve(
    proxy: Proxy, answer: bytes | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        proxy.heads.append(head)
        if answer is not None:
            writer.write(answer)
            await writer.drain()
            if answer:
                writer.close()
            await reader.read()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as both:
            both.create_task(_relay(reader, far_writer, proxy.sent))
            both.create_task(_relay(far_reader, writer, proxy.received))
    writer.close()


@contextmanager
def connect_proxy(answer: bytes | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy that listens on loopback until the block ends.

    Args:
        answer: what it says to CONNECT instead of opening a tunnel; with b"" it says nothing and waits.
        tls: it speaks TLS itself.
    """
    proxy, ready, loop = Proxy(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def listen() -> None:
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_serve(proxy, answer, reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        proxy.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        ready.set()
        await stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(listen())

    thread = threading.Thread(target=run, name="proxy", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
