"""Transport that makes a span of each HTTP call and tells the other end of it."""

import httpx
from opentelemetry import propagate
from opentelemetry.trace import Status, StatusCode

from runs.traces.spans import client_span

ERRORS_FROM = 400


class TracedTransport(httpx.AsyncBaseTransport):
    """Passes each request, each hop of a redirect too, to another transport; the span ends when the answer begins."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send within a span, whose id the request carries."""
        attributes: dict[str, str | int | float | bool | list[str]] = {
            "http.request.method": request.method,
            "server.address": request.url.host,
            "server.port": request.url.port or (443 if request.url.scheme == "https" else 80),
        }
        with client_span(request.method, attributes) as span:
            propagate.inject(request.headers)
            response = await self._inner.handle_async_request(request)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= ERRORS_FROM:
                span.set_attribute("error.type", str(response.status_code))
                span.set_status(Status(StatusCode.ERROR))
            return response

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()
