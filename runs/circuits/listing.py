"""Open circuits in Redis: listed, and closed by hand."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID

import redis
from django.conf import settings

from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.types import Json
from runs.circuits.shared import PREFIX, open_circuits
from runs.errors import CircuitNotFound, CircuitsUnknown
from tenants.models import Tenant

PATIENCE_SECONDS: Final = 1.0
_ID_CHARACTERS: Final = 16
CIRCUIT_ID: Final = f"[0-9a-f]{{{_ID_CHARACTERS}}}"


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """Open circuit.

    Attributes:
        circuit_id: Its name among those of its tenant.
        tenant_id: Whose calls.
        connection: The connection, if the calls are one's.
        host: ``host:port``.
        model: The language model, if it is one's.
        last_failure: Code and status of the last call that failed.
        opened_at: When it opened last.
        next_probe: When one call may find out whether all is well again.
        trips: How often in a row it has opened.
    """

    circuit_id: str
    tenant_id: UUID
    connection: str | None
    host: str
    model: str | None
    last_failure: str | None
    opened_at: datetime
    next_probe: datetime
    trips: int


def list_circuits(tenant: Tenant | None = None) -> list[OpenCircuit]:
    """Give the open circuits of a tenant, of all without one; the latest first, at most a thousand.

    Raises:
        CircuitsUnknown: Redis does not answer.
    """
    with _redis() as client:
        names = _names(client, "" if tenant is None else str(tenant.id))
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        found = [_read(name, kept) for name, kept in zip(names, pipe.execute(), strict=True)]
    circuits = [circuit for circuit in found if circuit is not None]
    return sorted(circuits, key=lambda circuit: circuit.opened_at, reverse=True)


def reset_circuit(*, tenant: Tenant, actor: str, circuit_id: str) -> None:
    """Close a circuit: calls go again, and the host has to prove itself. Runs that wait go on at their time.

    Raises:
        CircuitNotFound: The tenant has no open circuit of this name.
        CircuitsUnknown: Redis does not answer.
    """
    known = {circuit.circuit_id: circuit for circuit in list_circuits(tenant)}
    if circuit_id not in known:
        raise CircuitNotFound
    with _redis() as client:
        for name in _names(client, str(tenant.id)):
            if _id_of(name) == circuit_id:
                client.delete(name)
                client.zrem(open_circuits(str(tenant.id)), name)
                client.zrem(open_circuits(), name)
    before = {name: str(value) for name, value in asdict(known[circuit_id]).items() if value is not None}
    with tenant_scope(tenant.id):
        circuit = AuditObject("circuit", circuit_id, tenant.id)
        record("circuit.reset", circuit, actor=actor, before=cast("Json", before))


@contextmanager
def _redis() -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
    )
    try:
        yield client
    except (redis.RedisError, OSError) as error:
        raise CircuitsUnknown from error
    finally:
        client.close()


def _names(client: "redis.Redis", tenant: str) -> list[str]:
    found = cast("list[bytes]", client.zrange(open_circuits(tenant), 0, -1))
    return [name.decode() for name in found]


def _read(name: str, kept: dict[bytes, bytes]) -> OpenCircuit | None:
    """Read a breaker's state; None of one that has closed."""
    fields = {key.decode(): value.decode() for key, value in kept.items()}
    if not int(fields.get("trips", 0)):
        return None
    about: dict[str, Any] = json.loads(fields.get("about") or "{}")
    return OpenCircuit(
        circuit_id=_id_of(name),
        tenant_id=UUID(name.removeprefix(PREFIX).partition(":")[0]),
        connection=about.get("connection"),
        host=str(about.get("host", "")),
        model=about.get("model"),
        last_failure=fields.get("why") or None,
        opened_at=_time(fields.get("opened_at")),
        next_probe=max(_time(fields.get("open_until")), utc_now()),
        trips=int(fields["trips"]),
    )


def _id_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_ID_CHARACTERS]


def _time(milliseconds: str | None) -> datetime:
    return datetime.fromtimestamp(int(milliseconds or 0) / 1000, UTC)
