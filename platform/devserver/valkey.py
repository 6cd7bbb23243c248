"""A Valkey of our own on loopback: nothing is kept, it ends with its parent."""

import os
import re
import secrets
import signal
import time
from pathlib import Path

import redis

from devserver import folders, processes, programs
from devserver.errors import ServerDidNotStart
from devserver.own_server import ATTEMPTS, OwnServer

START_SECONDS = 15.0
STOP_SIGNALS = ((signal.SIGTERM, 1.5),)


class Valkey(OwnServer):
    """One server; `url` reaches its first database, over restarts too."""

    name = "valkey"
    stop_signals = STOP_SIGNALS

    def __init__(self, *, home: Path, log: Path, port: int) -> None:
        super().__init__()
        self.home = home
        self.log = log
        self.port = port
        self._password = secrets.token_urlsafe(24)
        self.url = f"redis://:{self._password}@{processes.LOOPBACK}:{port}/0"

    def spawn(self) -> processes.Child:
        """Start the process."""
        file = _write_configuration(self.home, port=self.port, password=self._password)
        environment = {"PATH": os.environ.get("PATH", os.defpath)}
        argv = [str(programs.find_valkey()), str(file)]
        return processes.spawn(processes.Command(argv=argv, log=self.log, environment=environment))

    def answers(self, child: processes.Child) -> bool:
        """Wait until the server answers, and note where it runs; False once its process has ended or time is up."""
        if not _answers(child, self.url):
            return False
        _remember(self.home, child.pid, self.port)
        return True

    def did_not_start(self) -> ServerDidNotStart:
        """Say why, as far as its log tells."""
        return ServerDidNotStart(f"Valkey did not start. {processes.log_report(self.log)}")


def start(claim: folders.FolderClaim) -> Valkey:
    """Start an empty server for a claimed name, ending one left behind.

    Raises:
        ServerNotInstalled: No program.
        ServerDidNotStart: It ended or did not answer in time.
    """
    home, log = claim.folder / "valkey", claim.folder / "log" / "valkey.log"
    folders.make_passable(home)
    folders.make_passable(log.parent)
    _end_leftover(home)
    for _ in range(ATTEMPTS):
        server = Valkey(home=home, log=log, port=processes.free_port())
        if server.launch():
            return server
    raise server.did_not_start()


def _remember(home: Path, pid: int, port: int) -> None:
    (home / "running").write_text(f"{pid} {port}")


def _end_leftover(home: Path) -> None:
    """End a server that a killed parent left, where the kernel did not; the claim says that nobody owns it."""
    note = home / "running"
    if not note.exists():
        return
    pid, port = (int(word) for word in note.read_text().split())
    # The server's title names its address: the pid may belong to something else by now.
    if re.search(rf"-server {re.escape(processes.LOOPBACK)}:{port}\b", processes.command_line(pid)):
        processes.end_foreign_process(pid, first=signal.SIGTERM, patience_seconds=2)
    note.unlink()


def _write_configuration(home: Path, *, port: int, password: str) -> Path:
    """Write the configuration; a file, because a command line would show the password to everyone."""
    file = home / "valkey.conf"
    file.touch(mode=0o600)
    file.write_text(
        f"bind {processes.LOOPBACK}\n"
        f"port {port}\n"
        f"requirepass {password}\n"
        f'dir "{home}"\n'
        'save ""\n'
        "appendonly no\n"
        "daemonize no\n"
    )
    return file


def _answers(child: processes.Child, url: str) -> bool:
    """Wait until the server answers; False once its process has ended or time is up."""
    deadline = time.monotonic() + START_SECONDS
    client = redis.Redis.from_url(url, socket_timeout=2)
    try:
        while time.monotonic() < deadline and child.poll() is None:
            try:
                if client.ping():
                    return True
            except redis.RedisError:
                time.sleep(0.02)
    finally:
        client.close()
    return False
