"""The real stack on this machine: a durable Postgres, a broker, one web process, and one worker when asked for."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import redis
from psycopg import sql

from benchmarks.floor_harness import dsn, fresh_db, in_database
from devserver import folders, parts, processes
from devserver.servers import Servers, start_servers
from devserver.supervisor import Supervisor

DATABASE = "bench_stack"
CONCURRENT_RUNS = 5_000
"""The tenant's cap; the default of 500 would queue half of W3's runs."""
STOP_SIGNALS = ((signal.SIGTERM, 20.0),)
READY_SECONDS = 30.0


class NotDurable(Exception):
    """The database would not keep what it confirms: figures measured on it would mean nothing."""


@dataclass(frozen=True)
class Stack:
    """The parts of a running stack that a workload needs.

    Attributes:
        base_url: Where the API is.
        key: A key of the one tenant.
        web_pid: The web process.
        database: A connection of the database's owner, in autocommit mode, which sees all rows.
        environment: Of every process of ours.
        logs: Folder of the processes' logs.
    """

    base_url: str
    key: str
    web_pid: int
    database: "psycopg.Connection[tuple[object, ...]]"
    environment: dict[str, str]
    logs: Path

    def empty(self) -> None:
        """Forget all runs, journals and doorbells; no worker is to run meanwhile."""
        self.database.execute("truncate runs_run, audit_entry cascade")
        with redis.Redis.from_url(self.environment["REDIS_URL"]) as broker:
            broker.flushdb()

    def bind_web(self, core: int) -> None:
        """Have the web process run on one core, with the threads it has; later ones inherit it."""
        for thread in psutil.Process(self.web_pid).threads():
            os.sched_setaffinity(thread.id, {core})

    @contextmanager
    def worker(self) -> Iterator[psutil.Process]:
        """Run one worker; entered as soon as the process exists."""
        argv = [sys.executable, "-m", "celery", "-A", "llmteam", "worker", "--pool", "threads", "--concurrency", "2"]
        argv += ["--without-gossip", "--without-mingle", "--loglevel", "WARNING", "--hostname", "worker@bench"]
        child = processes.spawn(
            processes.Command(
                argv=argv,
                log=self.logs / "worker.log",
                environment={**parts.WORKER_ENVIRONMENT, **self.environment},
                folder=folders.CHECKOUT,
            )
        )
        try:
            yield psutil.Process(child.pid)
        finally:
            processes.stop(child, signals=STOP_SIGNALS)

    @contextmanager
    def idle_worker(self) -> Iterator[psutil.Process]:
        """Run one worker; entered when it can claim."""
        self.database.execute("delete from runs_worker where lease_until < clock_timestamp()")
        known = self._workers()
        with self.worker() as process:
            deadline = time.monotonic() + READY_SECONDS
            while self._workers() <= known:
                if time.monotonic() > deadline:
                    raise TimeoutError("the worker did not come up; see its log")
                time.sleep(0.1)
            time.sleep(1)  # the broker's part of it comes up last
            yield process

    def _workers(self) -> set[object]:
        return {row[0] for row in self.database.execute("select id from runs_worker").fetchall()}


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Start everything but the worker on an empty database; everything ends with the block.

    Raises:
        NotDurable: The server has fsync or synchronous_commit off.
    """
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    with start_servers("bench", side_by_side=True) as servers:
        os.environ.update(servers.owners_environment())
        fresh_db(DATABASE)
        with psycopg.connect(dsn(DATABASE), autocommit=True, prepare_threshold=1) as database:
            _check_durability(database)
            yield from _with_web(servers, database)


def _with_web(servers: Servers, database: "psycopg.Connection[tuple[object, ...]]") -> Iterator[Stack]:
    folder = folders.CHECKOUT / ".data" / (servers.claim.name if servers.claim else "bench")
    logs = folder / "log"
    port = processes.free_port()
    environment = {
        **parts.environment(servers, port),
        "DATABASE_URL": in_database(servers.database_url, DATABASE),
        "DATABASE_OWNER_URL": dsn(DATABASE),
        "EXTRA_APPS": "benchmarks.noop_steps.NoopStepsConfig",
        "EGRESS_ALLOW_HOSTS": f"{processes.LOOPBACK}:*",
        "EGRESS_ALLOW_CIDRS": f"{processes.LOOPBACK}/32",
        "REQUESTS_PER_MINUTE_PER_TENANT": "10000000",
        "CONCURRENT_RUNS_PER_TENANT": str(CONCURRENT_RUNS),
        "LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "llmteam.settings",
    }
    supervisor = Supervisor(folder=folders.CHECKOUT, logs=logs, environment=environment, say=_say_nothing)
    access_file = folder / "access.json"
    try:
        commands = parts.setup_commands(port, access_file=access_file)
        parts.run_commands(commands, environment=environment, logs=logs, say=_say_nothing)
        supervisor.start(parts.api(port))
        access = json.loads(access_file.read_text())
        yield Stack(access["base_url"], access["api_key"], supervisor.pid_of("api"), database, environment, logs)
    finally:
        supervisor.stop_all()


def _check_durability(database: "psycopg.Connection[tuple[object, ...]]") -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        row = database.execute(sql.SQL("show {}").format(sql.Identifier(name))).fetchone()
        if row is None or row[0] != "on":
            raise NotDurable(f"{name} is not on")


def _say_nothing(_line: str) -> None:
    """Standard output is for figures only."""
