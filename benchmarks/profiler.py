"""Sampling profiler of a process's stacks, used while something is measured."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLES_PER_SECOND = 400
STOP_SECONDS = 10
EXEC_SECONDS = 1.0
"""A process is itself only after its `exec`; attached to before, it shows nothing."""


@contextmanager
def sampled(pid: int, output: str) -> Iterator[None]:
    """Write who held the interpreter's lock, as py-spy's raw stacks, to a file; without a file do nothing."""
    if not output:
        yield
        return
    time.sleep(EXEC_SECONDS)
    program = str(Path(sys.executable).parent / "py-spy")
    argv = [program, "record", "--pid", str(pid), "--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--gil"]
    sampler = subprocess.Popen([*argv, "--output", output], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - the tool of this very environment
    try:
        yield
    finally:
        if sampler.poll() is None:
            sampler.send_signal(2)
        sampler.wait(STOP_SECONDS)
