"""Egress policy, pure: the decision whether a URL may be called and its addresses reached.

Nothing here opens a socket or asks a resolver. A URL is judged on its text before any library has
parsed it, so that no two parsers can disagree about the host.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

import idna

from kernel.egress.errors import EgressBlocked
from kernel.egress.networks import IPAddress, IPNetwork, is_never_allowed, is_public

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_LENGTH = 8192

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[^\[\]:@%]+)(?::([0-9]{1,5}))?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff]")
_FOREIGN_DOTS = re.compile("[\u3002\uff0e\uff61]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_OF_METADATA = frozenset(
    ("metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal")
)
"""Names of what tells a cloud's machines their credentials; their addresses are never called, whatever is listed."""
_INTERNAL_SUFFIXES = frozenset(
    (
        "alt",
        "consul",
        "corp",
        "home",
        "home.arpa",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "onion",
        "private",
        "svc",
    )
)


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of the operator's allow-list.

    Attributes:
        host: A name or a literal address, as `check_host` spells it.
        port: The one port it opens; `"*"` for any; None for the ports of the policy.
    """

    host: str
    port: int | Literal["*"] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Reachable addresses. Without an allow-list: the public internet on a few ports.

    Attributes:
        schemes: Of `http` and `https`.
        ports: Those open for every host.
        redirects_max: Hops followed; each is judged like the first URL.
        allow_hosts: Internal names and addresses, and odd ports, the operator opened.
        allow_cidrs: Networks the hosts in `allow_hosts` may resolve to beside public addresses.
        ca_file: PEM file of authorities that are trusted beside the public ones; empty for none.
    """

    schemes: frozenset[str] = frozenset(("http", "https"))
    ports: frozenset[int] = frozenset((80, 443, 8080, 8443))
    redirects_max: int = 5
    allow_hosts: tuple[AllowedHost, ...] = ()
    allow_cidrs: tuple[IPNetwork, ...] = ()
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed, in the one spelling that is sent.

    Attributes:
        scheme: `http` or `https`.
        host: Lower case, punycode, no trailing dot; IPv6 without brackets.
        port: Always a number.
        path: Path and query, as given.
        literal: The address, when the host is one.
        listed: Whether the host is on the allow-list for this port.
    """

    scheme: str
    host: str
    port: int
    path: str
    literal: IPAddress | None
    listed: bool

    @property
    def url(self) -> str:
        """The URL without fragment."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def build_policy(
    *,
    allow_hosts: Iterable[str] = (),
    allow_cidrs: Iterable[str] = (),
    schemes: Iterable[str] = ("http", "https"),
    ports: Iterable[int] = (80, 443, 8080, 8443),
    redirects_max: int = 5,
    ca_file: str = "",
) -> Policy:
    """Build a policy from an operator's settings.

    Args:
        allow_hosts: `host`, `host:port` or `host:*`; IPv6 in brackets.
        allow_cidrs: Networks such as `10.20.0.0/16`; a host must be listed as well as its network.
        schemes: Of `http` and `https`.
        ports: Open for every host.
        redirects_max: Hops followed.
        ca_file: PEM file of authorities to trust beside the public ones.

    Raises:
        ValueError: An entry cannot be read; the text is fit for the operator.
    """
    chosen = frozenset(schemes)
    if not chosen <= DEFAULT_PORTS.keys():
        raise ValueError(f"Only http and https can be called, not {', '.join(sorted(chosen - DEFAULT_PORTS.keys()))}.")
    return Policy(
        schemes=chosen,
        ports=frozenset(ports),
        redirects_max=redirects_max,
        allow_hosts=tuple(_read_allowed_host(entry) for entry in allow_hosts),
        allow_cidrs=tuple(_read_network(entry) for entry in allow_cidrs),
        ca_file=ca_file,
    )


def check_url(url: str, policy: Policy) -> Target:
    """Judge a URL by its text.

    Args:
        url: Absolute, as the caller or a redirect spelled it.
        policy: What may be reached.

    Returns:
        The target to call. If its host is a name, its addresses are still to be judged by
        `check_addresses`; a literal address has been.

    Raises:
        EgressBlocked: It may not be called.
    """
    check_text(url)
    parts = _URL.fullmatch(url)
    if parts is None or parts[1].lower() not in policy.schemes:
        raise EgressBlocked(f"the URL must start with {' or '.join(f'{name}://' for name in sorted(policy.schemes))}")
    scheme = parts[1].lower()
    if "@" in parts[2]:
        raise EgressBlocked("the URL holds a user name; use a stored secret instead")
    authority = _AUTHORITY.fullmatch(parts[2])
    if authority is None:
        raise EgressBlocked("the host or port cannot be read")
    port = DEFAULT_PORTS[scheme] if authority[2] is None else int(authority[2])
    path = parts[3] if parts[3].startswith("/") else f"/{parts[3]}"
    return _judge(scheme, authority[1], port, path, policy)


def check_text(url: str) -> None:
    """Judge the characters of a URL or a part of one.

    Raises:
        EgressBlocked: It is too long, or holds what parsers are known to disagree about.
    """
    if len(url) > MAX_URL_LENGTH:
        raise EgressBlocked(f"the URL is longer than {MAX_URL_LENGTH} characters")
    if _FORBIDDEN.search(url):
        raise EgressBlocked("the URL holds white space, a control character or a backslash")


def check_host(host: str, port: int, policy: Policy) -> Target:
    """Judge a host and a port about to be connected to; the last check before name resolution.

    Raises:
        EgressBlocked: They may not be reached.
    """
    return _judge("http", f"[{host}]" if ":" in host else host, port, "/", policy)


def check_addresses(target: Target, addresses: Sequence[str], policy: Policy) -> tuple[IPAddress, ...]:
    """Judge what a name resolved to: all answers must pass.

    Args:
        target: The name's target.
        addresses: Every answer of the one lookup, in order.
        policy: What may be reached.

    Returns:
        The addresses, in order; connect to these and to no others.

    Raises:
        EgressBlocked: There is none, or one of them may not be reached; without a reason.
    """
    remedy = _remedy(target.host, target.port, is_listed=target.listed)
    if not addresses:
        raise EgressBlocked
    checked = []
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            raise EgressBlocked from None
        if not _may_reach(address, policy, listed=target.listed):
            raise EgressBlocked(remedy=remedy)
        checked.append(address)
    return tuple(checked)


def _judge(scheme: str, host: str, port: int, path: str, policy: Policy) -> Target:
    name, literal = _read_host(host)
    rules = [rule for rule in policy.allow_hosts if rule.host == name]
    listed = any(rule.port in (None, "*", port) for rule in rules)
    if not 1 <= port <= 65535 or not (port in policy.ports or any(rule.port in ("*", port) for rule in rules)):
        raise EgressBlocked("the port is not open", remedy=_remedy(name, port, literal))
    if literal is not None:
        if not _may_reach(literal, policy, listed=listed):
            raise EgressBlocked(remedy=_remedy(name, port, literal, is_listed=listed))
    elif not listed and _is_internal(name):
        raise EgressBlocked("the host is an internal name", remedy=_remedy(name, port))
    return Target(scheme=scheme, host=name, port=port, path=path, literal=literal, listed=listed)


def _remedy(host: str, port: int, literal: IPAddress | None = None, *, is_listed: bool = False) -> str | None:
    """Say what the operator adds so that a host may be called; of what it resolves to nothing is told."""
    if not 1 <= port <= 65535 or host in _OF_METADATA or (literal is not None and is_never_allowed(literal)):
        return None
    spelled = f"[{host}]" if ":" in host else host
    wanted = [] if is_listed else [f"`{spelled}:{port}` to EGRESS_ALLOW_HOSTS or to the tenant's own hosts"]
    if literal is None:
        wanted.append("its network to EGRESS_ALLOW_CIDRS if it is inside")
    elif not is_public(literal):
        wanted.append(f"`{ip_network(literal)}` to EGRESS_ALLOW_CIDRS")
    return f"The operator allows it by adding {', and '.join(wanted)}."


def _may_reach(address: IPAddress, policy: Policy, *, listed: bool) -> bool:
    if is_never_allowed(address):
        return False
    return is_public(address) or (listed and any(address in network for network in policy.allow_cidrs))


def _is_internal(name: str) -> bool:
    labels = name.split(".")
    if len(labels) == 1:
        return True
    return labels[-1] in _INTERNAL_SUFFIXES or ".".join(labels[-2:]) in _INTERNAL_SUFFIXES


def _read_host(host: str) -> tuple[str, IPAddress | None]:
    """Give a host its one spelling, and its address when it is a literal."""
    if host.startswith("["):
        try:
            literal = IPv6Address(host[1:-1])
        except AddressValueError:
            raise EgressBlocked("the host cannot be read") from None
        return str(literal), literal
    name = _ascii_name(host).removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressBlocked("the host cannot be read")
    if not _NUMERIC_LABEL.fullmatch(labels[-1]):
        return name, None
    # Octal, hexadecimal, short and plain-number spellings of an address all fail here.
    try:
        return name, IPv4Address(name)
    except AddressValueError:
        raise EgressBlocked("the host cannot be read") from None


def _ascii_name(host: str) -> str:
    if host.isascii():
        return host.lower()
    if _FOREIGN_DOTS.search(host):
        raise EgressBlocked("the host cannot be read")
    try:
        return idna.encode(host).decode("ascii")
    except idna.IDNAError:
        raise EgressBlocked("the host is not a valid international name") from None


def _read_allowed_host(entry: str) -> AllowedHost:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:*/@\s]+)(?::([0-9]{1,5}|\*))?", entry.strip())
    if match is None:
        raise ValueError(f"An allowed host is written as host, host:port or host:*, not {entry!r}.")
    try:
        name, _ = _read_host(match[1])
    except EgressBlocked:
        raise ValueError(f"The allowed host {entry!r} is not a name or an address.") from None
    if match[2] is None:
        return AllowedHost(name)
    return AllowedHost(name, "*" if match[2] == "*" else int(match[2]))


def _read_network(entry: str) -> IPNetwork:
    try:
        return ip_network(entry.strip())
    except ValueError as error:
        raise ValueError(f"The allowed network {entry!r} cannot be read: {error}.") from None
