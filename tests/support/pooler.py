"""A real PgBouncer in transaction mode before the test's database."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import connection

from devserver.processes import free_port
from tests.support.process_ends import eventually
from tests.support.processes.login import LOGIN, PASSWORD, address_of_the_database

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MISSING = "PgBouncer is not on PATH (Debian has it): nothing shows here that the platform works behind a pooler"
CONFIG = """
[databases]
{name} = host={host} port={port} user={user} password='{password}' dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 300
default_pool_size = {pool_size}
logfile = {folder}/pgbouncer.log
admin_users = {user}
stats_users = {user}
"""


class Pooler:
    """Where it is, and what it says of itself."""

    def __init__(self, address: str, folder: Path, port: int) -> None:
        self.address = address
        self._folder = folder
        self.port = port

    @property
    def log(self) -> str:
        return (self._folder / "pgbouncer.log").read_text(errors="replace")

    def transactions(self) -> int:
        """How many transactions went through it."""
        told = connection.settings_dict
        where = f"host=127.0.0.1 port={self.port} dbname=pgbouncer user={LOGIN}"
        with psycopg.connect(where, autocommit=True) as console:
            cursor = psycopg.ClientCursor(console).execute("show stats_totals")
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return sum(int(row["xact_count"]) for row in rows if row["database"] == told["NAME"])


@contextmanager
def running_pooler(*, pool_size: int = 12) -> Iterator[Pooler]:
    """A pooler that answers; ended with the block. It is started as nobody where the tests are root's."""
    assert PROGRAM is not None
    told, port = connection.settings_dict, free_port()
    folder = Path(tempfile.mkdtemp(prefix="llmteam-pooler-"))
    folder.chmod(0o777)
    config = folder / "pgbouncer.ini"
    config.write_text(
        CONFIG.format(
            name=told["NAME"],
            host=told["HOST"],
            port=told["PORT"],
            user=LOGIN,
            password=PASSWORD,
            listen_port=port,
            pool_size=pool_size,
            folder=folder,
        )
    )
    config.chmod(0o644)
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([PROGRAM, *as_nobody, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"postgresql://{LOGIN}:any@127.0.0.1:{port}/{told['NAME']}"

    def answers() -> bool:
        try:
            psycopg.connect(address, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    pooler = Pooler(address, folder, port)
    try:
        assert eventually(answers, seconds=10), f"the pooler did not come up: {process.poll()}"
        yield pooler
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def direct_address() -> str:
    """The address of the test's database itself."""
    return address_of_the_database()
