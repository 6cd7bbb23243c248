"""TLS alerts with which a host refuses our certificate, recovered where the connection lost them.

With TLS 1.3 a host looks at a client's certificate behind the handshake. Its alert is lost where it closes the
connection while a request is being written: all that is left is a connection that broke. Shaking hands once more
without writing anything lets the alert come through.
"""

import ssl
from typing import Final

import httpcore

from kernel.egress.errors import ConnectionFailed, Reason
from kernel.egress.failures import connection_failed

LISTEN_SECONDS: Final = 2.0


async def read_certificate_refusal(
    backend: httpcore.AsyncNetworkBackend, origin: httpcore.Origin, ssl_context: ssl.SSLContext
) -> ConnectionFailed | None:
    """Shake hands and listen; give the host's refusal of a client without a certificate, or with the one it showed."""
    host = origin.host.decode("ascii")
    try:
        plain = await backend.connect_tcp(host, origin.port, LISTEN_SECONDS)
        try:
            secure = await plain.start_tls(ssl_context, host, LISTEN_SECONDS)
            await secure.read(1, LISTEN_SECONDS)
        finally:
            await plain.aclose()
    except (httpcore.NetworkError, httpcore.TimeoutException, ssl.SSLError) as error:
        failure = connection_failed(error, sent=False)
        return failure if failure.reason is Reason.CLIENT_CERTIFICATE else None
    return None
