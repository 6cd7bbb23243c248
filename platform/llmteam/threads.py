"""Request threads of a web process: few, shared fairly, each with its own database connection."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Final, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, reset_queries

from foundation.asgi import Application, Receive, Scope, Send
from kernel.admission import REQUESTER
from kernel.turns.fair_threads import FairThreads
from kernel.turns.processor_shortage import ProcessorShortage
from llmteam.web.metrics import PIECES_WAITING

THREADS: Final = 8
BESIDE_OTHERS: Final = 2
"""Threads of one tenant, or address, while others have requests as well."""
FRESH_SECONDS: Final = 1.0

P = ParamSpec("P")
T = TypeVar("T")


class RequestThreads(Executor):
    """Runs pieces of requests, any piece in any thread. As many connections to the database are open as threads.

    The threads are shared by those the requests count for: a tenant never holds them all, and whoever waits has a turn.
    ``share`` is as for ``FairThreads``.

    A connection that was idle for a second is looked at before it is used, one that failed is closed after the piece,
    as Django does between requests; a request's pieces may run in different threads, so this cannot be left to it.
    """

    def __init__(self, threads: int = THREADS, *, name: str = "request", share: float = math.inf) -> None:
        shortage = ProcessorShortage()
        self._threads = FairThreads(
            threads, name=name, beside_others=BESIDE_OTHERS, share=share, is_short=shortage.is_there
        )
        PIECES_WAITING.labels(name).set_function(lambda: self._threads.waiting)
        self._used = threading.local()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a piece soon."""
        requester = REQUESTER.get()
        share = None if requester is None else requester.share
        return self._threads.submit_for(share, partial(self._run, partial(fn, *args, **kwargs)))

    def _run(self, piece: Callable[[], T]) -> T:
        if time.monotonic() - getattr(self._used, "at", 0.0) > FRESH_SECONDS:
            close_old_connections()
        try:
            return piece()
        finally:
            self._used.at = time.monotonic()
            for connection in connections.all(initialized_only=True):
                if connection.errors_occurred:
                    connection.close_if_unusable_or_obsolete()


def with_request_threads(application: Application) -> Application:
    """Have every request and connection use the same few threads.

    Django would give each request a thread of its own, and so a connection: hundreds of callers who wait would each
    hold one. Nothing here depends on which thread a piece runs in, as every piece opens and ends its own transaction.
    """
    _leave_connections_to_the_threads()
    context = ThreadSensitiveContext()
    SyncToAsync.context_to_thread_executor[context] = RequestThreads(share=settings.REQUESTS_SHARE_BESIDE_OTHERS)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        SyncToAsync.thread_sensitive_context.set(context)
        await application(scope, receive, send)

    return served


def _leave_connections_to_the_threads() -> None:
    """Stop Django from doing at both ends of a request what ``RequestThreads`` does.

    It would change into a thread for it, and have each request ask the database whether it is there.
    """
    request_started.disconnect(reset_queries)
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
