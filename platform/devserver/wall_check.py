"""Check of the wall between tenants on a freshly migrated database, by pgrls: its rules and its proofs."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from devserver import folders, parts, processes
from devserver.errors import DevserverError
from devserver.servers import start_servers

NAME: Final = "check"
SYSTEM_POLICY: Final = "rows_of_all"
FRESH: Final = (
    "drop schema public cascade",
    "create schema public authorization pg_database_owner",
    "grant usage on schema public to public",
)
CONFIG: Final = "pgrls.toml"
CHECKS: Final = (
    ("lint", "--fail-on", "info"),
    ("verify", "--mode", "anon", "--strict"),
    ("verify", "--mode", "cross-tenant", "--strict"),
    ("verify", "--mode", "write", "--strict"),
)
"""Commands of pgrls, one after the other."""


def main() -> int:
    """Migrate a database of our own, and have pgrls look at it; its exit code says whether something was found."""
    with start_servers(NAME, durable=False, side_by_side=True) as servers:
        logs = folders.CHECKOUT / ".data" / (servers.claim.name if servers.claim else NAME) / "log"
        environment = parts.environment(servers, processes.free_port())
        with psycopg.connect(servers.owner_url, autocommit=True) as connection:
            for statement in FRESH:
                connection.execute(statement)
        commands = (("migrate", "--no-input"), ("ensure_roles",))
        parts.run_commands(commands, environment=environment, logs=logs, say=lambda _line: None)
        _leave_the_application_alone(servers.owner_url)
        return max(_asked(check, servers.owner_url) for check in CHECKS)


def _leave_the_application_alone(url: str) -> None:
    """Drop the system's policies: they let all rows through by design, and pgrls judges a table's policies together.

    That they are exactly that, and for the system's role only, a test of the suite holds.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("select tablename from pg_policies where policyname = %s", [SYSTEM_POLICY])
        for (table,) in tables.fetchall():
            drop = sql.SQL("drop policy {} on {}")
            connection.execute(drop.format(sql.Identifier(SYSTEM_POLICY), sql.Identifier(table)))


def _asked(check: tuple[str, ...], url: str) -> int:
    pgrls = Path(sys.executable).with_name("pgrls")
    command = [str(pgrls), *check, "--config", CONFIG, "--database-url", url]
    return subprocess.run(command, cwd=folders.CHECKOUT, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DevserverError as error:
        sys.exit(str(error))
