"""The whole platform on this machine, each part of it breakable: servers, web, scheduler, two workers."""

import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

import psycopg
import redis
from psycopg import sql

from benchmarks.chaos.programs import Program, worker_argv
from benchmarks.floor_harness import dsn, fresh_db, in_database
from devserver import folders, parts, postgres, processes, valkey
from devserver.servers import Servers, start_servers

DATABASE = "chaos"
WORKERS = ("chaos_worker_1", "chaos_worker_2")
EVER = datetime(2000, 1, 1, tzinfo=UTC)
READY_SECONDS = 60.0
AGAIN_SECONDS = 0.2
SHORT_LEASE = {"WORKER_LEASE_SECONDS": "2", "WORKER_HEARTBEAT_SECONDS": "0.5"}
DEFAULT_LEASE = {"WORKER_LEASE_SECONDS": "15", "WORKER_HEARTBEAT_SECONDS": "5"}

# Who wrote which part of which journal: each worker has a login of its own, which a role it takes on does not hide.
WITNESS: LiteralString = """
create table chaos_write (
  at timestamptz not null default clock_timestamp(), login text not null, run_id uuid not null, epoch int not null,
  first_seq int not null, last_seq int not null, owner uuid, owner_name text
);
create function chaos_note() returns trigger language plpgsql security definer as $$
begin
  insert into chaos_write (login, run_id, epoch, first_seq, last_seq, owner, owner_name)
  select session_user, added.run_id, r.epoch, added.first_seq, added.last_seq, r.owner, w.name
  from (select run_id, min(seq) as first_seq, max(seq) as last_seq from written group by run_id) added
  join runs_run r on r.id = added.run_id
  left join runs_worker w on w.id = r.owner;
  return null;
end $$;
create trigger chaos_note after insert on runs_runevent
referencing new table as written for each statement execute function chaos_note();
"""
OWNED = "select r.id from runs_run r join runs_worker w on w.id = r.owner where w.name = %s"
ALIVE = "select id from runs_worker where name = %s and lease_until > clock_timestamp() and started_at >= %s"
NOW = "select clock_timestamp()"

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class SecondWeb:
    """A web process beside the first."""

    url: str
    port: int
    program: Program

    def wait(self) -> None:
        """Return when it listens.

        Raises:
            TimeoutError: It does not.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not processes.listens(self.port):
            if time.monotonic() > deadline:
                raise TimeoutError("the second web process did not come up")
            time.sleep(AGAIN_SECONDS)


class Stack:
    """The processes an experiment breaks and asks. All methods are for the thread that outlives the processes.

    Attributes:
        environment: Of every process of ours.
    """

    def __init__(self, servers: Servers, *, folder: Path, upstream_address: str) -> None:
        self._servers = servers
        self._port = processes.free_port()
        self._folder = folder
        self.logs = folder / "log"
        self.key = ""
        self.second_key = ""
        self.base_url = parts.base_url(self._port)
        self.environment = {
            **parts.environment(servers, self._port),
            "REQUESTS_PER_MINUTE_PER_TENANT": "10000000",
            **SHORT_LEASE,
            "WORKER_GRACE_SECONDS": "10",
            "DATABASE_URL": in_database(servers.database_url, DATABASE),
            "DATABASE_OWNER_URL": dsn(DATABASE),
            "DJANGO_SETTINGS_MODULE": "llmteam.settings",
            "EXTRA_APPS": "benchmarks.chaos.block_step.BlockStepConfig,benchmarks.noop_steps.NoopStepsConfig",
            "EGRESS_ALLOW_HOSTS": upstream_address,
            "EGRESS_ALLOW_CIDRS": f"{processes.LOOPBACK}/32",
        }
        self._passwords = {name: secrets.token_urlsafe(12) for name in WORKERS}
        self._database: psycopg.Connection[tuple[Any, ...]] | None = None
        self.web = self._program("web", parts.api(self._port).argv)
        self.beat = self._program("beat", parts.beat(folder).argv)
        self.workers = [
            self._program(name, worker_argv(name), [*self._login(name), *parts.WORKER_ENVIRONMENT.items()])
            for name in WORKERS
        ]

    @property
    def redis_url(self) -> str:
        """The address of the broker."""
        return self._servers.redis_url

    @property
    def postgres(self) -> postgres.Postgres:
        """The database server."""
        return next(server for server in self._servers.running if isinstance(server, postgres.Postgres))

    @property
    def valkey(self) -> valkey.Valkey:
        """The broker."""
        return next(server for server in self._servers.running if isinstance(server, valkey.Valkey))

    def prepare(self) -> None:
        """Make tables, roles and tenants, and start every process."""
        for name, password in self._passwords.items():
            self._make_login(name, password)
        access = self._folder / "access.json"
        commands = parts.setup_commands(self._port, access_file=access)
        commands += tuple(("ensure_roles", "--login", name) for name in WORKERS)
        parts.run_commands(commands, environment=self.environment, logs=self.logs, say=lambda _line: None)
        keys = json.loads(access.read_text())
        self.key, self.second_key = keys["api_key"], keys["second_api_key"]
        self.ask(WITNESS)
        self.web.start()
        self.beat.start()
        self.start_workers(SHORT_LEASE)
        self.wait_for_web()

    def start_workers(self, lease: Mapping[str, str]) -> None:
        """Have both workers run with these leases; returns when they can claim."""
        for worker in self.workers:
            worker.stop()
            worker.environment = {**worker.environment, **lease}
        since = self.now()
        for worker in self.workers:
            worker.start()
        self.wait_for_workers(since=since)

    def wait_for_workers(self, *, since: datetime = EVER) -> None:
        """Return when every worker has a lease, of a process that started after ``since``.

        Raises:
            TimeoutError: One does not come up.
        """
        for worker in self.workers:
            self.wait_for_worker(worker, since=since)

    def wait_for_worker(self, worker: Program, *, since: datetime = EVER) -> None:
        """Return when the present process of a worker has a lease; as ``wait_for_workers``."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.ask(ALIVE, [f"{worker.name}@chaos", max(since, worker.started_at)]):
            self.revive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{worker.name} did not come up. {processes.log_report(self.log_of(worker))}")
            time.sleep(AGAIN_SECONDS)

    def wait_for_web(self) -> None:
        """Return when the web process listens.

        Raises:
            TimeoutError: It does not.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not processes.listens(self._port):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the web process did not come up. {processes.log_report(self.log_of(self.web))}")
            time.sleep(AGAIN_SECONDS)

    @contextmanager
    def second_web(self) -> Iterator["SecondWeb"]:
        """Have another web process for as long as the block lasts."""
        port = processes.free_port()
        second = SecondWeb(parts.base_url(port), port, self._program("web_2", parts.api(port).argv))
        second.program.start()
        try:
            second.wait()
            yield second
        finally:
            second.program.stop()

    def log_of(self, program: Program) -> Path:
        """Return the log of a program."""
        return self.logs / f"{program.name}.log"

    def revive(self) -> int:
        """Start whatever has ended again; return how many ended by themselves."""
        ended = [program for program in (self.web, self.beat, *self.workers) if program.ended_with is not None]
        for program in ended:
            program.start()
        return len(ended)

    def ask(self, statement: LiteralString | sql.Composed, parameters: Sequence[Any] = ()) -> Rows:
        """Ask the database as its owner, again until it answers; statements are to be safe to repeat.

        Raises:
            psycopg.OperationalError: It has not answered for a minute.
        """
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                if self._database is None or self._database.closed:
                    self._database = psycopg.connect(dsn(DATABASE), autocommit=True, connect_timeout=2)
                cursor = self._database.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_SECONDS)

    def now(self) -> datetime:
        """Return the database's time."""
        found: datetime = self.ask(NOW)[0][0]
        return found

    def owned_by(self, worker: Program) -> set[UUID]:
        """Return the runs a worker owns now."""
        return {run_id for (run_id,) in self.ask(OWNED, [f"{worker.name}@chaos"])}

    def broker(self) -> "redis.Redis":
        """Open a client of the broker; the caller closes it."""
        return redis.Redis.from_url(self.redis_url, socket_timeout=5)

    def stop(self) -> None:
        """End every process of ours."""
        if self._database is not None:
            self._database.close()
        for program in (*self.workers, self.beat, self.web):
            with suppress(ProcessLookupError):
                program.stop()

    def _program(self, name: str, argv: Sequence[str], more: Iterable[tuple[str, str]] = ()) -> Program:
        return Program(name, argv, {**self.environment, **dict(more)}, self.logs)

    def _login(self, name: str) -> list[tuple[str, str]]:
        address = urlsplit(dsn(DATABASE))
        netloc = f"{name}:{quote(self._passwords[name])}@{address.hostname}:{address.port}"
        return [("DATABASE_URL", urlunsplit(address._replace(netloc=netloc)))]

    def _make_login(self, name: str, password: str) -> None:
        role = sql.Identifier(name)
        if not self.ask("select 1 from pg_roles where rolname = %s", [name]):
            self.ask(sql.SQL("create role {} login noinherit").format(role))
        self.ask(sql.SQL("alter role {} password {}").format(role, sql.Literal(password)))


@contextmanager
def running_stack(upstream_url: str) -> Iterator[Stack]:
    """Start everything on an empty, durable database; everything ends with the block."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    with start_servers("chaos", side_by_side=True) as servers:
        os.environ.update(servers.owners_environment())
        fresh_db(DATABASE)
        name = servers.claim.name if servers.claim else "chaos"
        stack = Stack(servers, folder=folders.CHECKOUT / ".data" / name, upstream_address=urlsplit(upstream_url).netloc)
        try:
            stack.prepare()
            yield stack
        finally:
            stack.stop()
