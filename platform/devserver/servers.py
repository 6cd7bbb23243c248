"""The one entry to the embedded servers: start them, share them, or use those the environment names."""

import atexit
import os
import time
from pathlib import Path
from typing import Self

from devserver import folders, postgres, valkey
from devserver.errors import NameInUse

SHARE_SECONDS = 60.0
Server = postgres.Postgres | valkey.Valkey


class Servers:
    """A database and a broker: ours, somebody else's, or one of each.

    Attributes:
        database_url: Reaches the database as our processes do.
        owner_url: Reaches it as the login that owns the tables; the same where only one login is given.
        redis_url: Reaches the broker.
    """

    def __init__(
        self,
        *,
        database_url: str,
        redis_url: str,
        owner_url: str = "",
        claim: folders.FolderClaim | None = None,
        running: tuple[Server, ...] = (),
    ) -> None:
        self.database_url = database_url
        self.owner_url = owner_url or database_url
        self.redis_url = redis_url
        self.claim = claim
        self.running = running

    def environment(self) -> dict[str, str]:
        """Return the variables a child process needs; `DATABASE_OWNER_URL` is for the commands that make tables."""
        return {"DATABASE_URL": self.database_url, "DATABASE_OWNER_URL": self.owner_url, "REDIS_URL": self.redis_url}

    def owners_environment(self) -> dict[str, str]:
        """Return the variables of a program that works as the owner, such as one that makes databases."""
        return {"DATABASE_URL": self.owner_url, "REDIS_URL": self.redis_url}

    def dead(self) -> list[Server]:
        """Return the servers of ours whose process has ended."""
        return [server for server in self.running if not server.alive()]

    def stop(self) -> None:
        """End what this object started and give the name back; may be repeated."""
        for server in reversed(self.running):
            server.stop()
        self.running = ()
        if self.claim:
            self.claim.release()
            self.claim = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_servers(
    name: str, *, durable: bool = True, side_by_side: bool = False, checkout: Path = folders.CHECKOUT
) -> Servers:
    """Start the servers of a name, each only where the environment does not name one.

    `DATABASE_URL` (beside it `DATABASE_OWNER_URL`) and `REDIS_URL` win one by one. The servers end with `stop()`, or
    when the calling thread ends, even by SIGKILL; call from the main thread. Data of the database stay from one start
    to the next.

    Args:
        name: Whose servers: the data lie in `.data/<name>`.
        durable: False switches fsync off; for tests only.
        side_by_side: Where the name is taken, take `name-2`, `name-3`, ... with data of their own.
        checkout: The checkout the data belong to.

    Raises:
        NameInUse: Another process holds the servers of this name.
        ServerNotInstalled: A server is needed and there is no program for it.
        ServerDidNotStart: A server ended or did not answer in time.
        FolderNotTrusted: See `folders.open_folder`.
    """
    database_url, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    owner_url = os.environ.get("DATABASE_OWNER_URL", "") if database_url else ""
    if database_url and redis_url:
        return Servers(database_url=database_url, redis_url=redis_url, owner_url=owner_url)
    if side_by_side:
        claim = folders.claim_free_name(checkout=checkout, name=name)
    else:
        claim = folders.FolderClaim(checkout=checkout, name=name)
        claim.take()
    servers = Servers(database_url=database_url, redis_url=redis_url, owner_url=owner_url, claim=claim)
    try:
        if not redis_url:
            broker = valkey.start(claim)
            servers.redis_url, servers.running = broker.url, (broker,)
        if not database_url:
            database = postgres.start(claim, checkout=checkout, durable=durable)
            servers.database_url, servers.owner_url = database.login_url, database.url
            servers.running = (*servers.running, database)
    except BaseException:
        servers.stop()
        raise
    claim.publish({"pid": str(os.getpid()), **servers.environment()})
    return servers


def ensure(name: str, *, durable: bool = True, checkout: Path = folders.CHECKOUT) -> None:
    """Make sure that `DATABASE_URL` and `REDIS_URL` are set and answer, until this process ends.

    Uses, in this order: what the environment names, the servers of this name that another process runs now, servers
    of its own, which end with this process. May be repeated.

    Raises:
        NameInUse: Another process has been starting or stopping the servers for a minute.
        ServerNotInstalled: As for `start_servers`.
        ServerDidNotStart: As for `start_servers`.
        FolderNotTrusted: As for `start_servers`.
    """
    deadline = time.monotonic() + SHARE_SECONDS
    while True:
        try:
            servers = start_servers(name, durable=durable, checkout=checkout)
        except NameInUse:
            shared = folders.FolderClaim(checkout=checkout, name=name).published()
            if "DATABASE_URL" in shared:
                servers = Servers(
                    database_url=shared["DATABASE_URL"],
                    redis_url=shared["REDIS_URL"],
                    owner_url=shared["DATABASE_OWNER_URL"],
                )
            elif time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            else:
                raise
        break
    os.environ.update(servers.environment())
    atexit.register(servers.stop)
