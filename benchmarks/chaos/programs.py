"""One process of the platform that is to be killed, frozen and started again."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from devserver import folders, processes

STOP_SIGNALS = ((signal.SIGTERM, 20.0),)
FREEZE_SECONDS = 5.0


class FaultDidNotHappen(Exception):
    """The part that was to be broken is whole: nothing measured after it would prove anything."""


@dataclass
class Program:
    """A process with its command; start it from the thread that outlives it.

    Attributes:
        name: Names its log.
        argv: What to run.
        environment: The process's whole environment.
        logs: Folder of the logs.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    logs: Path
    child: processes.Child | None = None
    started_at: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            FaultDidNotHappen: It does not run.
        """
        if self.child is None:
            raise FaultDidNotHappen(f"{self.name} was never started")
        return self.child.pid

    @property
    def ended_with(self) -> int | None:
        """The exit code of a process that has ended; None while it runs, or was never started."""
        return None if self.child is None else self.child.poll()

    def start(self) -> None:
        """Start the process; what ran before is to have ended."""
        self.started_at = datetime.now(UTC)
        self.child = processes.spawn(
            processes.Command(
                argv=self.argv,
                log=self.logs / f"{self.name}.log",
                environment=self.environment,
                folder=folders.CHECKOUT,
            )
        )

    def kill(self) -> int:
        """End it as a power cut does; return the process id it had.

        Raises:
            FaultDidNotHappen: It ended otherwise.
        """
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        if self.child is None or self.child.wait(10) != -signal.SIGKILL:
            raise FaultDidNotHappen(f"{self.name} had ended before it was killed")
        return pid

    def ask_to_end(self) -> float:
        """Send SIGTERM and wait; return the seconds it took.

        Raises:
            FaultDidNotHappen: It did not end of its own accord, and well.
        """
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        if self.child is None or self.child.wait(30) != 0:
            raise FaultDidNotHappen(f"{self.name} did not end well")
        return time.monotonic() - began

    def freeze(self) -> None:
        """Stop its clock; returns when the kernel says that it stands.

        Raises:
            FaultDidNotHappen: It goes on.
        """
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + FREEZE_SECONDS
        while psutil.Process(self.pid).status() != psutil.STATUS_STOPPED:
            if time.monotonic() > deadline:
                raise FaultDidNotHappen(f"{self.name} did not stand still")
            time.sleep(0.01)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and see that it does; may be repeated."""
        if self.child is not None:
            if self.child.poll() is None:
                self.thaw()
            processes.stop(self.child, signals=STOP_SIGNALS)


def worker_argv(name: str) -> list[str]:
    """Write the command of a worker; its row in the database is named ``<name>@chaos``."""
    argv = [sys.executable, "-m", "celery", "-A", "llmteam", "worker", "--pool", "threads", "--concurrency", "2"]
    return [*argv, "--without-gossip", "--without-mingle", "--loglevel", "INFO", "--hostname", f"{name}@chaos"]
