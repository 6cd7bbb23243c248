"""A Valkey of our own on loopback: nothing is kept, it ends with its parent."""

import os
import secrets
import signal
import time
from pathlib import Path

import redis

from devserver import folders, processes, programs
from devserver.errors import ServerDidNotStart

START_SECONDS = 15.0
STOP_SIGNALS = ((signal.SIGTERM, 1.5),)


class Valkey:
    """One running server; `url` reaches its first database."""

    def __init__(self, *, child: processes.Child, port: int, password: str) -> None:
        self.child = child
        self.port = port
        self.url = f"redis://:{password}@{processes.LOOPBACK}:{port}/0"

    def stop(self) -> None:
        """End the server; may be repeated."""
        processes.stop(self.child, signals=STOP_SIGNALS)


def start(claim: folders.Claim) -> Valkey:
    """Start an empty server for a claimed name.

    Raises:
        ServerNotInstalled: No program.
        ServerDidNotStart: It ended or did not answer in time.
    """
    program = programs.find_valkey()
    home, log = claim.folder / "valkey", claim.folder / "log" / "valkey.log"
    folders.make_passable(home)
    folders.make_passable(log.parent)
    for _ in range(3):
        port, password = processes.free_port(), secrets.token_urlsafe(24)
        configuration = _write_configuration(home, port=port, password=password)
        environment = {"PATH": os.environ.get("PATH", os.defpath)}
        command = processes.Command(argv=[str(program), str(configuration)], log=log, environment=environment)
        child = processes.spawn(command)
        server = Valkey(child=child, port=port, password=password)
        if _answers(server):
            return server
        server.stop()
    raise ServerDidNotStart(f"Valkey did not start. Its log is {log}; it ends with:\n{processes.last_lines(log)}")


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


def _answers(server: Valkey) -> bool:
    """Wait until the server answers; False once its process has ended or time is up."""
    deadline = time.monotonic() + START_SECONDS
    client = redis.Redis.from_url(server.url, socket_timeout=2)
    try:
        while time.monotonic() < deadline and server.child.poll() is None:
            try:
                if client.ping():
                    return True
            except redis.RedisError:
                time.sleep(0.02)
    finally:
        client.close()
    return False
