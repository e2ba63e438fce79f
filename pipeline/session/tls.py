"""Verified TLS, and nothing that could switch it off."""

from __future__ import annotations

import ssl
from pathlib import Path

from pipeline.errors import ConfigError


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and host name verified, with one more authority if the site names it.

    Raises:
        ConfigError: the authority's file cannot be used.
    """
    # Not `ssl.create_default_context`: it would obey SSLKEYLOGFILE and write session keys to disk.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"the certificate authority file cannot be used ({error.strerror or type(error).__name__})",
                where=f"api.ca_file = {ca_file}",
            ) from None
    return context
