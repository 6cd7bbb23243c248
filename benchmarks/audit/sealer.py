"""Sealers that can be killed: a program that forks one when it is told to, and who tells it.

    python -m benchmarks.audit.sealer PAUSE_SECONDS

Reads ``start`` and ``wait`` from standard input, and answers each with a line: the process id of a new sealer, and the
signal that ended it. A sealer seals again and again, with a pause in between.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import django

from devserver import folders

READY: Final = "ready"


class Sealers:
    """The program, and the sealer of it that runs, if any."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self._program = program
        self._pid = 0

    def start(self) -> None:
        """Have a sealer run; the one before is to have ended."""
        self._pid = int(self._ask("start"))

    def kill(self) -> bool:
        """End the sealer as a power cut does; return whether it lived until then."""
        os.kill(self._pid, signal.SIGKILL)
        return int(self._ask("wait")) == signal.SIGKILL

    def _ask(self, word: str) -> str:
        if self._program.stdin is None or self._program.stdout is None:
            raise RuntimeError("the program has no pipes")
        self._program.stdin.write(f"{word}\n")
        self._program.stdin.flush()
        return self._program.stdout.readline()


@contextmanager
def sealers(environment: Mapping[str, str], *, pause_seconds: float) -> Iterator[Sealers]:
    """Run the program for as long as the block lasts; no sealer runs yet. One that is left ends with the program."""
    argv = [sys.executable, "-m", "benchmarks.audit.sealer", str(pause_seconds)]
    with subprocess.Popen(  # noqa: S603 - our own program
        argv, env=environment, cwd=folders.CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        if program.stdout is None or program.stdout.readline().strip() != READY:
            raise RuntimeError("the program of the sealers did not come up")
        try:
            yield Sealers(program)
        finally:
            program.terminate()


def main() -> None:
    """Fork sealers until there is nothing more to read."""
    django.setup()
    from audit.sealing.sealer import seal_entries  # noqa: PLC0415 - Django is to be set up first

    child = 0

    def end(*_: object) -> None:
        if child:
            os.kill(child, signal.SIGKILL)
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    print(READY, flush=True)
    for word in sys.stdin:
        if word.strip() == "start":
            child = os.fork()
            if not child:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                while True:
                    seal_entries()
                    time.sleep(float(sys.argv[1]))
            print(child, flush=True)
        else:
            _, status = os.waitpid(child, 0)
            child = 0
            print(os.WTERMSIG(status), flush=True)


if __name__ == "__main__":
    main()
