"""Resolving the source's name, and refusing an answer that leads into a private network.

A public name that suddenly means this machine or its neighbours is an attack (rebinding) or a captive network. Whoever
names localhost, a private address or a local name in `site.base_url` has chosen it, and is not second-guessed; nor is
whoever names a proxy, which usually stands in a private network.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.errors import SecurityStop

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
# Names that have no meaning outside a machine or its network.
_LOCAL: Final = ("localhost", "local", "lan", "internal", "intranet", "corp", "home.arpa")


def is_local_name(host: str) -> bool:
    """Whether a host name can only mean something nearby; also true for one without a dot."""
    name = host.rstrip(".").lower()
    return "." not in name or any(name == local or name.endswith(f".{local}") for local in _LOCAL)


def address_class(address: str) -> str | None:
    """What kind of address it is, if it is not one of the public internet; "unreadable" if it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unreadable"
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or _translated(found) or found
    for name in ("loopback", "link_local", "unspecified", "multicast", "reserved"):
        if getattr(found, f"is_{name}"):
            return name.replace("_", "-")
    return None if found.is_global else "private"


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a network without IPv4 reaches under this one (RFC 6052, the well-known prefix)."""
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None


class PublicNames(AbstractResolver):
    """A resolver that opens no way into a private network, but for a host that the user chose. It asks another one."""

    def __init__(self, inner: AbstractResolver, chosen: str | None = None) -> None:
        self._inner = inner
        self._chosen = chosen

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            SecurityStop: one of them is not public, though the name is.
            OSError: the name cannot be resolved.
        """
        found = await self._inner.resolve(host, port, family)
        for one in found:
            kind = address_class(one["host"])
            if kind is not None and host != self._chosen and not is_local_name(host):
                raise SecurityStop(
                    f"the public name {host} resolves to a {kind} address; no connection was opened",
                    do="check this machine's name resolution and network; if the source is meant to be private, "
                    "name its address or a local name in site.base_url",
                )
        return found

    async def close(self) -> None:
        await self._inner.close()
