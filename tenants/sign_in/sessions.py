"""Session of a sign-in: the person, the provider, the tenant, the end."""

import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest

from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.members.sessions import IDENTITY, TENANT, user_of_session
from tenants.models import Membership, User
from tenants.sign_in.backend import NAME
from tenants.sign_in.errors import ProviderFailed
from tenants.sign_in.metadata import directory
from tenants.sign_in.providers import SignInProvider, provider_by_key
from tenants.sign_in.services import SignedIn, account_of, members_for

PROVIDER: Final = "identity_provider"
_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")
SIGN_OUT_AT: Final = "sign_out_at"
"""Key of a session for the origin its person is sent to when they sign out."""


ID_TOKEN: Final = "id_token"  # noqa: S105 - a name
"""Key of a session for the ID token its person came with: providers want it back when they sign out."""
MAX_HINT_LENGTH: Final = 4_000
"""Of an ID token, in characters: it goes into an address, and servers refuse long ones."""


def begin_session(request: HttpRequest, provider: SignInProvider, signed_in: SignedIn, *, id_token: str) -> None:
    """Put a new session in the place of the one there is. It ends at a fixed time, whatever is asked meanwhile."""
    with unscoped("a person signs in before a tenant is chosen"):
        request.session.flush()
        login(request, signed_in.user, backend=NAME)
    request.session[PROVIDER] = provider.key
    request.session[IDENTITY] = str(signed_in.identity.id)
    request.session[ID_TOKEN] = id_token if len(id_token) <= MAX_HINT_LENGTH else ""
    request.session[SIGN_OUT_AT] = _origin(end_session_address(provider))
    request.session.set_expiry(utc_now() + timedelta(hours=settings.SIGN_IN_HOURS))
    if len(signed_in.members) == 1:
        request.session[TENANT] = str(signed_in.members[0].tenant_id)


def end_session_address(provider: SignInProvider) -> str | None:
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


def end_session(request: HttpRequest, *, back: str) -> str:
    """Sign the person out; answers where they are sent: to their provider, which sends them back, or straight back."""
    provider, id_token = provider_by_key(request.session.get(PROVIDER)), request.session.get(ID_TOKEN)
    with unscoped("a person may be signed out of no tenant"):
        logout(request)
    address = None if provider is None else end_session_address(provider)
    if provider is None or address is None:
        return back
    parameters = {"client_id": provider.client_id, "post_logout_redirect_uri": back}
    query = urlencode({**parameters, "id_token_hint": id_token} if id_token else parameters)
    return f"{address}{'&' if '?' in address else '?'}{query}"


def choices(request: HttpRequest) -> list[Membership]:
    """Read where the person of a session may go: through a tenant's own provider into this tenant only."""
    provider, user = provider_by_key(request.session.get(PROVIDER)), user_of_session(request)
    if provider is None or not isinstance(user, User):
        return []
    came_with = request.session.get(IDENTITY)  # absent in sessions begun before accounts could be unlinked
    with unscoped("a person has not chosen a tenant yet"):
        if came_with is not None and account_of(user=user, account_id=came_with) is None:
            return []  # the account they came with was unlinked meanwhile
    return members_for(user=user, provider=provider)


def choose(request: HttpRequest, member: Membership) -> None:
    """Go on in a tenant."""
    request.session[TENANT] = str(member.tenant_id)
