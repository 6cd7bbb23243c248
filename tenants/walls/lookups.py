"""Look-ups that precede the tenant: whose a key, a member or a provider is. Each sees all tenants and tells little."""

from collections.abc import Iterable
from typing import Any, LiteralString
from uuid import UUID

from django.db import connection

from foundation.scope import before_tenant


def ask(question: LiteralString, *wanted: Any) -> list[tuple[Any, ...]]:
    """Ask a function that was made by ``tenants.walls.policies.lookup``, as the application's role without a tenant."""
    with before_tenant(), connection.cursor() as cursor:
        cursor.execute(question, wanted)
        answers: list[tuple[Any, ...]] = cursor.fetchall()
    return answers


def ask_for_tenant(question: LiteralString, *wanted: Any) -> UUID | None:
    """Ask a function whose answer is one tenant's id, or none."""
    ((tenant_id,),) = ask(question, *wanted)
    found: UUID | None = tenant_id
    return found


def tenant_of_api_key(public_id: str) -> UUID | None:
    """Find whose key has this public id."""
    return ask_for_tenant("select public.tenant_of_api_key(%s)", public_id)


def tenant_of_member(member_id: UUID) -> UUID | None:
    """Find whose member has this id."""
    return ask_for_tenant("select public.tenant_of_member(%s)", member_id)


def tenant_of_provider(provider_id: UUID) -> UUID | None:
    """Find whose identity provider has this id."""
    return ask_for_tenant("select public.tenant_of_provider(%s)", provider_id)


def tenants_called(slug: str) -> dict[str, UUID]:
    """Find the tenants whose short name is this in whichever case, by the name as it is written."""
    return dict(ask("select slug, id from public.tenants_called(%s)", slug))


def allowed_origins() -> frozenset[str]:
    """Read all origins that any active tenant lists."""
    return frozenset(origin for (origin,) in ask("select origin from public.allowed_origins()"))


def roles_of_members(member_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Read the roles of members; absent is one that is not active any more, or whose tenant is not."""
    return dict(ask("select id, role from public.active_members(%s)", list(member_ids)))
