"""Admission control of one process: the requests and streams that a tenant, or an address, may have at a time.

Whoever shows a live key or session counts for its tenant, wherever it calls from; everybody else for the address.
So one tenant's traffic is never in the way of another's behind the same gateway, and strangers are in nobody's way.
"""

import ipaddress
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from kernel.errors import LimitReached

RETRY_SECONDS: Final = 1


class TooManyRequests(LimitReached):
    """As many requests are in flight as the caller's share allows."""

    code = "TOO_MANY_REQUESTS_IN_FLIGHT"
    title = "Too many requests are in flight at once"


class TooManyStreams(LimitReached):
    """As many streams are open as the caller's share allows."""

    code = "TOO_MANY_STREAMS"
    title = "Too many streams are open at once"


class RequestKind(StrEnum):
    """Kinds of counted requests."""

    REQUEST = "request"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class AdmissionBounds:
    """Bounds of one kind of request in a process."""

    per_tenant: int
    per_address: int


@dataclass(frozen=True, slots=True)
class Share:
    """Owner of a share: a tenant, or a network."""

    tenant_id: UUID | None
    network: str = ""

    def __str__(self) -> str:
        return f"address/{self.network}" if self.tenant_id is None else f"tenant/{self.tenant_id}"


class Requester:
    """One request or WebSocket under way, and the share it counts for. Made by ``Admission.enter``."""

    def __init__(self, admission: "Admission", kind: RequestKind, share: Share, address: Share) -> None:
        self._admission = admission
        self._address = address
        self.kind = kind
        self.share = share
        self.is_over = False
        self.on_learn: Callable[[Share], None] | None = None

    @property
    def stranger(self) -> str | None:
        """The network of a caller who is not known; None for one who shows a tenant's key or session."""
        return self._address.network if self.share.tenant_id is None else None

    def learn_tenant(self, tenant_id: UUID | None) -> None:
        """Count for a tenant from now on, as the caller has shown that it is its; None: it has shown nothing."""
        share = self._address if tenant_id is None else Share(tenant_id)
        if share != self.share:
            self._admission.move(self, self.kind, share)
            if self.on_learn is not None:
                self.on_learn(share)

    def become_stream(self) -> None:
        """Count as a stream from now on.

        Raises:
            TooManyStreams: The share's streams are all open.
        """
        self._admission.check(self.share, RequestKind.STREAM, beside=int(self.kind is RequestKind.STREAM))
        self._admission.move(self, RequestKind.STREAM, self.share)


REQUESTER: Final[ContextVar[Requester | None]] = ContextVar("requester", default=None)
"""Set while a request is served; follows it into threads. None where work is the house's own."""


class Admission:
    """Counts what is under way in this process, by share. May be used from any thread."""

    def __init__(self, bounds: Mapping[RequestKind, AdmissionBounds]) -> None:
        self._bounds = bounds
        self._counts: dict[RequestKind, Counter[Share]] = {kind: Counter() for kind in RequestKind}
        self._lock = threading.Lock()

    def enter(self, kind: RequestKind, share: Share, address: Share) -> Requester:
        """Take a request or a WebSocket in.

        Args:
            kind: Which of the two.
            share: Whose it is, as far as is known before it is looked at.
            address: Whose it is if its caller shows nothing.

        Raises:
            TooManyRequests, TooManyStreams: The share has as many under way as it may.
        """
        self.check(share, kind)
        with self._lock:
            self._counts[kind][share] += 1
        return Requester(self, kind, share, address)

    def leave(self, requester: Requester) -> None:
        """Let it go."""
        with self._lock:
            self._drop(requester)
            requester.is_over = True

    def move(self, requester: Requester, kind: RequestKind, share: Share) -> None:
        """Count something under way as another kind, or for another share, whatever its bounds."""
        with self._lock:
            if not requester.is_over:
                self._drop(requester)
                self._counts[kind][share] += 1
            requester.kind, requester.share = kind, share

    def check(self, share: Share, kind: RequestKind, *, beside: int = 0) -> None:
        """Refuse when there is no room for one more.

        Args:
            share: Whose.
            kind: Of what.
            beside: How many of those under way are the asker's own.

        Raises:
            TooManyRequests, TooManyStreams: There is none.
        """
        bounds = self._bounds[kind]
        most, whose = (bounds.per_address, "address") if share.tenant_id is None else (bounds.per_tenant, "tenant")
        if self._counts[kind][share] - beside < most:
            return
        error = TooManyStreams if kind is RequestKind.STREAM else TooManyRequests
        detail = f"This process serves at most {most} {kind}s of one {whose} at a time."
        raise error(detail, extra={"limit": most, "retry_after": RETRY_SECONDS})

    def count(self, kind: RequestKind) -> int:
        """Count those of a kind that are under way."""
        with self._lock:
            return self._counts[kind].total()

    def _drop(self, requester: Requester) -> None:
        counts = self._counts[requester.kind]
        counts[requester.share] -= 1
        if not counts[requester.share]:
            del counts[requester.share]


def share_of_address(address: str) -> Share:
    """Give the share of those who are not known: an IPv4 address, or the IPv6 network of 64 bits one host may have."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return Share(None, address)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return Share(None, str(ipaddress.ip_network((found, 64), strict=False)))
    return Share(None, address)


def stranger_served() -> str | None:
    """Name the network of the unknown caller who is being served; None for known ones, and for the house's own work."""
    requester = REQUESTER.get()
    return None if requester is None else requester.stranger


def learn_tenant(tenant_id: UUID | None) -> None:
    """Count the request being served, if one is, for whom its key or session stands; None: for nobody."""
    requester = REQUESTER.get()
    if requester is not None:
        requester.learn_tenant(tenant_id)


def become_stream() -> None:
    """Count the request being served, if one is, as a stream.

    Raises:
        TooManyStreams: Its share's streams are all open.
    """
    requester = REQUESTER.get()
    if requester is not None:
        requester.become_stream()


def house_context() -> Context:
    """Give a context for work that is for all: it counts for nobody, whoever was served when it began."""
    context = copy_context()
    context.run(REQUESTER.set, None)
    return context
