"""Which network addresses a channel may be at: a name that somebody typed must not lead into our own network.

The name is resolved here, every address is judged, and `channels/http.py` connects to one that was judged, so a name
that answers differently a second later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from pyreqwest.http import Url

from comptoir.channels.errors import NotLetIn, TryLater

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # carries an IPv4 address in its last 32 bits (RFC 6052)
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")  # carries one in bits 16 to 48 (RFC 3056)


class AddressRefused(NotLetIn):
    """The address typed in is not one that we call; a person must correct or allow it. Facts: `host`, `address`, `why`."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads, as the HTTP client itself understands it (so `http://0x7f.1/` is 127.0.0.1 for both)."""

    scheme: str
    host: str
    port: int


def target(url: str) -> Target:
    """Read a URL; refuses anything but plain http and https, and user names or passwords inside it."""
    try:
        parsed = Url(url)
    except ValueError as error:
        # The URL itself stays out of the message: a mistyped one may hold a password.
        raise AddressRefused("not a web address", host="", address="", why="malformed") from error
    if parsed.scheme not in ("http", "https") or not parsed.host_str:
        raise AddressRefused(
            "an address must start with http:// or https://", host=parsed.host_str or "", address="", why="scheme"
        )
    if parsed.username or parsed.password:
        raise AddressRefused("no user name in an address", host=parsed.host_str, address="", why="credentials")
    return Target(parsed.scheme, parsed.host_str, parsed.port_or_known_default or 0)


def public_addresses(host: str, port: int) -> list[str]:
    """Every address of `host`, in the system's order; refuses the host if one of them is not public."""
    bare = host.strip("[]")
    try:
        found = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (socket.gaierror, UnicodeError) as error:
        raise TryLater(f"{host} has no address", host=host) from error
    addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    for address in addresses:
        if not is_public(address):
            raise AddressRefused(
                f"{host} is at {address}, which is not a public address", host=host, address=address, why="private"
            )
    return addresses


def is_public(address: str) -> bool:
    """Whether an address is out on the internet: not private, loopback, link-local, shared, reserved or multicast."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is None and ip in _SIX_TO_FOUR:
            inner = ip.sixtofour
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast
