"""Every error that aiohttp can raise has a counterpart of ours, and none carries anything of the request over."""

from __future__ import annotations

import errno
import inspect
import ssl
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
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
from pipeline.session.failures import Retryable, translated

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
ORIGIN = URL("https://api.example/")
SECRET = "eyJhbGciOiJIUzI1NiJ9.planted.token"
KEY = ConnectionKey("api.example", 443, True, True, None, None, None)
HEADERS = CIMultiDictProxy(CIMultiDict(Authorization=f"Bearer {SECRET}"))
INFO = RequestInfo(ORIGIN, "GET", HEADERS, ORIGIN)

# aiohttp's class -> the class of ours, or how an attempt failed that another may not.
COUNTERPARTS: dict[type[Exception], type[PipelineError] | Kind] = {
    aiohttp.ClientError: SourceUnavailable,
    aiohttp.ClientResponseError: SourceContractBroken,
    aiohttp.ContentTypeError: SourceContractBroken,
    aiohttp.WSServerHandshakeError: SourceContractBroken,
    aiohttp.ClientHttpProxyError: SourceContractBroken,
    aiohttp.TooManyRedirects: SourceContractBroken,
    aiohttp.ClientConnectionError: SourceUnavailable,
    aiohttp.ClientConnectionResetError: Kind.DROPPED,
    aiohttp.ClientOSError: Kind.DROPPED,
    aiohttp.ClientConnectorError: Kind.BROKEN,
    aiohttp.ClientConnectorDNSError: Kind.BROKEN,
    aiohttp.ClientProxyConnectionError: Kind.BROKEN,
    aiohttp.client_exceptions.UnixClientConnectorError: Kind.BROKEN,
    aiohttp.ServerConnectionError: SourceUnavailable,
    aiohttp.ServerDisconnectedError: Kind.DROPPED,
    aiohttp.ServerTimeoutError: Kind.LATE,
    aiohttp.ConnectionTimeoutError: Kind.LATE,
    aiohttp.SocketTimeoutError: Kind.LATE,
    aiohttp.ServerFingerprintMismatch: SecurityStop,
    aiohttp.ClientPayloadError: Kind.BROKEN,
    aiohttp.client_exceptions.UploadAbortedError: SourceUnavailable,
    aiohttp.InvalidURL: SourceUnavailable,
    aiohttp.InvalidUrlClientError: SourceUnavailable,
    aiohttp.RedirectClientError: SourceUnavailable,
    aiohttp.NonHttpUrlClientError: SourceUnavailable,
    aiohttp.InvalidUrlRedirectClientError: SourceUnavailable,
    aiohttp.NonHttpUrlRedirectClientError: SourceUnavailable,
    aiohttp.ClientSSLError: Kind.BROKEN,
    aiohttp.ClientConnectorSSLError: Kind.BROKEN,
    aiohttp.ClientConnectorCertificateError: SecurityStop,
}


def every_class() -> set[type[Exception]]:
    """All classes of errors under aiohttp's own root, however deep."""
    found, waiting = set(), [aiohttp.ClientError]
    while waiting:
        one = waiting.pop()
        if one not in found and one.__module__.startswith("aiohttp."):
            found.add(one)
            waiting += one.__subclasses__()
    return found


def raised(kind: type[Exception]) -> Exception:
    """One such error, with the token wherever it has room for one."""
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(INFO, (), status=400, message=SECRET, headers=HEADERS)
    if kind is aiohttp.client_exceptions.UnixClientConnectorError:
        return kind(SECRET, KEY, OSError(111, SECRET))
    if kind is aiohttp.ClientConnectorCertificateError:
        return kind(KEY, ssl.SSLCertVerificationError(1, SECRET))
    if issubclass(kind, aiohttp.ClientSSLError):
        return kind(KEY, ssl.SSLError(1, SECRET))
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(KEY, OSError(111, SECRET))
    if kind is aiohttp.ServerFingerprintMismatch:
        return kind(SECRET.encode(), SECRET.encode(), "api.example", 443)
    return kind(111, SECRET) if issubclass(kind, OSError) and not issubclass(kind, TimeoutError) else kind(SECRET)


def test_no_class_is_missing():
    """A class that a newer aiohttp brings is added here, with what it means."""
    assert every_class() == set(COUNTERPARTS)
    public = {one for one in vars(aiohttp).values() if inspect.isclass(one) and issubclass(one, aiohttp.ClientError)}
    assert public <= set(COUNTERPARTS)


@pytest.mark.parametrize("kind", COUNTERPARTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("proxy", [None, URL("http://proxy.example:3128")], ids=["direct", "proxy"])
def test_every_class_has_a_counterpart_without_a_word_of_the_request(kind, proxy):
    """Ours, of the class said above; with a proxy in between, one of ours as well. Host and reason are all it tells."""
    ours = translated(raised(kind), ORIGIN, NOW, proxy)
    expected = COUNTERPARTS[kind]
    if proxy is not None:
        assert isinstance(ours, Retryable | ConfigError | SecurityStop)
        assert "proxy.example" in ours.what or "api.example:443" in ours.what
    elif isinstance(expected, Kind):
        assert isinstance(ours, Retryable)
        assert ours.kind is expected
    else:
        assert type(ours) is expected
    assert "planted" not in repr(ours) + str(vars(ours)) + str(ours)
    assert ours.__cause__ is None
    assert ours.__context__ is None


@pytest.mark.parametrize(
    "error", [OSError(111, SECRET), ConnectionResetError(104, SECRET), TimeoutError(SECRET), BrokenPipeError()]
)
def test_errors_of_the_system_have_one_too(error):
    """They may be tried again; their own words are not carried over."""
    ours = translated(error, ORIGIN, NOW)
    assert isinstance(ours, Retryable)
    assert "planted" not in ours.what


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("proxy", [None, URL("http://proxy.example:3128")], ids=["direct", "proxy"])
def test_a_machine_without_handles_is_not_the_source_s_fault(number, proxy):
    """In whichever class it comes: exit 30, not another attempt."""
    for error in (OSError(number, SECRET), aiohttp.ClientConnectorError(KEY, OSError(number, SECRET))):
        assert isinstance(translated(error, ORIGIN, NOW, proxy), LocalResource)
