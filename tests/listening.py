"""People's ends of the line: a webhook over TLS, a dead man's switch, and a mail server, all on this machine."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme


@dataclass
class Heard:
    """What arrived, in order: (path, body)."""

    url: str
    ca_file: Path
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    status: int = 200
    on_post: Callable[[], None] = lambda: None

    @property
    def messages(self) -> list[dict]:
        return [json.loads(body) for path, body in self.posts if path == "/hook"]

    @property
    def pings(self) -> list[str]:
        return [path.removeprefix("/ping/") for path, _ in self.posts if path.startswith("/ping/")]


@contextmanager
def webhook(folder: Path) -> Iterator[Heard]:
    """A server on a free port, with a certificate of its own authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "people-ca.pem")
    heard = Heard("", folder / "people-ca.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.posts.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            heard.on_post()
            self.send_response(heard.status)
            if heard.status == 302:
                self.send_header("Location", f"{heard.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def get_request(self):  # the handshake belongs to the connection's own thread
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        heard.url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()


@dataclass
class DeadMan:
    """A dead man's switch as Healthchecks is one: it waits for a ping within its period, and some grace beyond.

    A run that says it has begun has the grace to end; one that ends with another exit code than 0 has failed.
    """

    period: timedelta
    grace: timedelta
    good_at: datetime | None = None
    began_at: datetime | None = None
    has_failed: bool = False

    def hear(self, suffix: str, at: datetime) -> None:
        """A ping has come."""
        self.began_at = at if suffix == "start" else None
        if suffix != "start":
            self.has_failed = suffix != "0"
            self.good_at = at if suffix == "0" else self.good_at

    def is_alarmed(self, now: datetime) -> bool:
        """Whether somebody is woken."""
        is_late = self.good_at is not None and now > self.good_at + self.period + self.grace
        hangs = self.began_at is not None and now > self.began_at + self.grace
        return self.has_failed or is_late or hangs


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """Its port, and the mails it was given."""
    mails: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().strip().upper():
                if line.startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text.decode())
                    mails.append("".join(lines))
                self.wfile.write(b"221 bye\r\n" if line == b"QUIT" else b"250 yes\r\n")
                if line == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1], mails
        finally:
            server.shutdown()
            thread.join()
