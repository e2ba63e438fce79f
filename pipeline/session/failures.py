"""Our error for each of aiohttp's, at this one place. Only class, host, port and the TLS reason are carried over.

A foreign error never travels on, not even as a cause or context: its `repr` holds the request's headers.
"""

from __future__ import annotations

import errno
import os
import traceback
from datetime import datetime
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp.http_exceptions import LineTooLong
from yarl import URL

from pipeline.errors import (
    ConfigError,
    LocalResource,
    PipelineError,
    SecurityStop,
    SourceContractBroken,
    SourceUnavailable,
)
from pipeline.retry import Kind

# TLS failures that another attempt cannot change, beside a certificate that does not verify.
_FINAL_TLS: Final = (
    "WRONG_VERSION_NUMBER",
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "NO_PROTOCOLS",
    "HANDSHAKE_FAILURE",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
)


class Retryable(Exception):
    """An attempt failed in a way that another one may not. It never leaves the session."""

    def __init__(self, what: str, kind: Kind, asked_s: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.kind = kind
        self.asked_s = asked_s


def translated(
    error: aiohttp.ClientError | OSError, origin: URL, now: datetime, proxy: URL | None = None
) -> PipelineError | Retryable:
    """Our error for one of aiohttp's or the system's.

    Args:
        error: as raised.
        origin: of the source.
        now: is told beside the dates of a certificate.
        proxy: through which a way to the source was being made when it happened; None if there is none, or the way
            was made.
    """
    host = f"{origin.host}:{origin.port}"
    if isinstance(error, OSError) and error.errno in (errno.ENFILE, errno.EMFILE):
        return LocalResource("too many open files", do="raise the limit (ulimit -n), run again")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return _on_the_way(_tls_failure(error, f"{error.host}:{error.port}", now))
    if proxy is not None:
        return _on_the_way(_proxy_failure(error, host, proxy))
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return _no_connection(error, host)
    if isinstance(error, TimeoutError):
        return late(origin)
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
        return _broken_http(error)
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return SecurityStop(f"the certificate of {host} is another one than expected")
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionResetError):
        return Retryable(f"{host} closed the connection", Kind.DROPPED)
    if isinstance(error, OSError):
        return Retryable(f"{host}: {_reason(error)}", Kind.BROKEN)
    return SourceUnavailable(f"the request to {host} failed ({type(error).__name__})")


def _on_the_way(failure: PipelineError | Retryable) -> PipelineError | Retryable:
    """The same; what went wrong before the source was reached says nothing against what it has sent before."""
    if isinstance(failure, PipelineError):
        failure.keeps_pages = True
    return failure


def late(origin: URL) -> Retryable:
    """A deadline of ours passed."""
    return Retryable(f"{origin.host}:{origin.port} did not answer in time", Kind.LATE)


def without_frames(error: BaseException) -> BaseException:
    """An error that is not translated, a cancellation or a bug, without the frames that hold the request's headers.

    A note says where it arose.
    """
    arose = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, Exception):
        error.add_note(f"raised in {arose.name}, {Path(arose.filename).name} line {arose.lineno}")
    chained = error.__cause__ or error.__context__
    while chained is not None:
        chained.__traceback__ = None
        chained = chained.__cause__ or chained.__context__
    return error.with_traceback(None)


def _no_connection(error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError, host: str) -> Retryable:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Retryable(f"the name {error.host} cannot be resolved", Kind.BROKEN)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionResetError):
        return Retryable(f"TLS with {host} failed ({_reason(error.os_error)})", Kind.BROKEN)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Retryable(f"no connection to {host} ({_reason(error.os_error)})", Kind.BROKEN)
    return Retryable(f"no connection to {host} in time (TCP or TLS)", Kind.LATE)


# What a proxy may answer to CONNECT that another attempt can change.
_PROXY_PASSING: Final = frozenset({408, 425, 429, *range(500, 600)})


def _proxy_failure(error: aiohttp.ClientError | OSError, host: str, proxy: URL) -> PipelineError | Retryable:
    """What went wrong with the proxy before there was a way to the source."""
    named = f"the proxy {proxy.host}:{proxy.port}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        if error.status in _PROXY_PASSING:
            return Retryable(f"{named} answered {error.status}", Kind.BROKEN)
        what, do = _PROXY_REFUSALS.get(error.status, (f"does not open a way to {host} ({error.status})", _NO_PROXY))
        return ConfigError(f"{named} {what}", where="api.proxy", do=do.format(host=host))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Retryable(f"the name {proxy.host} of the proxy cannot be resolved", Kind.BROKEN)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Retryable(f"no connection to {named} ({_reason(error.os_error)})", Kind.BROKEN)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Retryable(f"{named} opened no way to {host} that TLS can use ({_reason(error.os_error)})", Kind.BROKEN)
    if isinstance(error, TimeoutError):
        return Retryable(f"no connection to {host} through {named} in time", Kind.LATE)
    if isinstance(error, aiohttp.ClientResponseError):
        if _has_flood(error):
            return SecurityStop(f"the headers of {named} are larger than allowed")
        return ConfigError(
            f"{named} does not answer as an HTTP proxy", where="api.proxy", do=_NO_PROXY.format(host=host)
        )
    return Retryable(f"{named} closed the connection", Kind.BROKEN)


_NO_PROXY: Final = "name an HTTP proxy that opens tunnels (CONNECT) to {host}, or remove api.proxy"
_PROXY_REFUSALS: Final = {
    403: ("refuses to open a way to the source (403)", "have {host} allowed on the proxy, or correct api.proxy"),
    407: (
        "asks for a user name and password (407), which is not supported",
        "have the proxy let this machine through to {host} by its address, or name another one",
    ),
}


def _broken_http(error: aiohttp.ClientResponseError | aiohttp.ClientPayloadError) -> PipelineError | Retryable:
    if _has_flood(error):
        return SecurityStop("an answer's headers are larger than allowed")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Retryable("the answer was cut off", Kind.BROKEN)
    return SourceContractBroken("the answer is not valid HTTP")


def _has_flood(error: aiohttp.ClientResponseError | aiohttp.ClientPayloadError) -> bool:
    """Whether the parser's own limits on headers or trailers were passed: it tells so by no class of their own."""
    told = getattr(error.__cause__, "message", "")
    return isinstance(error.__cause__, LineTooLong) or told.startswith(("Too many", "Got more than"))


def _tls_failure(
    error: aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError, host: str, now: datetime
) -> PipelineError | Retryable:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
        if "expired" in reason or "not yet valid" in reason:
            reason += f"; by this machine's clock it is {now:%Y-%m-%d %H:%M} UTC"
        return SecurityStop(
            f"the certificate of {host} is not trusted: {reason}",
            do="check site.base_url and this machine's clock; for a private authority set api.ca_file",
        )
    reason = getattr(error.os_error, "reason", "") or "handshake failed"
    if any(final in reason for final in _FINAL_TLS):
        return SecurityStop(f"no secure connection to {host}: {reason}")
    return Retryable(f"TLS with {host} failed ({reason})", Kind.BROKEN)


def _reason(error: OSError) -> str:
    """The system's own words for an error number: `strerror` may hold an address."""
    return os.strerror(error.errno) if error.errno else type(error).__name__
