"""Faults before the first byte of an answer: names, connections, TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import trustme

from fault_rows.case import Case, Scene, answers, faults, set_to
from pipeline.sandbox.faults import plan
from pipeline.sandbox.model import Close, Script, Send

FIRST = "company · page 1"
FINAL = {"code": 22, "where": FIRST, "calls": 0}


def nobody_listens(scene: Scene) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        scene.edit(scene.sandbox.base_url, f"https://127.0.0.1:{probe.getsockname()[1]}")


def nobody_accepts(scene: Scene) -> None:
    """A listener whose queue is full: the kernel drops every further SYN."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
    scene.kept += [listener, *waiting]
    scene.edit(scene.sandbox.base_url, f"https://127.0.0.1:{listener.getsockname()[1]}")
    scene.quick(connect_timeout_s=0.3)


def unknown_authority(scene: Scene) -> None:
    trustme.CA().cert_pem.write_to_path(scene.folder / "other.pem")
    scene.edit(str(scene.sandbox.ca_file), str(scene.folder / "other.pem"))


def no_authority_file(scene: Scene) -> None:
    scene.edit(str(scene.sandbox.ca_file), str(scene.folder / "none.pem"))


def authority_file_of_nonsense(scene: Scene) -> None:
    (scene.folder / "nonsense.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    scene.edit(str(scene.sandbox.ca_file), str(scene.folder / "nonsense.pem"))


def certificate_of_tomorrow(scene: Scene) -> None:
    """What a machine sees whose clock is a day behind: a certificate that is good, only not yet."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(scene.folder / "other.pem")
    now = datetime.now(UTC)
    leaf = authority.issue_cert("127.0.0.1", not_before=now + timedelta(days=1), not_after=now + timedelta(days=9))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def shake_hands() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

    threading.Thread(target=shake_hands, daemon=True).start()
    scene.kept.append(listener)
    scene.edit(scene.sandbox.base_url, f"https://127.0.0.1:{listener.getsockname()[1]}")
    scene.edit(str(scene.sandbox.ca_file), str(scene.folder / "other.pem"))


def dated(ahead: timedelta):
    """An answer whose Date is so far from this machine's clock at the moment."""

    def answer(_scene: Scene) -> Script:
        when = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        head = f"HTTP/1.1 200 OK\r\nDate: {when}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
        return Script((Send(head.encode()), Close()), status=200)

    return answer


CASES = (
    # ---- 16: the name does not resolve
    Case(16, "a reserved name", set_to("site", base_url='"https://api.invalid"'), 20,
         ("api.invalid cannot be resolved", "gave up after 2 attempts"), FIRST, "run again later"),
    # ---- 18: nobody listens
    Case(18, "a closed port", nobody_listens, 20, ("no connection to 127.0.0.1:", "refused", "gave up after 2 attempts"), FIRST),
    # ---- 19: the connection is never made
    Case(19, "a full queue", nobody_accepts, 20, ("no connection to 127.0.0.1:", "in time", "gave up after 2 attempts"), FIRST),
    # ---- 20: the certificate or the protocol is not good enough
    Case(20, "expired", faults("tls-expired"), **FINAL, what=("127.0.0.1", "not trusted", "certificate has expired")),
    Case(20, "self-signed", faults("tls-self-signed"), **FINAL, what=("127.0.0.1", "not trusted", "self-signed")),
    Case(20, "another name", faults("tls-wrong-name"), **FINAL, what=("127.0.0.1", "not trusted", "mismatch")),
    Case(20, "an unknown authority", unknown_authority, **FINAL, what=("not trusted", "local issuer"), do="api.ca_file"),
    Case(20, "an old protocol", faults("tls-old"), **FINAL, what="no secure connection"),
    Case(20, "no TLS at all", faults("tls-plain"), **FINAL, what="no secure connection"),
    Case(20, "no authority file", no_authority_file, 10, "certificate authority file", "none.pem", calls=0),
    Case(20, "an authority file of nonsense", authority_file_of_nonsense, 10, "certificate authority file", "nonsense.pem",
         calls=0),
    # ---- 21: the handshake does not come to its end
    Case(21, "a stalled handshake", faults("tls-stall", connect_timeout_s=0.3, request_timeout_s=1), 20,
         ("TLS", "gave up after 2 attempts"), FIRST),
    Case(21, "a reset handshake", faults("tls-reset"), 20, ("TLS", "gave up after 2 attempts"), FIRST),
    # ---- 22: the clock is wrong
    Case(22, "a certificate that is not valid yet", certificate_of_tomorrow, 22,
         ("not yet valid", "by this machine's clock it is", f"{datetime.now(UTC):%Y-}"), FIRST, "clock"),
    Case(22, "a clock two days behind", answers("/beta", dated(timedelta(days=2))), 10, "2 days behind", "clock",
         "timedatectl", calls=1),
    Case(22, "a clock two days ahead", answers("/beta", dated(-timedelta(days=2))), 10, "2 days ahead", "clock", calls=1),
    # ---- 23: a portal or proxy answers
    Case(23, "a sign-in page", faults("html"), 21, ("text/html", "instead of JSON"), FIRST, calls=1),
    Case(23, "a sign-in page that claims to be JSON", faults("html:type=application/json"), 21, "HTML or XML", FIRST, calls=1),
    Case(23, "a portal's redirect", lambda s: s.sandbox.faults(plan(f"redirect-foreign:origin=https://{s.foreign}")), 22,
         "another origin", FIRST, calls=1),
)  # fmt: skip
