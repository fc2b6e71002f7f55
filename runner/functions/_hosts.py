"""Where a host's name leads: its addresses, looked up once, and only those that may be asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult

from runner.functions import FunctionFailed

_MOST_ADDRESSES = 4
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Where a network translates the newer addresses into the older: RFC 6052.
_TRANSLATED = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address of a host: what stands in a URL for it, and what makes TLS ask for the host all the same."""

    authority: str
    extensions: Mapping[str, str] = field(default_factory=dict)


def is_named(host: str) -> bool:
    """Whether the host is said so that nobody can be mistaken about where it is: an address, or this machine."""
    try:
        ip_address(host)
    except ValueError:
        host = host.lower().rstrip(".")
        return host == "localhost" or host.endswith(".localhost")
    return True


async def find_routes(address: SplitResult, *, may_be_private: bool) -> tuple[Route, ...]:
    """The ways to a URL's host. Raises FunctionFailed if there is none, or one leads into a private network."""
    host = address.hostname or ""
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FunctionFailed(f"the host name '{host}' can't be found") from error
    # The older addresses first: not every machine has a way to the newer ones.
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    ips = list(dict.fromkeys(ip_address(str(one[4][0]).partition("%")[0]) for one in found))[:_MOST_ADDRESSES]
    if not may_be_private and not all(map(_is_public, ips)):
        raise FunctionFailed(
            f"'{host}' leads into a private network, which the function must not; `private: true` in its declaration "
            "lets it"
        )
    extensions = {} if host == str(ips[0]) else {"sni_hostname": host}
    return tuple(Route(authority=f"{_in_url(ip)}:{port}", extensions=extensions) for ip in ips)


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address):
        within = IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _TRANSLATED else ip.ipv4_mapped or ip.sixtofour
        if within is None:
            return ip.is_global and ip in _GLOBAL_UNICAST
        ip = within
    return ip.is_global and not ip.is_multicast


def _in_url(ip: IPv4Address | IPv6Address) -> str:
    return f"[{ip}]" if isinstance(ip, IPv6Address) else str(ip)
