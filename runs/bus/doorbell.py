"""Wake-up messages after a commit: for hosts, and directly for a run's owner. They never fail a caller."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any
from uuid import UUID

import redis
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import KombuError
from kombu.pools import producers

log = logging.getLogger(__name__)

SIGNALS_CHANNEL = "llmteam:signals"
POKE_TASK = "runs.poke"
SEND_SECONDS = 1.0
QUIET_SECONDS = 2.0
PACE_SECONDS = 0.02
"""Least time between two rings: the first goes at once, who asks meanwhile shares the next."""


class Doorbell:
    """Sends messages that may be lost. After a failure it is quiet for a moment, so that a dead broker costs little."""

    def __init__(self) -> None:
        self.failures = 0
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def send(self, message: Callable[[], Any]) -> None:
        """Send now; a failure is counted and logged."""
        if time.monotonic() < self._quiet_until:
            self.failures += 1
            return
        try:
            message()
        except (KombuError, redis.RedisError, OSError) as error:
            with self._lock:
                self.failures += 1
                self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("the doorbell is broken (%d times so far), work is found by sweeps: %s", self.failures, error)


class Ringer:
    """Rings from a thread of its own, so that no caller waits for the broker.

    Whoever asks while a ring is under way, or right behind it, shares the one that follows: every ask is followed by a
    ring that began after it, but many need only one. What has been asked for is still sent when the process ends.
    """

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._is_asked = False
        self._rung_at = 0.0
        self._thread = _one_thread()
        os.register_at_fork(after_in_child=self._begin_again)  # a child has no thread, and nobody who asked

    def ask(self) -> None:
        """Have a ring sent soon."""
        with self._lock:
            if self._is_asked:
                return
            try:
                self._thread.submit(self._ring)
            except RuntimeError:  # the process is ending
                log.warning("too late to ring the doorbell, the work is found by a sweep")
            else:
                self._is_asked = True

    def _begin_again(self) -> None:
        self._lock = threading.Lock()
        self._is_asked = False
        self._thread = _one_thread()

    def _ring(self) -> None:
        time.sleep(max(0.0, self._rung_at + PACE_SECONDS - time.monotonic()))
        with self._lock:
            self._is_asked = False
        self._rung_at = time.monotonic()
        try:
            self._send()
        except Exception:  # the thread's outermost: nobody else would tell
            log.exception("unexpected error while ringing the doorbell")


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="doorbell")


def ring_now() -> None:
    """Tell some host, without waiting for a transaction, that there is work."""
    doorbell.send(_publish_poke)


doorbell = Doorbell()
ringer = Ringer(ring_now)


def ring() -> None:
    """Tell some host, after the open transaction has committed, that there is work.

    Never waits. Rings at the same time become one: whoever hears it claims all there is.
    """
    transaction.on_commit(ringer.ask)


def poke_owner(run_id: UUID) -> None:
    """Tell the run's owner, after the open transaction has committed, that the run's inbox has something."""
    transaction.on_commit(partial(doorbell.send, partial(_publish_signal, str(run_id))))


def _publish_poke() -> None:
    with _producers().acquire(block=True, timeout=SEND_SECONDS) as producer:
        current_app.send_task(POKE_TASK, producer=producer, retry=False, ignore_result=True)


def _publish_signal(run_id: str) -> None:
    _redis().publish(SIGNALS_CHANNEL, run_id)


@cache
def _producers() -> Any:
    """A pool of connections that give up soon; the application's own would wait for a silent broker for ever."""
    patience = {
        "socket_timeout": SEND_SECONDS,
        "socket_connect_timeout": SEND_SECONDS,
        "retry_on_timeout": False,
        "max_retries": 0,
        "connect_retries_timeout": SEND_SECONDS,
    }
    return producers[current_app.connection_for_write(transport_options=patience)]


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=SEND_SECONDS, socket_connect_timeout=SEND_SECONDS)
