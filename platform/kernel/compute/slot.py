"""The place of one compute process: starts it when needed, ends it when a bound is passed, replaces it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kernel.compute import metrics
from kernel.compute.errors import ComputeFailed, ComputeLimit, ComputeUnavailable
from kernel.compute.process import ComputeProcess, ProcessEnded

TRIES: Final = 2
"""A call whose process was ended by no bound of its own (by the kernel, by an operator) is made again, once."""
PATIENCE: Final = 6


@dataclass(frozen=True, slots=True)
class ProcessBounds:
    """The bounds of a process: how long a call may compute, and how much memory it may take.

    ``seconds`` are of processor time, so that a machine with much to do refuses nobody; ``PATIENCE`` times as much may
    go by on the clock.
    """

    seconds: float = 5.0
    memory_bytes: int = 512 << 20


class Slot:
    """At most one process at a time; used by one thread, which must outlive the process."""

    def __init__(self, functions: Mapping[str, str], bounds: ProcessBounds) -> None:
        self._functions = functions
        self._bounds = bounds
        self._process: ComputeProcess | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no process."""
        return self._process is None

    def call(self, function: str, payload: bytes) -> bytes:
        """Have a function called in the process.

        Raises:
            ComputeLimit: The call passed a bound.
            ComputeUnavailable: No process can be started, or processes are ended by somebody else.
            ComputeFailed: The function raised an error.
        """
        for _ in range(TRIES):
            process = self._ready()
            try:
                return process.call(self._functions[function], payload, seconds=self._bounds.seconds * PATIENCE)
            except ComputeFailed:
                raise
            except TimeoutError:
                self.end("time")
                raise ComputeLimit(f"The work takes longer than {self._bounds.seconds * PATIENCE:g} s.") from None
            except ComputeLimit:
                self.end("memory")
                raise
            except ProcessEnded:
                bound = process.passed_bound()
                self.end(bound or "lost")
                if bound is not None:
                    given = f"{self._bounds.seconds:g} s of processor time" if bound == "time" else "memory"
                    raise ComputeLimit(f"The work takes more than the {given} it is given.") from None
        raise ComputeUnavailable("The processes that did the work were ended by somebody else.")

    def end(self, reason: str | None = None) -> None:
        """End the process, if there is one; with a reason it is counted as killed."""
        if self._process is not None:
            self._process.kill()
            self._process = None
            if reason is not None:
                metrics.KILLED.labels(reason).inc()

    def _ready(self) -> ComputeProcess:
        if self._process is not None and self._process.is_over:
            self.end()
        if self._process is None:
            self._process = ComputeProcess(
                tuple(self._functions.values()),
                memory_bytes=self._bounds.memory_bytes,
                seconds=self._bounds.seconds,
            )
        return self._process
