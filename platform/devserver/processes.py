"""Child processes that never outlive their parent, and free ports for them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from devserver import folders

LOOPBACK = "127.0.0.1"
WRAPPER = Path(__file__).with_name("exec_child.py")
Child = subprocess.Popen[bytes]
Signals: TypeAlias = Sequence[tuple[signal.Signals, float]]
"""Signals to end a process, each with the seconds it is given."""


@dataclass(frozen=True)
class Command:
    """A program to run.

    Attributes:
        argv: Absolute path of the program, then its arguments.
        log: File that takes standard output and standard error, at its end.
        environment: The program's whole environment.
        user: Name of the user to become; only root may ask for one.
        folder: Working directory.
    """

    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    user: str | None = None
    folder: Path = Path("/")


def spawn(command: Command, *, death_signal: signal.Signals = signal.SIGKILL) -> Child:
    """Start a program in a session of its own that is signalled when the calling thread ends.

    The kernel ties the signal to the *thread* that starts the child: call this from a thread that lives as long as the
    child shall, normally the main thread.

    Args:
        command: What to run.
        death_signal: What the child gets when its parent ends, even by SIGKILL.

    Returns:
        The running child; its pid and process group are the program's own.
    """
    wrapper = [sys.executable, "-I", "-S", str(WRAPPER), str(os.getpid()), str(int(death_signal)), command.user or ""]
    with command.log.open("ab") as output:
        return subprocess.Popen(
            [*wrapper, *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(command.environment),
            cwd=command.folder,
            start_new_session=True,
        )


def stop(child: Child, *, signals: Signals) -> None:
    """End a child and everything in its process group; returns when the child is gone.

    Args:
        child: The process to end; one that has ended already is fine.
        signals: What to send to the child, and how many seconds to wait after each. SIGKILL to the group follows.
    """
    for number, patience_seconds in signals:
        if child.poll() is not None:
            break
        child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_seconds)
    finish(child, patience_seconds=0)


def finish(child: Child, *, patience_seconds: float) -> None:
    """Wait for a child that was told to end, then kill whatever is left of its process group."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(patience_seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def command_line(pid: int) -> str:
    """Read a process's command line, empty where there is no such process."""
    entry = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    answer = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout


def end_foreign_process(pid: int, *, first: signal.Signals, patience_seconds: float) -> None:
    """End a process that is not our child, by a signal and then by SIGKILL; returns when it is gone."""
    for number in (first, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            if not command_line(pid):
                return
            time.sleep(0.02)


def free_port() -> int:
    """Name a loopback port that nothing listens on now; another process may still be quicker, so callers retry."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Tell whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def log_report(log: Path, *, count: int = 6) -> str:
    """Name a log and quote its end, for an error's text."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join([f"Its log is {folders.short_path(log)}; it ends with:", *lines])
