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
from typing import Final, Protocol
from uuid import UUID

from kernel.errors import LimitReached, limit_facts

RETRY_SECONDS: Final = 1


class TooManyRequests(LimitReached):
    """As many requests are in flight as the caller's share allows."""

    code = "TOO_MANY_REQUESTS_IN_FLIGHT"
    title = "Too many requests are in flight at once"


class TooManyStreams(LimitReached):
    """As many streams are open as the caller's share allows."""

    code = "TOO_MANY_STREAMS"
    title = "Too many streams are open at once"


class TooManyWaiting(LimitReached):
    """As many requests wait for runs as the tenant may have."""

    code = "TOO_MANY_WAITING"
    title = "Too many requests wait for runs at once"


class RequestKind(StrEnum):
    """Kinds of counted requests; one that waits for a run is two of them."""

    REQUEST = "request"
    STREAM = "stream"
    WAIT = "waiting request"


LIMIT_OF: Final = {RequestKind.STREAM: "open_streams", RequestKind.WAIT: "waiting_requests"}
"""Limits of a tenant over all processes, by kind."""
_UNITS: Final = {RequestKind.STREAM: "streams", RequestKind.WAIT: "requests"}
_ERRORS: Final = {
    RequestKind.REQUEST: TooManyRequests,
    RequestKind.STREAM: TooManyStreams,
    RequestKind.WAIT: TooManyWaiting,
}


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


Kinds = tuple[RequestKind, ...]
Held = dict[tuple[RequestKind, UUID], int]
"""Numbers of what tenants have under way, by kind and tenant."""


class TenantCaps(Protocol):
    """Limits of tenants, as far as this process knows them."""

    def cap(self, tenant_id: UUID, limit: str) -> int | None:
        """Return a limit's number as it was read last; None where there is none. Asks nobody."""

    def learn(self, tenant_id: UUID) -> None:
        """Read a tenant's limits unless that was a moment ago; may wait for the database."""


class NoCaps:
    """Stand-in where no tenant has limits of its own."""

    def cap(self, tenant_id: UUID, limit: str) -> int | None:
        """Return none."""
        return None

    def learn(self, tenant_id: UUID) -> None:
        """Read nothing."""


class Requester:
    """One request or WebSocket under way, and the share it counts for. Made by ``Admission.enter``."""

    def __init__(self, admission: "Admission", kinds: Kinds, share: Share, address: Share) -> None:
        self._admission = admission
        self._address = address
        self.kinds = kinds
        self.share = share
        self.is_over = False
        self.on_learn: Callable[[Share], None] | None = None

    @property
    def stranger(self) -> str | None:
        """The network of a caller who is not known; None for one who shows a tenant's key or session."""
        return self._address.network if self.share.tenant_id is None else None

    def learn_tenant(self, tenant_id: UUID | None) -> None:
        """Count for a tenant from now on, as the caller has shown that it is its; None: it has shown nothing.

        Raises:
            TooManyWaiting: It waits for a run, and as many of the tenant's do already as may.
        """
        share = self._address if tenant_id is None else Share(tenant_id)
        if share != self.share:
            self._admission.move(self, share)
            if self.on_learn is not None:
                self.on_learn(share)

    def become_stream(self) -> None:
        """Count as a stream from now on.

        Raises:
            TooManyStreams: The share's streams are all open.
        """
        self._admission.make_stream(self)

    def used(self, kind: RequestKind) -> int:
        """Tell how many of a kind its share has under way in all processes, itself included."""
        return self._admission.used(kind, self.share)


REQUESTER: Final[ContextVar[Requester | None]] = ContextVar("requester", default=None)
"""Set while a request is served; follows it into threads. None where work is the house's own."""


class Admission:
    """Counts what is under way in this process, by share. May be used from any thread.

    Attributes:
        elsewhere: What tenants have under way in other processes, as these told last.
    """

    def __init__(self, bounds: Mapping[RequestKind, AdmissionBounds], caps: TenantCaps | None = None) -> None:
        self._bounds = bounds
        self._caps = caps or NoCaps()
        self._counts: dict[RequestKind, Counter[Share]] = {kind: Counter() for kind in RequestKind}
        self._lock = threading.RLock()
        self.elsewhere: Held = {}

    def enter(self, kinds: Kinds, share: Share, address: Share) -> Requester:
        """Take a request or a WebSocket in.

        Args:
            kinds: What it counts as.
            share: Whose it is, as far as is known before it is looked at.
            address: Whose it is if its caller shows nothing.

        Raises:
            TooManyRequests, TooManyStreams, TooManyWaiting: The share has as many under way as it may.
        """
        with self._lock:
            for kind in kinds:
                self.check(share, kind)
            self._add(kinds, share, 1)
        return Requester(self, kinds, share, address)

    def leave(self, requester: Requester) -> None:
        """Let it go."""
        with self._lock:
            self._add(requester.kinds, requester.share, -1)
            requester.is_over = True

    def move(self, requester: Requester, share: Share) -> None:
        """Count something under way for another share, whatever its bounds; only who waits for a run needs room.

        Raises:
            TooManyWaiting: There is none.
        """
        if share.tenant_id is not None:
            self._caps.learn(share.tenant_id)
        with self._lock:
            error, kinds = None, requester.kinds
            if RequestKind.WAIT in kinds and not requester.is_over:
                error = self._refusal(share, RequestKind.WAIT)
            if error is not None:
                kinds = (RequestKind.REQUEST,)  # it is about to be refused, and stands in nobody's way
            self._change(requester, kinds, share)
        if error is not None:
            raise error

    def make_stream(self, requester: Requester) -> None:
        """Count something under way as a stream.

        Raises:
            TooManyStreams: The share's streams are all open.
        """
        with self._lock:
            self.check(requester.share, RequestKind.STREAM, beside=int(RequestKind.STREAM in requester.kinds))
            self._change(requester, (RequestKind.STREAM,), requester.share)

    def check(self, share: Share, kind: RequestKind, *, beside: int = 0) -> None:
        """Refuse when there is no room for one more.

        Args:
            share: Whose.
            kind: Of what.
            beside: How many of those under way are the asker's own.

        Raises:
            TooManyRequests, TooManyStreams, TooManyWaiting: There is none.
        """
        error = self._refusal(share, kind, beside=beside)
        if error is not None:
            raise error

    def used(self, kind: RequestKind, share: Share) -> int:
        """Tell how many of a kind a share has under way, in all processes."""
        elsewhere = 0 if share.tenant_id is None else self.elsewhere.get((kind, share.tenant_id), 0)
        return self._counts[kind][share] + elsewhere

    def count(self, kind: RequestKind) -> int:
        """Count those of a kind that are under way here."""
        with self._lock:
            return self._counts[kind].total()

    def held(self) -> Held:
        """Tell what tenants have under way here of the kinds that are limited over all processes."""
        with self._lock:
            return {
                (kind, share.tenant_id): number
                for kind in LIMIT_OF
                for share, number in self._counts[kind].items()
                if share.tenant_id is not None
            }

    def _refusal(self, share: Share, kind: RequestKind, *, beside: int = 0) -> LimitReached | None:
        bounds = self._bounds[kind]
        most, whose = (bounds.per_address, "address") if share.tenant_id is None else (bounds.per_tenant, "tenant")
        if self._counts[kind][share] - beside >= most:
            detail = f"This process serves at most {most} {kind}s of one {whose} at a time."
            return _ERRORS[kind](detail, extra={"limit": most, "retry_after": RETRY_SECONDS})
        if share.tenant_id is None or kind not in LIMIT_OF:
            return None
        cap = self._caps.cap(share.tenant_id, LIMIT_OF[kind])
        used = self.used(kind, share) - beside
        if cap is None or used < cap:
            return None
        facts = limit_facts(LIMIT_OF[kind], unit=_UNITS[kind], used=used, cap=cap)
        detail = f"The tenant may have {cap} {kind}s at a time, in all processes together; {used} are under way."
        return _ERRORS[kind](detail, extra={**facts, "retry_after": RETRY_SECONDS})

    def _change(self, requester: Requester, kinds: Kinds, share: Share) -> None:
        if not requester.is_over:
            self._add(requester.kinds, requester.share, -1)
            self._add(kinds, share, 1)
        requester.kinds, requester.share = kinds, share

    def _add(self, kinds: Kinds, share: Share, number: int) -> None:
        for kind in kinds:
            counts = self._counts[kind]
            counts[share] += number
            if not counts[share]:
                del counts[share]


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
    """Count the request being served, if one is, for whom its key or session stands; None: for nobody.

    Raises:
        TooManyWaiting: It waits for a run, and as many of the tenant's do already as may.
    """
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


def used_now(kind: RequestKind) -> int | None:
    """Tell how many of a kind the caller's share has under way in all processes; None where nobody is served."""
    requester = REQUESTER.get()
    return None if requester is None else requester.used(kind)


def house_context() -> Context:
    """Give a context for work that is for all: it counts for nobody, whoever was served when it began."""
    context = copy_context()
    context.run(REQUESTER.set, None)
    return context
