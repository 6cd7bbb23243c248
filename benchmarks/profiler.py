"""Samples a process's stacks while something is measured."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLES_PER_SECOND = 200
STOP_SECONDS = 10


@contextmanager
def sampled(pid: int, output: str) -> Iterator[None]:
    """Write who held the interpreter's lock, as py-spy's raw stacks, to a file; without a file do nothing."""
    if not output:
        yield
        return
    program = str(Path(sys.executable).parent / "py-spy")
    argv = [program, "record", "--pid", str(pid), "--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--gil"]
    sampler = subprocess.Popen([*argv, "--output", output], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - the tool of this very environment
    try:
        yield
    finally:
        if sampler.poll() is None:
            sampler.send_signal(2)
        sampler.wait(STOP_SECONDS)
