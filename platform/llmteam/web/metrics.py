"""Figures of a web process about those who connect. See docs/howto/metrics.md."""

from typing import Final

from prometheus_client import Counter, Gauge

CONNECTIONS: Final = Gauge("llmteam_http_connections", "Connections open.")
CONNECTIONS_REFUSED: Final = Counter("llmteam_http_connections_refused", "Connections not taken.", ["reason"])
REQUESTS_CUT: Final = Counter("llmteam_http_requests_cut", "Requests ended before they had arrived.", ["reason"])
