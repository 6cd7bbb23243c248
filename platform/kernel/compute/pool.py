"""The compute pool: calls pure functions over bytes in a few bounded processes, tenants in turn.

Threads, one a process, take jobs from the queue; a job's caller waits for a future, in an event loop or in a thread. So
one pool serves every loop and thread of its process.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Hashable, Mapping
from concurrent.futures import Future
from typing import Final

from kernel.compute import metrics
from kernel.compute.bulkhead import Bulkhead
from kernel.compute.errors import ComputeBusy, ComputeFailed, ComputeUnavailable
from kernel.compute.fair_queue import FairQueue, Job
from kernel.compute.slot import ProcessBounds, Slot
from kernel.errors import LlmteamError

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
"""A process without work for so long is ended; the next job starts another."""


class ComputePool:
    """A few processes that call functions from a fixed list.

    Processes start when first needed. One that passes its deadline, its memory or its processor time is killed and
    replaced. A single tenant takes all processes but one at most, so that the others never wait for it alone.

    Args:
        functions: Name to ``module:function``; each takes and returns bytes.
        bounds: Of each call.
        processes: How many there are at most.
        most_waiting: How many jobs of one tenant wait.
    """

    def __init__(
        self, functions: Mapping[str, str], bounds: ProcessBounds, *, processes: int = 2, most_waiting: int = 32
    ) -> None:
        self._functions = dict(functions)
        self._bounds = bounds
        self._processes = processes
        self._queue = FairQueue(most_running=max(1, processes - 1), most_waiting=most_waiting)
        self._bulkhead = Bulkhead()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False

    async def run(self, tenant: Hashable, function: str, payload: bytes) -> bytes:
        """Call a function; the event loop goes on meanwhile. Work cancelled before its turn is never begun.

        Raises:
            ComputeLimit: It takes too long, too much memory, or is too large.
            ComputeBusy: The tenant has too much waiting.
            ComputeUnavailable: No process can be started, or the pool is closed.
            ComputeFailed: The function raised an error.
        """
        return await asyncio.wrap_future(self._submit(tenant, function, payload))

    def run_blocking(self, tenant: Hashable, function: str, payload: bytes) -> bytes:
        """Call a function and wait in this thread, which must not be an event loop's; raises as ``run``.

        Few threads may wait: ComputeBusy also says that as many do.
        """
        with self._bulkhead.hold(tenant):
            return self._submit(tenant, function, payload).result()

    def close(self) -> None:
        """End all processes once their present calls have ended, and refuse what waits and what comes."""
        with self._changed:
            self._closed = True
            refused = self._queue.drain()
            metrics.QUEUED.set(0)
            self._changed.notify_all()
        for job in refused:
            if job.answer.set_running_or_notify_cancel():
                job.answer.set_exception(ComputeUnavailable("The process is stopping."))
        for thread in self._threads:
            thread.join()

    def _submit(self, tenant: Hashable, function: str, payload: bytes) -> "Future[bytes]":
        if function not in self._functions:
            raise ValueError(f"The compute pool has no function named {function}.")
        job = Job(tenant, function, payload)
        with self._changed:
            if self._closed:
                raise ComputeUnavailable("The process is stopping.")
            try:
                self._queue.add(job)
            except ComputeBusy:
                metrics.REFUSED.inc()
                raise
            metrics.QUEUED.set(self._queue.waiting)
            free = len(self._threads) - self._queue.running
            if self._queue.waiting > free and len(self._threads) < self._processes:
                thread = threading.Thread(target=self._serve, name=f"compute-{len(self._threads) + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()
        return job.answer

    def _serve(self) -> None:
        """Do jobs for as long as the pool is open."""
        slot = Slot(self._functions, self._bounds)
        while not self._closed:
            job = self._next(None if slot.is_empty else IDLE_SECONDS)
            if job is None:
                slot.end()
                continue
            begun = job.answer.set_running_or_notify_cancel()
            outcome = _do(job, slot) if begun else None
            with self._changed:
                self._queue.done(job)
                self._changed.notify()
            if isinstance(outcome, Exception):
                job.answer.set_exception(outcome)
            elif outcome is not None:
                job.answer.set_result(outcome)
        slot.end()

    def _next(self, seconds: float | None) -> Job | None:
        """Wait for the next job; None where none came in time, or the pool is closed."""
        ends = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not self._closed:
                job = self._queue.take()
                if job is not None:
                    metrics.QUEUED.set(self._queue.waiting)
                    return job
                if not self._changed.wait(None if ends is None else max(0.0, ends - time.monotonic())):
                    return None
            return None


def _do(job: Job, slot: Slot) -> bytes | Exception:
    """Do a job; return its answer or why there is none."""
    with metrics.RUNNING.track_inprogress(), metrics.SECONDS.labels(job.function).time():
        try:
            return slot.call(job.function, job.payload)
        except ComputeFailed as error:
            log.error("the function %s raised an error in the compute pool: %s", job.function, error)  # noqa: TRY400
            return ComputeFailed(f"The function {job.function} raised an error.")
        except LlmteamError as error:
            return error
        except Exception as error:
            log.exception("the compute pool failed")
            slot.end("lost")
            return error
