"""What a session keeps of a sign-in: whom, through which provider, for which tenant, until when."""

import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user, login, logout
from django.http import HttpRequest

from kernel.clock import utc_now
from tenants.context import unscoped
from tenants.members.sessions import TENANT
from tenants.models import Membership, User
from tenants.sign_in.backend import NAME
from tenants.sign_in.errors import ProviderFailed
from tenants.sign_in.metadata import directory
from tenants.sign_in.providers import Provider, provider_by_key
from tenants.sign_in.services import SignedIn, members_for

PROVIDER: Final = "identity_provider"
_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")
SIGN_OUT_AT: Final = "sign_out_at"
"""Where a session keeps the origin its person is sent to when they sign out."""


def begin_session(request: HttpRequest, provider: Provider, signed_in: SignedIn) -> None:
    """Put a new session in the place of the one there is. It ends at a fixed time, whatever is asked meanwhile."""
    with unscoped("a person signs in before a tenant is chosen"):
        request.session.flush()
        login(request, signed_in.user, backend=NAME)
    request.session[PROVIDER] = provider.key
    request.session[SIGN_OUT_AT] = _origin(end_session_address(provider))
    request.session.set_expiry(utc_now() + timedelta(hours=settings.SIGN_IN_HOURS))
    if len(signed_in.members) == 1:
        request.session[TENANT] = str(signed_in.members[0].tenant_id)


def end_session_address(provider: Provider) -> str | None:
    """Tell where a provider ends its own session; None where it cannot be asked to."""
    try:
        return directory.metadata(provider).end_session_endpoint
    except ProviderFailed:
        return None


def form_targets(request: HttpRequest) -> str:
    """Write where forms of a signed-in person's pages lead: back here, and signing out to their provider."""
    return f"'self' {request.session.get(SIGN_OUT_AT, '')}".rstrip()


def _origin(address: str | None) -> str:
    """Write an address's origin; empty where it has none that a policy could name: a provider wrote it."""
    url = urlsplit(address or "")
    return f"{url.scheme}://{url.netloc}" if _PLAIN_HOST.fullmatch(url.netloc) else ""


def end_session(request: HttpRequest) -> Provider | None:
    """Sign the person out; answers through which provider they had come."""
    provider = provider_by_key(request.session.get(PROVIDER))
    with unscoped("a person may be signed out of no tenant"):
        logout(request)
    return provider


def choices(request: HttpRequest) -> list[Membership]:
    """Read where the person of a session may go: through a tenant's own provider into this tenant only."""
    provider, user = provider_by_key(request.session.get(PROVIDER)), get_user(request)
    if provider is None or not isinstance(user, User):
        return []
    return members_for(user=user, provider=provider)


def choose(request: HttpRequest, member: Membership) -> None:
    """Go on in a tenant."""
    request.session[TENANT] = str(member.tenant_id)
