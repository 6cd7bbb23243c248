"""Liveness of a host, as the transactions that need it check it."""

from uuid import UUID

from runs.engine.errors import HostLost
from runs.engine.store.connection import Database

# The key share lock makes the transaction and the sweep that deletes this host exclude each other.
STILL_ALIVE = "select from runs_worker where id = %s and lease_until > clock_timestamp() for key share"


def check_alive(connection: Database, worker_id: UUID) -> None:
    """Let a host go on, and keep others from declaring it dead until the open transaction ends.

    Raises:
        HostLost: Its lease is over.
    """
    if connection.execute(STILL_ALIVE, [worker_id]).fetchone() is None:
        raise HostLost
