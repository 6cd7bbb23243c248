"""Celery bootstep that starts a host in a worker."""

import logging
from typing import Any

from celery import bootsteps
from django.conf import settings

from kernel.process_memory import freeze_loaded_objects, limit_malloc_caching
from kernel.turns.interpreter import take_short_turns
from runs.engine.host.metrics_server import MetricsServer
from runs.engine.host.thread import start_host, stop_host

log = logging.getLogger(__name__)

AFTER_GRACE_SECONDS = 15.0
COLLECTOR_THRESHOLDS = (10_000, 20, 50)
"""Many runs have much that lives long: a third of the engine's time went into full collections otherwise."""


class EngineStep(bootsteps.StartStopStep):
    """Starts the host before the worker connects to its broker, and stops it when the worker stops.

    The host needs no broker: without one, runs are found by sweeps.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._exposition = MetricsServer()

    def start(self, worker: Any) -> None:
        """Start the host."""
        log.info("worker %s starts", worker.hostname)
        limit_malloc_caching()
        take_short_turns()
        freeze_loaded_objects(*COLLECTOR_THRESHOLDS)
        self._exposition.start()
        start_host(worker.hostname)

    def stop(self, worker: Any) -> None:
        """Stop the host; waits for its runs as long as the grace allows."""
        log.info("worker %s stops: it claims no more runs and releases its own", worker.hostname)
        stop_host(timeout_seconds=settings.WORKER_GRACE_SECONDS + AFTER_GRACE_SECONDS)
        self._exposition.stop()
        log.info("worker %s has stopped", worker.hostname)
