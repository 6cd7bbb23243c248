"""The parent's end of one compute process."""

import os
import signal
import socket
import subprocess
import sys
import time
from typing import Final

from kernel.compute.errors import ComputeFailed, ComputeLimit, ComputeUnavailable
from kernel.compute.frames import FrameKind, receive, send

START_SECONDS: Final = 30.0
END_SECONDS: Final = 5.0
"""Longest time a process that has closed its socket may take to end."""
_BOUNDS: Final[dict[int, str]] = {signal.SIGPROF: "time", signal.SIGABRT: "memory", signal.SIGSEGV: "memory"}


class ProcessEnded(Exception):
    """The process ended by itself, before it had answered."""


class ComputeProcess:
    """One process and its socket; used by one thread.

    The thread that makes it must outlive it: on Linux the kernel ends the process with the thread it came from.
    """

    def __init__(self, functions: tuple[str, ...], *, memory_bytes: int, seconds: float) -> None:
        """Start the process and wait until it has imported the functions.

        Raises:
            ComputeUnavailable: It cannot be started.
        """
        self._connection, theirs = socket.socketpair()
        bounds = [str(os.getpid()), str(memory_bytes), str(seconds)]
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-P", "-m", "kernel.compute.child", *bounds, *functions],
                    stdin=theirs.fileno(),
                    env=_environment(),
                )
        except OSError as error:
            self._connection.close()
            raise ComputeUnavailable("No process can be started for the work.") from error
        try:
            self._receive(time.monotonic() + START_SECONDS)
        except (ProcessEnded, TimeoutError) as error:
            self.kill()
            raise ComputeUnavailable("A process for the work did not come up.") from error

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def call(self, function: str, payload: bytes, *, seconds: float) -> bytes:
        """Have a function called with bytes.

        Whatever is raised but ``ComputeFailed``, the process cannot be used any more.

        Raises:
            TimeoutError: It has not answered in time.
            ProcessEnded: It ended, by itself or by another's signal.
            ComputeLimit: It has too little memory, or its answer is too large.
            ComputeFailed: The function raised an error.
        """
        deadline = time.monotonic() + seconds
        try:
            self._wait_until(deadline)
            send(self._connection, FrameKind.FUNCTION, function.encode())
            self._wait_until(deadline)
            send(self._connection, FrameKind.PAYLOAD, payload)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ProcessEnded from error
        kind, content = self._receive(deadline)
        if kind is FrameKind.ANSWER:
            return content
        if kind is FrameKind.RAISED:
            raise ComputeFailed(content.decode())
        what = "memory" if kind is FrameKind.OUT_OF_MEMORY else "room for its answer"
        raise ComputeLimit(f"The work takes more {what} than it is given.")

    def kill(self) -> int:
        """End the process, if it has not ended; return how it ended, as ``Popen.returncode`` does."""
        self._connection.close()
        self._process.kill()
        return self._process.wait()

    def passed_bound(self) -> str | None:
        """Say which bound of its own a process ended at, if it did: ``time``, or ``memory`` in native code."""
        try:
            return _BOUNDS.get(-self._process.wait(END_SECONDS))
        except subprocess.TimeoutExpired:
            return None

    def _receive(self, deadline: float) -> tuple[FrameKind, bytes]:
        try:
            return receive(self._connection, lambda: self._wait_until(deadline))
        except (EOFError, ConnectionResetError) as error:
            raise ProcessEnded from error

    def _wait_until(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


def _environment() -> dict[str, str]:
    """Give a process where its modules are, and none of the parent's secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
