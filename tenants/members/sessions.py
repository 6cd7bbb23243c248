"""The member and tenant of a session."""

from typing import Final
from uuid import UUID

from django.contrib.auth import SESSION_KEY, get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from foundation.scope import unscoped
from kernel.admission import learn_tenant
from kernel.ids import parse_id
from tenants.members.selectors import current_member
from tenants.models import Membership, User

TENANT: Final = "tenant_id"
"""Key of a session for the tenant its person has chosen."""

IDENTITY: Final = "identity_id"
"""Key of a session for the account its person came with: unlinked, it opens nothing any more."""


def user_of_session(request: HttpRequest) -> User | AnonymousUser:
    """Find the person a request's session stands for, of whichever tenants; nobody where it stands for none."""
    if SESSION_KEY not in request.session:
        return AnonymousUser()
    with unscoped("a person is signed in before a tenant is chosen"):
        user = get_user(request)
    return user if isinstance(user, User) else AnonymousUser()


def member_of_session(request: HttpRequest) -> Membership | None:
    """Find the active membership a request's session stands for; None when it stands for none, or none any more."""
    member = _find_member(request)
    learn_tenant(None if member is None else member.tenant_id)
    return member


def _find_member(request: HttpRequest) -> Membership | None:
    user = user_of_session(request)
    tenant_id = parse_id(str(request.session.get(TENANT, "")))
    if not isinstance(user, User) or tenant_id is None:
        return None
    came_with = request.session.get(IDENTITY)
    return current_member(user=user, tenant_id=tenant_id, came_with=None if came_with is None else UUID(came_with))
