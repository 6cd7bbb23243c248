"""A real Celery worker process on the test's database."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runs.models import Worker
from tests.support import step_types
from tests.support.process_ends import eventually
from tests.support.processes.environment import program_environment
from tests.support.processes.forked import Process, start_program

START_SECONDS = 90.0
"""On a machine that does much else; alone it takes two."""
SHORT_LEASE = {"WORKER_LEASE_SECONDS": "2", "WORKER_HEARTBEAT_SECONDS": "0.5"}
"""For tests of what comes when a lease ends. On a busy machine it may end under a worker that only waits its turn."""

SETTINGS = {
    "EXTRA_APPS": step_types.APP,
    "WORKER_LEASE_SECONDS": "30",
    "WORKER_HEARTBEAT_SECONDS": "0.5",
    "WORKER_GRACE_SECONDS": "5",
    "SWEEP_SECONDS": "0.3",
}


class WorkerProcess:
    """One ``celery worker``; its lease outlasts any wait for a processor unless told otherwise."""

    def __init__(self, name: str, **environment: str) -> None:
        self.name = name
        self.host_name = f"{name}@test"
        self._environment = environment
        self._log = Path(tempfile.mkdtemp(prefix="llmteam-worker-")) / "worker.log"
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        arguments = ["-A", "llmteam", "worker", "--pool", "threads", "--concurrency", "2"]
        arguments += ["--without-gossip", "--without-mingle", "--hostname", self.host_name, "--loglevel", "INFO"]
        environment = program_environment(**(SETTINGS | self._environment))
        self._process = start_program("celery", *arguments, environment=environment, log=self._log)
        ready = eventually(lambda: self._is_registered() or not self.is_running, seconds=START_SECONDS)
        assert ready, f"the worker did not come up:\n{self.log}"
        assert self.is_running, f"the worker ended:\n{self.log}"

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As a power cut does."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        assert self._process.wait(10) == -signal.SIGKILL

    def stop(self, *, seconds: float = 30) -> float:
        """Ask it to end, and return the seconds that took."""
        assert self._process is not None
        began = time.monotonic()
        if self.is_running:
            self.send(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not stop:\n{self.log}") from None
        return time.monotonic() - began

    def _is_registered(self) -> bool:
        # Unscoped by nature: workers belong to no tenant.
        return Worker.objects.filter(name=self.host_name).exists()


@contextmanager
def running_worker(name: str = "worker-1", **environment: str) -> Iterator[WorkerProcess]:
    """A worker that has registered itself; ended when the block ends, its log printed when the test fails."""
    worker = WorkerProcess(name, **environment)
    try:
        worker.start()
        yield worker
    except BaseException:
        print(f"log of {name}:\n{worker.log}")
        raise
    finally:
        if worker.is_running:
            worker.stop()
