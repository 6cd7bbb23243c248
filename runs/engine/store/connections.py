"""A tenant's connections in the database, secrets still sealed."""

from uuid import UUID

from runs.connections.facts import ConnectionFacts, TenantFacts
from runs.engine.store.connection import Database, transaction

CONNECTIONS = """
select id, tenant_id, ref, kind, provider, base_url, model, headers, auth, auth_name, username, token_url, client_id,
  scope, audience, resource, secret_in, tls_ca, tls_certificate, tls_key, secret, timeout_seconds, requests_per_minute,
  max_concurrency, allows_tools, options, is_active, updated_at
from tenants_connection where tenant_id = %s
"""
ALLOWED = "select egress_allow_hosts from tenants_tenant where id = %s"


def read_tenant_facts(connection: Database, tenant_id: UUID) -> TenantFacts:
    """Read where a tenant's steps may call."""
    with transaction(connection):
        rows = connection.execute(CONNECTIONS, [tenant_id]).fetchall()
        allowed = connection.execute(ALLOWED, [tenant_id]).fetchone()
    found = [ConnectionFacts(*row) for row in rows]
    return TenantFacts({one.ref: one for one in found}, tuple(allowed[0]) if allowed else ())
