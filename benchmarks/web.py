"""One web process and one Valkey of a benchmark's own, to look into and to stop."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psutil

from benchmarks.caller import Caller
from benchmarks.stack import Stack
from devserver import folders, processes
from devserver.supervisor import SupervisedPart, Supervisor, listening
from devserver.valkey import Valkey


@dataclass(frozen=True)
class Web:
    """A web process, and what can be done to it.

    Attributes:
        stack: The stack, with this web process and this Valkey in the place of its own.
        valkey: The broker.
        process: The web process.
    """

    stack: Stack
    valkey: Valkey
    process: psutil.Process

    async def counts(self) -> dict[str, Any]:
        """Tasks, threads, and connections: of callers (but this call's own), to the database, to Valkey."""
        async with Caller(self.stack.base_url, self.stack.key) as caller:
            _, body = await caller.call("GET", "/_count")
        port = int(self.stack.base_url.rsplit(":", 1)[1])
        own = [found for found in self.process.net_connections() if found.status == psutil.CONN_ESTABLISHED]
        return {
            **json.loads(body),
            "callers": sum(found.laddr.port == port for found in own),
            "database": self.database_connections(),
            "valkey": sum(bool(found.raddr) and found.raddr.port == self.valkey.port for found in own),
        }

    def database_connections(self) -> int:
        """Count the connections to the database that the web process has."""
        ports = [found.laddr.port for found in self.process.net_connections() if found.raddr]
        query = "select count(*) from pg_stat_activity where client_port = any(%s)"
        row = self.stack.database.execute(query, [ports]).fetchone()
        return int(str(row[0])) if row else 0


@contextmanager
def running_web(stack: Stack) -> Iterator[Web]:
    """Start both; they end with the block."""
    home = stack.logs.parent / "valkey-of-streams"
    folders.make_passable(home)
    valkey = Valkey(home=home, log=stack.logs / "valkey-of-streams.log", port=processes.free_port())
    if not valkey.launch():
        raise RuntimeError("Valkey did not start; see its log")
    environment = {**stack.environment, "REDIS_URL": valkey.url}
    supervisor = Supervisor(folder=folders.CHECKOUT, logs=stack.logs, environment=environment, say=_say_nothing)
    port = processes.free_port()
    argv = [sys.executable, "-m", "llmteam.web", "-b", "127.0.0.1", "-p", str(port), "-v", "0"]
    part = SupervisedPart(name="web", argv=[*argv, "benchmarks.counting_asgi:application"], ready=listening(port))
    try:
        supervisor.start(part)
        pid = supervisor.pid_of("web")
        own = replace(stack, base_url=f"http://127.0.0.1:{port}", web_pid=pid, environment=environment)
        yield Web(own, valkey, psutil.Process(pid))
    finally:
        supervisor.stop_all()
        valkey.stop()


def _say_nothing(_line: str) -> None:
    """Standard output is for figures only."""
