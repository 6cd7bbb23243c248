"""Changes of connections: save, delete."""

from dataclasses import asdict
from typing import Final

from audit.services import record
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.errors import ErrorItem
from kernel.types import Json
from tenants.connections.egress_policy import egress_policy_of
from tenants.connections.installed import provider_addresses
from tenants.connections.rules import REF, ConnectionSpec, moved_host, problems, secret_problems, tls_problems
from tenants.errors import ConnectionInvalid, ConnectionNotFound, ConnectionRefInvalid
from tenants.limits.room import check_room
from tenants.models import Connection, Tenant
from tenants.sealing import open_from, seal_into

KEEP: Final = object()
"""Stands for the secret that is there already."""


def save_connection(
    *, tenant: Tenant, actor: str, ref: str, spec: ConnectionSpec, secret: object = KEEP, tls_key: object = KEEP
) -> tuple[Connection, bool]:
    """Make a connection, or replace what one says. Steps use it within 5 s.

    Args:
        tenant: Owner.
        actor: For the audit.
        ref: Its name.
        spec: All it says; what is left out has its default.
        secret: Text replaces the secret, None clears it, ``KEEP`` leaves it.
        tls_key: The private key of the client certificate, likewise; without a certificate there is none.

    Returns:
        The connection, and whether it is new.

    Raises:
        ConnectionRefInvalid: The name cannot be one.
        ConnectionInvalid: All that is wrong with it.
        TooManyKept: It is new, and the tenant has as many as it may.
    """
    if REF.fullmatch(ref) is None:
        raise ConnectionRefInvalid
    found = list(problems(spec, policy=egress_policy_of(tenant), providers=provider_addresses()))
    found += secret_problems(secret, spec)
    if found:
        raise ConnectionInvalid(errors=found)
    with tenant_scope(tenant.id):
        # Of two who make one of the same name at once, the second changes what the first made.
        Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
        found_row = Connection.objects.select_for_update().filter(ref=ref).first()
        created, row = found_row is None, found_row or _new_connection(tenant, ref)
        before = None if created else _audit_facts(row)
        if secret is KEEP and (again := secret_needed_again(row, spec)) is not None:
            raise ConnectionInvalid(errors=[again])
        key = tls_key_to_keep(row, spec, tls_key)
        if wrong := list(tls_problems(spec, key, now=utc_now())):
            raise ConnectionInvalid(errors=wrong)
        for name, value in _columns(spec).items():
            setattr(row, name, value)
        if secret is not KEEP:
            seal_into(row, "secret", str(secret or ""))
            row.secret_set_at = utc_now() if secret else None
        if tls_key is not KEEP or not key:
            seal_into(row, "tls_key", key)
        row.updated_at = utc_now()
        row.save()
        changes = {"secret": secret, "tls_key": tls_key}
        changed = {name: "changed" if one else "cleared" for name, one in changes.items() if one is not KEEP}
        action = "connection.created" if created else "connection.changed"
        record(action, row, actor=actor, before=before, after={**_audit_facts(row), **changed})
    return row, created


def _new_connection(tenant: Tenant, ref: str) -> Connection:
    check_room("connections", Connection.objects.count())
    return Connection(tenant=tenant, ref=ref)


def delete_connection(*, tenant: Tenant, actor: str, ref: str) -> None:
    """Remove a connection and its secret for good. Steps that use it fail within 5 s.

    Raises:
        ConnectionNotFound: The tenant has none of this name.
    """
    with tenant_scope(tenant.id):
        row = Connection.objects.select_for_update().filter(ref=ref).first()
        if row is None:
            raise ConnectionNotFound
        record("connection.deleted", row, actor=actor, before=_audit_facts(row))
        row.delete()


def _columns(spec: ConnectionSpec) -> dict[str, object]:
    return {**asdict(spec), "auth": spec.shown_auth, "headers": dict(spec.headers), "options": dict(spec.options)}


def _spec_of(row: Connection) -> ConnectionSpec:
    return ConnectionSpec(**{name: getattr(row, name) for name in ConnectionSpec.__dataclass_fields__})


def _audit_facts(row: Connection) -> dict[str, Json]:
    """Return what the audit keeps of a connection: all but its secret."""
    return {name: getattr(row, name) for name in ConnectionSpec.__dataclass_fields__}


def tls_key_to_keep(row: Connection, spec: ConnectionSpec, tls_key: object) -> str:
    """Give the private key that a connection is to have: a new one, or the one it has if it keeps a certificate."""
    if tls_key is not KEEP:
        return str(tls_key or "")
    return open_from(row, "tls_key") if spec.tls_certificate else ""


def secret_needed_again(row: Connection, spec: ConnectionSpec) -> ErrorItem | None:
    """Say why the secret that is kept may not stay, if it would be shown to another host."""
    if not row.has_secret or not moved_host(_spec_of(row), spec):
        return None
    return ErrorItem(
        code="SECRET_NEEDED_AGAIN",
        detail="The connection now leads to another host: send its secret again, so that it is not sent to a stranger.",
        pointer="/secret",
        hint="Send `secret` with this change; null if none is needed there.",
    )
