"""Prometheus metrics of the compute pool of this process."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

QUEUED: Final = Gauge("llmteam_compute_queued", "Pieces of work that wait for a compute process.")
RUNNING: Final = Gauge("llmteam_compute_running", "Pieces of work in compute processes.")
SECONDS: Final = Histogram(
    "llmteam_compute_seconds",
    "How long pieces of work took in a compute process.",
    ["function"],
    buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
KILLED: Final = Counter("llmteam_compute_killed", "Compute processes ended before their time.", ["reason"])
REFUSED: Final = Counter("llmteam_compute_refused", "Pieces of work refused because too much was waiting.")
