"""Checks of a callback's address and of the headers it brings along."""

from collections.abc import Iterable
from typing import Final

from kernel.egress import EgressBlocked, HeaderRefused, Policy, Target, check_headers, check_url
from kernel.egress.headers import name_as_received
from kernel.egress.policy import DEFAULT_PORTS

MAX_HEADERS: Final = 20
MAX_HEADER_BYTES: Final = 8 * 1024
OURS: Final = frozenset(("content-type", "webhook-id", "webhook-timestamp", "webhook-signature"))


def check_address(url: str, policy: Policy) -> Target:
    """Judge a callback's URL: https, or http to a host the operator listed.

    Raises:
        EgressBlocked: It may not be called.
    """
    target = check_url(url, policy)
    if target.scheme != "https" and not target.listed:
        host = f"[{target.host}]" if ":" in target.host else target.host
        wanted = f"`{host}:{target.port}` to EGRESS_ALLOW_HOSTS or to the tenant's own hosts"
        remedy = f"The operator allows http to it by adding {wanted}."
        raise EgressBlocked("a callback needs https", remedy=remedy)
    if not target.path.isascii():
        raise EgressBlocked("the URL holds characters that must be percent-encoded")
    return target


def check_own_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Judge the headers a caller wants back.

    Raises:
        HeaderRefused: One may not be sent, or they are too many or too long. Never quotes a value.
    """
    given = list(headers)
    if len(given) > MAX_HEADERS or sum(len(name) + len(value) for name, value in given) > MAX_HEADER_BYTES:
        raise HeaderRefused(f"A callback has at most {MAX_HEADERS} headers and {MAX_HEADER_BYTES} characters in them.")
    check_headers(given)
    names = [name_as_received(name) for name, _ in given]
    for name in names:
        if name in OURS:
            raise HeaderRefused(f"The header {name} is set by the platform and may not be given.")
    if len(set(names)) < len(names):
        raise HeaderRefused("A header is given twice.")


def host_of(target: Target) -> str:
    """Name where a callback goes, without what may be secret: host, and port where it is no usual one."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"
