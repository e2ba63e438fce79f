"""Accepts connections and brings each to TLS, or to whatever the fault chosen for it does instead.

Ends all that it began: handshakes, connections and scripts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from datetime import UTC, datetime
from typing import Final

from pipeline.sandbox.journal import JournalEntry
from pipeline.sandbox.model import Close, Script, Send, Wait
from pipeline.sandbox.server import Connection, Host

_BACKLOG: Final = 128
_HELLO_LIMIT_BYTES: Final = 16 * 1024
_HELLO_S: Final = 30.0
_NO_HANDLES_S: Final = 0.2  # how long to wait when the machine has no handle left
_RESET: Final = struct.pack("ii", 1, 0)


class Listener:
    """A port that serves `host` until closed."""

    def __init__(self, host: Host, listening: socket.socket, tls: ssl.SSLContext) -> None:
        self._host = host
        self._socket = listening
        self._tls = tls
        self._welcomes: dict[asyncio.Task[bool], socket.socket] = {}
        self._pause: asyncio.TimerHandle | None = None
        self._listen()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection, served or not."""
        asyncio.get_running_loop().remove_reader(self._socket)
        if self._pause is not None:
            self._pause.cancel()
        self._socket.close()
        welcomes = tuple(self._welcomes)
        for task in welcomes:
            task.cancel()
        await asyncio.gather(*welcomes, return_exceptions=True)
        for connection in tuple(self._host.connections):
            connection.close()
        while self._host.connections:  # noqa: ASYNC110 - a few rounds of the loop, no time
            await asyncio.sleep(0)  # connections learn of their end in the next rounds of the loop
        await asyncio.sleep(0)  # and their scripts one round later

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            client, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:
            loop.remove_reader(self._socket)
            self._pause = loop.call_later(_NO_HANDLES_S, self._listen)
            return
        client.setblocking(False)
        task = loop.create_task(self._welcome(client))
        self._welcomes[task] = client
        task.add_done_callback(self._welcomed)

    def _welcomed(self, task: asyncio.Task[bool]) -> None:
        """Close what was not handed over to a connection, however its welcome ended."""
        client = self._welcomes.pop(task)
        if task.cancelled() or not task.result():
            client.close()

    async def _welcome(self, client: socket.socket) -> bool:
        """Shake hands, soundly or with the certificate of a fault, or play the fault's script.

        Returns whether a connection has taken the socket over; the client may leave at any time.
        """
        chosen, fault = self._host.injector.connect()
        if fault:
            self._note(fault)
        # To leave is the client's right, and errors of TLS are OSErrors.
        with contextlib.suppress(OSError, TimeoutError):
            if isinstance(chosen, Script):
                await self._play(client, chosen)
            else:
                loop, tls = asyncio.get_running_loop(), self._host.unsound[chosen] if chosen else self._tls
                await loop.connect_accepted_socket(lambda: Connection(self._host), client, ssl=tls)
                return True
        return False

    async def _play(self, client: socket.socket, script: Script) -> None:
        """Hear the client's first message, then take the steps."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_HELLO_S):
            await loop.sock_recv(client, _HELLO_LIMIT_BYTES)
        for step in script.steps:
            match step:
                case Send(raw):
                    await loop.sock_sendall(client, raw)
                case Wait(seconds):
                    await _until_gone(client, seconds)
                case Close(abort=True):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                case _:
                    pass

    def _note(self, fault: str) -> None:
        entry = JournalEntry(datetime.now(UTC), "", "", "", 0, 0, had_token=False, fault=fault)
        self._host.journal.note_connection(entry)


async def _until_gone(client: socket.socket, seconds: float) -> None:
    """Let time pass, but no longer than the client stays."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await asyncio.get_running_loop().sock_recv(client, _HELLO_LIMIT_BYTES):
                pass


def listen(host: Host, port: int, tls: ssl.SSLContext) -> Listener:
    """Serve on the loopback interface; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    # With the protocol named asyncio sends small answers at once (TCP_NODELAY), otherwise 40 ms late.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen on address 127.0.0.1:{port}: {error.strerror}") from error
    return Listener(host, listening, tls)
