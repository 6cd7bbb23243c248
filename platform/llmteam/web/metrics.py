"""Figures of a web process about those who connect. See docs/howto/metrics.md."""

from typing import Final

from prometheus_client import Counter, Gauge

CONNECTIONS: Final = Gauge("llmteam_http_connections", "Connections open.")
CONNECTIONS_REFUSED: Final = Counter("llmteam_http_connections_refused", "Connections not taken.", ["reason"])
REQUESTS_CUT: Final = Counter("llmteam_http_requests_cut", "Requests ended before they had arrived.", ["reason"])
REQUESTS_IN_FLIGHT: Final = Gauge("llmteam_http_requests_in_flight", "Requests being served, streams not counted.")
STREAMS: Final = Gauge("llmteam_streams", "Server-sent event streams and WebSockets open.")
REQUESTS_REFUSED: Final = Counter("llmteam_http_requests_refused", "Requests and streams over a share.", ["reason"])
PIECES_WAITING: Final = Gauge("llmteam_request_threads_waiting", "Pieces of requests that wait for a thread.", ["pool"])
