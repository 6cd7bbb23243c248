"""The program of one compute process: calls functions named by its parent, one at a time, within fixed bounds.

It starts with nothing of the parent's memory or environment but a socket as standard input, imports the functions it is
given, and ends when the socket closes, when its parent dies, or after a call that has left it too large.
"""

import ctypes
import gc
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kernel.compute.frames import MAX_BYTES, FrameKind, receive, send

PR_SET_PDEATHSIG: Final = 1
NICENESS: Final = 5
"""Event loops and the requests of others go first where processors are short."""
LIFE_SECONDS: Final = 3600
"""Processor time of all calls of a process together; then it is replaced."""
KEPT_PART: Final = 0.5
"""A process that holds more than this part of its memory after a call is replaced."""
STATM: Final = Path("/proc/self/statm")

Function = Callable[[bytes], bytes]


def main(arguments: list[str]) -> None:
    """Serve until the socket closes: PARENT MEMORY_BYTES SECONDS MODULE:FUNCTION..."""
    parent, memory, seconds, *names = arguments
    _die_with_parent(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's terminal or supervisor sends them to all;
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this process ends when its parent has done so
    os.nice(NICENESS)
    functions = {name: _load(name) for name in names}
    gc.freeze()
    gc.disable()  # looking through millions of new values again and again takes longer than the work on them
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (LIFE_SECONDS, LIFE_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=os.dup(0))
    send(connection, FrameKind.READY, b"")
    while _serve(connection, functions, float(seconds)) and not _has_grown(int(memory)):
        pass


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent; elsewhere than on Linux the socket's end does, later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def _load(name: str) -> Function:
    module, _, attribute = name.partition(":")
    function: Function = getattr(importlib.import_module(module), attribute)
    return function


def _serve(connection: socket.socket, functions: dict[str, Function], seconds: float) -> bool:
    """Answer one call; return whether another may follow."""
    try:
        _, name = receive(connection)
        _, payload = receive(connection)
    except EOFError:
        return False
    signal.setitimer(signal.ITIMER_PROF, seconds)  # of processor time; passing it ends the process, whatever it does
    kind, content = _call(functions[name.decode()], payload)
    signal.setitimer(signal.ITIMER_PROF, 0)
    send(connection, kind, content)
    gc.collect()
    return kind is not FrameKind.OUT_OF_MEMORY


def _call(function: Function, payload: bytes) -> tuple[FrameKind, bytes]:
    try:
        answer = function(payload)
    except MemoryError:
        return FrameKind.OUT_OF_MEMORY, b""
    except Exception as error:
        # Places and the kind of error, not its text: that may quote what a tenant sent.
        where = "".join(traceback.format_tb(error.__traceback__))
        return FrameKind.RAISED, f"{where}{type(error).__name__}".encode()
    return (FrameKind.ANSWER, answer) if len(answer) <= MAX_BYTES else (FrameKind.TOO_LARGE, b"")


def _has_grown(memory: int) -> bool:
    """Whether calls have left much in memory; told on Linux only.

    (The peak that ``getrusage`` tells begins with the parent's.)
    """
    return STATM.exists() and int(STATM.read_text().split()[1]) * resource.getpagesize() > memory * KEPT_PART


if __name__ == "__main__":
    main(sys.argv[1:])
