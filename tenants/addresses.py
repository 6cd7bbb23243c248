"""Addresses of anonymous callers, shortened to the network that counts as one caller."""

import ipaddress
from typing import Final

IPV6_SHARE: Final = 64
"""Bits of an IPv6 address that tell one caller from another: the rest is theirs to choose."""


def share_of(address: str | None) -> str:
    """Name what an address counts as: itself, or its network where a caller has a whole one."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, IPV6_SHARE), strict=False))
    return str(found)
