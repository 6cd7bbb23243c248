"""Supervisor of a run's processes: starts them, restarts one that dies, and ends them all."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devserver import folders, processes
from devserver.errors import PartDidNotStart

POLL_SECONDS = 0.05
STOP_SECONDS = 4.0
FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0

Ready = Callable[[str], bool]


def listening(port: int) -> Ready:
    """Be ready once something accepts connections on a loopback port."""
    return lambda _output: processes.listens(port)


def has_printed(words: str) -> Ready:
    """Be ready once the part's output since its start contains these words."""
    return lambda output: words in output


@dataclass(frozen=True)
class SupervisedPart:
    """One program of a run.

    Attributes:
        name: Unique within a supervisor; names the log.
        argv: Absolute path of the program, then its arguments.
        ready: Asked with the output since the start, often, until it says yes.
        address: Where to reach it, shown to the person; may be empty.
        ready_seconds: How long it may take to get ready.
        environment: What it has besides that of all parts.
    """

    name: str
    argv: Sequence[str]
    ready: Ready
    address: str = ""
    ready_seconds: float = 60.0
    environment: Mapping[str, str] = field(default_factory=dict)


class _Running:
    """A part with its process, and what is known about its health."""

    def __init__(self, part: SupervisedPart, log: Path) -> None:
        self.part = part
        self.log = log
        self.failures = 0
        self.up = False
        self.child: processes.Child | None = None
        self.log_start = 0
        self.started_at = 0.0
        self.next_start_at = 0.0

    def launch(self, environment: Mapping[str, str], folder: Path) -> None:
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        self.started_at = time.monotonic()
        self.up = False
        self.child = processes.spawn(
            processes.Command(
                argv=self.part.argv,
                log=self.log,
                environment={**environment, **self.part.environment},
                folder=folder,
            )
        )

    def ready(self) -> bool:
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return self.part.ready(log.read().decode(errors="replace"))

    def late(self) -> bool:
        return time.monotonic() - self.started_at > self.part.ready_seconds

    def pause_seconds(self) -> float:
        return float(min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self.failures - 1)))


class Supervisor:
    """Owns the processes of its parts: none of them outlives this one, not even after a SIGKILL.

    Nothing happens in the background: parts are restarted by whoever calls `watch` now and then. All methods must be
    called from the thread that outlives the parts (see `processes.spawn`), normally the main thread.
    """

    def __init__(
        self,
        *,
        folder: Path,
        logs: Path,
        environment: Mapping[str, str],
        say: Callable[[str], None] = print,
    ) -> None:
        """Make a supervisor without parts.

        Args:
            folder: Working directory of the parts.
            logs: Folder that gets `<part>.log`, appended to.
            environment: The parts' whole environment.
            say: Takes one line for the person.
        """
        self._folder = folder
        self._logs = logs
        self._environment = dict(environment)
        self._say = say
        self._running: dict[str, _Running] = {}

    def start(self, *parts: SupervisedPart) -> None:
        """Start parts side by side and return when all are ready.

        Raises:
            PartDidNotStart: One ended or was not ready in time; the others keep running.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        started = []
        for part in parts:
            running = _Running(part, self._logs / f"{part.name}.log")
            self._running[part.name] = running
            running.launch(self._environment, self._folder)
            started.append(running)
        for running in started:
            self._wait_until_ready(running)

    def stop(self, *names: str) -> None:
        """End parts for good, all at once; a part that is not running is fine."""
        ending = [self._running.pop(name) for name in names if name in self._running]
        for running in ending:
            _signal(running.child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for running in ending:
            if running.child:
                patience = max(0.0, deadline - time.monotonic())
                processes.finish(running.child, patience_seconds=patience)

    def stop_all(self) -> None:
        """End every part; may be repeated."""
        self.stop(*self._running)

    def restart(self, name: str) -> None:
        """End a part and start it again.

        Raises:
            KeyError: There is no such part.
            PartDidNotStart: As for `start`.
        """
        part = self._running[name].part
        self.stop(name)
        self.start(part)

    def pid_of(self, name: str) -> int:
        """Return the process id of a part that runs.

        Raises:
            KeyError: There is no such part, or it has no process at the moment.
        """
        child = self._running[name].child
        if child is None or child.poll() is not None:
            raise KeyError(name)
        return child.pid

    def log_of(self, name: str) -> Path:
        """Return the log of a part."""
        return self._logs / f"{name}.log"

    def watch(self) -> None:
        """Look at every part once: say what died, start again what has paused long enough. Returns at once."""
        for running in list(self._running.values()):
            if running.child is None:
                self._start_again(running)
            elif running.child.poll() is not None:
                self._say_died(running, _ending(running.child))
            elif not running.up:
                self._look_whether_up(running)

    def _start_again(self, running: _Running) -> None:
        if time.monotonic() >= running.next_start_at:
            running.launch(self._environment, self._folder)

    def _look_whether_up(self, running: _Running) -> None:
        if running.ready():
            running.up = True
            self._say_up(running)
        elif running.late() and running.child:
            self._say_died(running, f"was not ready after {running.part.ready_seconds:g} s")

    def _say_died(self, running: _Running, how: str) -> None:
        if running.up and time.monotonic() - running.started_at > STEADY_SECONDS:
            running.failures = 0
        running.failures += 1
        pause_seconds = running.pause_seconds()
        running.next_start_at = time.monotonic() + pause_seconds
        if running.child:
            processes.finish(running.child, patience_seconds=0)
        running.child = None
        self._say(
            f"{running.part.name:<13} {how}; starting it again in {pause_seconds:g} s; "
            f"see {folders.short_path(running.log)}"
        )

    def _wait_until_ready(self, running: _Running) -> None:
        while not running.ready():
            if running.child and running.child.poll() is not None:
                raise PartDidNotStart(self._why(running, _ending(running.child)))
            if running.late():
                raise PartDidNotStart(self._why(running, f"was not ready after {running.part.ready_seconds:g} s"))
            time.sleep(POLL_SECONDS)
        running.up = True
        self._say_up(running)

    def _say_up(self, running: _Running) -> None:
        self._say(f"{running.part.name:<13} up    {running.part.address}".rstrip())

    def _why(self, running: _Running, how: str) -> str:
        return f"{running.part.name} {how}. {processes.log_report(running.log)}"


def _signal(child: processes.Child | None, number: signal.Signals) -> None:
    if child and child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)


def _ending(child: processes.Child) -> str:
    code = child.returncode
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
