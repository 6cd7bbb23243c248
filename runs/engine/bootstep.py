"""Puts a host into a Celery worker."""

from typing import Any

from celery import bootsteps
from django.conf import settings

from runs.engine.thread import start_host, stop_host

AFTER_GRACE_SECONDS = 15.0


class EngineStep(bootsteps.StartStopStep):
    """Starts the host before the worker connects to its broker, and stops it when the worker stops.

    The host needs no broker: without one, runs are found by sweeps.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Start the host."""
        start_host(worker.hostname)

    def stop(self, worker: Any) -> None:
        """Stop the host; waits for its runs as long as the grace allows."""
        stop_host(timeout_seconds=settings.WORKER_GRACE_SECONDS + AFTER_GRACE_SECONDS)
