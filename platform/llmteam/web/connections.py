"""Counts of open connections, in all and per address."""

import logging
import resource
from collections import Counter
from typing import Final

from twisted.internet.interfaces import IAddress

from kernel.errors import LlmteamError
from llmteam.web.metrics import CONNECTIONS, CONNECTIONS_REFUSED
from llmteam.web.proxies import UNIX_SOCKET, Networks
from llmteam.web.refusals import RETRY_SECONDS, ServerFull, TooManyConnections

log = logging.getLogger(__name__)

OTHER_FILES: Final = 200
"""Files a process has open beside its connections: to the database, to Redis, spooled bodies."""


class Connections:
    """Says whether one more connection is taken.

    Args:
        most: Connections of the process.
        most_per_address: Connections of one address. A trusted proxy, which stands for many, is not held to it.
        proxies: The trusted proxies.
    """

    def __init__(self, *, most: int, most_per_address: int, proxies: Networks) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._proxies = proxies
        self._by_address: Counter[str] = Counter()
        self._open = 0

    def take(self, address: str) -> LlmteamError | None:
        """Count a connection; or say why it is not taken, and count nothing."""
        error = self._refusal(address)
        if error is not None:
            CONNECTIONS_REFUSED.labels(error.code.lower()).inc()
            return error
        self._open += 1
        self._by_address[address] += 1
        CONNECTIONS.set(self._open)
        return None

    def give_back(self, address: str) -> None:
        """Forget a connection that was taken."""
        self._open -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        CONNECTIONS.set(self._open)

    def _refusal(self, address: str) -> LlmteamError | None:
        if self._open >= self._most:
            return ServerFull(extra={"limit": self._most, "retry_after": RETRY_SECONDS})
        if self._by_address[address] >= self._most_per_address and address not in self._proxies:
            return TooManyConnections(extra={"limit": self._most_per_address, "retry_after": RETRY_SECONDS})
        return None


def address_of(peer: IAddress) -> str:
    """Name who connects; all who come through a Unix socket are one, the proxy in front."""
    return str(getattr(peer, "host", UNIX_SOCKET))


def connections_that_fit(wanted: int) -> int:
    """Raise the process's bound of open files to what is wanted; return how many connections fit under it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    fits = max(1, soft - OTHER_FILES)
    log.warning("HTTP_CONNECTIONS is %d, but this process may open %d files: it takes %d", wanted, soft, fits)
    return fits
