"""The TLS of one connection: its own authorities, and the certificate it shows."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.conf import settings

from kernel.egress import TLS, build_ssl_context
from runs.connections.facts import ConnectionFacts


@dataclass(slots=True)
class ConnectionTrust:
    """Makes the context at first use, in a thread, as that takes tens of milliseconds."""

    authorities: str
    certificate: str
    key: str = field(repr=False)
    _context: ssl.SSLContext | None = field(default=None, init=False, repr=False)
    _making: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    @classmethod
    def of(cls, facts: ConnectionFacts) -> "ConnectionTrust | None":
        """Read what a connection has for TLS; None where that is what the installation has.

        Raises:
            SealBroken: This process has not the key its private key was sealed with.
        """
        if not facts.tls_ca and not facts.tls_certificate:
            return None
        return cls(facts.tls_ca, facts.tls_certificate, facts.open_tls_key())

    async def extensions(self) -> dict[str, Any]:
        """Give the extensions of a request that is sent so."""
        async with self._making:
            if self._context is None:
                self._context = await asyncio.to_thread(
                    build_ssl_context,
                    authorities=self.authorities,
                    ca_file=settings.EGRESS_CA_FILE,
                    certificate=self.certificate,
                    key=self.key,
                )
        return {TLS: self._context}

    async def put_on(self, request: httpx.Request) -> None:
        """Have a request sent so."""
        request.extensions |= await self.extensions()
