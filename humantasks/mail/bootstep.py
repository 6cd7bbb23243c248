"""Celery bootstep that starts the mail sender in a worker."""

from typing import Any

from celery import bootsteps

from humantasks.mail.sender import MailSender


class MailStep(bootsteps.StartStopStep):
    """Starts and stops the sender with the worker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._sender = MailSender()

    def start(self, worker: Any) -> None:
        """Start it."""
        self._sender.start()

    def stop(self, worker: Any) -> None:
        """Stop it."""
        self._sender.stop()
