"""Operators' way into the console by the installation's provider, with the second factor it vouches for."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, login
from django.http import HttpRequest

from audit.services import record
from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.members.sessions import IDENTITY, user_of_session
from tenants.models import Identity, User
from tenants.sign_in.backend import NAME
from tenants.sign_in.claims import Claims, readable_email
from tenants.sign_in.errors import NotOperator, SecondFactorMissing
from tenants.sign_in.providers import SignInProvider, installation_provider
from tenants.sign_in.services import SignedIn, account_of

PASSWORD, OIDC = "password", "oidc"
"""Values of ``OPERATOR_SIGN_IN`` beside ``either``."""
OPERATOR: Final = "operator"
"""Key of a session that was begun to use the console."""
PASSWORD_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"  # noqa: S105 - a name


def operators_provider() -> SignInProvider | None:
    """Give the provider operators sign in with; None where they may not."""
    return None if settings.OPERATOR_SIGN_IN == PASSWORD else installation_provider()


def sign_in_operator(*, provider: SignInProvider, claims: Claims) -> SignedIn:
    """Find the operator whose account it is. Nobody becomes one this way, and an e-mail is nobody's.

    Raises:
        SecondFactorMissing: The ID token does not say that what the settings demand was shown.
        NotOperator: The account is no operator's.
    """
    if not has_second_factor(claims, acr=settings.OPERATOR_ACR, amr=settings.OPERATOR_AMR):
        raise SecondFactorMissing
    with unscoped("operators belong to no tenant"):
        found = Identity.objects.select_related("user").filter(issuer=provider.issuer, subject=claims["sub"]).first()
        if found is None or not (found.user.is_active and found.user.is_staff):
            raise NotOperator(readable_email(claims))
        found.last_used_at = utc_now()
        found.save(update_fields=["last_used_at"])
        after = {"identity_provider": provider.key, "acr": claims.get("acr"), "amr": claims.get("amr")}
        record("operator.signed_in", found.user, actor=f"user:{found.user.pk}", after=after)
    return SignedIn(found.user, [], found)


def has_second_factor(claims: Claims, *, acr: list[str], amr: list[str]) -> bool:
    """Whether a token says what is demanded: one of the classes (``acr``), and one of the methods (``amr``).

    An empty list demands nothing.
    """
    shown = claims.get("amr")
    methods = shown if isinstance(shown, list) else [shown]
    return (not acr or claims.get("acr") in acr) and (not amr or any(method in amr for method in methods))


def begin_operator_session(request: HttpRequest, signed_in: SignedIn) -> None:
    """Put a session for the console in the place of the one there is; it ends at a fixed time."""
    with unscoped("operators belong to no tenant"):
        request.session.flush()
        login(request, signed_in.user, backend=NAME)
    request.session[IDENTITY] = str(signed_in.identity.id)
    request.session[OPERATOR] = True
    request.session.set_expiry(utc_now() + timedelta(hours=settings.SIGN_IN_HOURS))


def may_use_console(request: HttpRequest) -> bool:
    """Whether a session was begun in a way that opens the console to operators, and that is allowed still.

    A member's session never does, even an operator's own: their tenant's provider may have opened it.
    """
    if request.session.get(OPERATOR) is not True:
        return settings.OPERATOR_SIGN_IN != OIDC and request.session.get(BACKEND_SESSION_KEY) == PASSWORD_BACKEND
    if settings.OPERATOR_SIGN_IN == PASSWORD:
        return False
    user = user_of_session(request)
    with unscoped("operators belong to no tenant"):
        return isinstance(user, User) and account_of(user=user, account_id=request.session.get(IDENTITY)) is not None
