"""A Python process of its own that runs a few lines against the checkout and tells one line back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from devserver import folders

SOURCE_ROOTS = os.pathsep.join([str(folders.CHECKOUT / "platform"), str(folders.CHECKOUT)])


@contextmanager
def child_python(code: str, *, without: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run code until the block ends, then kill it with SIGKILL.

    Args:
        code: What to run; an indented block may start with ``if True:``.
        without: Environment variables the child does not get.
    """
    environment = {name: value for name, value in os.environ.items() if name not in without}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": SOURCE_ROOTS},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_words(process: subprocess.Popen[str]) -> list[str]:
    """Read the next line the child prints, as words; empty when it ended."""
    assert process.stdout
    return process.stdout.readline().split()
