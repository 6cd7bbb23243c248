"""Processes of our programs, forked from one that has imported much already: see `fork_server`."""

import atexit
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from devserver.folders import CHECKOUT
from tests.support.processes.environment import environment_of_python


class Process(Protocol):
    """What tests need of a process, however it was started."""

    pid: int
    returncode: Any

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def start_program(module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> Process:
    """Start ``python -m module``; what it prints is added to a file.

    Forked, unless it is to have another Python path, other warnings or the like: the fork server has its own.
    """
    server = fork_server()
    if _of_python(environment) == server.of_python:
        return ForkedProcess(server, module, arguments, environment, log)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=CHECKOUT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


class ForkServer:
    """The one of this process; it ends with us."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        environment = environment_of_python()
        self.of_python = _of_python(environment)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.processes.fork_server", str(its.fileno())],
            cwd=CHECKOUT,
            env=environment,
            pass_fds=[its.fileno()],
        )
        its.close()
        self._connection = ours
        self._lines = ours.makefile("rw")
        self._one_at_a_time = threading.Lock()
        self._numbers = itertools.count()

    def ask(self, **told: Any) -> Any:
        """Ask it for a process, or how one ended.

        A test that is out of time may end amid this: the answer it did not take is passed over by the next.
        """
        with self._one_at_a_time:
            number = next(self._numbers)
            print(json.dumps({"number": number, **told}), file=self._lines, flush=True)
            while True:
                answer = json.loads(self._lines.readline())
                if answer["number"] == number:
                    return answer["found"]

    def stop(self) -> None:
        self._lines.close()
        self._connection.close()
        self.process.wait(10)


@cache
def fork_server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.stop)
    return server


class ForkedProcess:
    """As `subprocess.Popen`, as far as tests use that."""

    def __init__(
        self,
        server: ForkServer,
        module: str,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        self._server = server
        self.returncode: int | None = None
        self.pid: int = server.ask(
            module=module, arguments=arguments, environment=dict(environment), log=str(log.absolute())
        )

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.ask(wait=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code, negative after a signal.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.01)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key.startswith("PYTHON")}
