"""Linking of a further account by its member: a sign-in in which the session stays whose it is."""

from django.http import HttpRequest

from tenants.members.services import may_get_account
from tenants.models import Membership
from tenants.sign_in.accounts.errors import LinkingRefused
from tenants.sign_in.accounts.rules import AccountReach
from tenants.sign_in.accounts.services import link_account
from tenants.sign_in.backend import ProviderBackend
from tenants.sign_in.claims import Claims
from tenants.sign_in.errors import StateRefused
from tenants.sign_in.pages import signed_in_member
from tenants.sign_in.providers import SignInProvider, provider_by_key
from tenants.sign_in.services import SignedIn
from tenants.sign_in.sessions import PROVIDER
from tenants.sign_in.states import PendingSignIn


def reach_of(request: HttpRequest, member: Membership) -> AccountReach:
    """Tell what a member's session opens."""
    provider, user = provider_by_key(request.session.get(PROVIDER)), member.user
    return AccountReach(
        issuer=None if provider is None else provider.issuer,
        is_of_installation=provider is not None and provider.tenant is None,
        is_whole_person=may_get_account(member),
        is_operator=user.is_staff or user.is_superuser,
    )


def finish_linking(request: HttpRequest, provider: SignInProvider, begun: PendingSignIn) -> None:
    """Link the account an answer vouches for to the member who began it, in the very session they began it in.

    Raises:
        StateRefused: Somebody else is signed in now, or nobody.
        LinkingRefused: The session does not reach that far any more.
        SignInRefused: Whatever is wrong with the answer; ``AccountTaken`` and the other errors of ``link_account``.
    """
    member = signed_in_member(request)
    if member is None or str(member.user_id) != begun.person:
        raise StateRefused
    if not reach_of(request, member).covers(provider.issuer):
        raise LinkingRefused

    def link(*, provider: SignInProvider, claims: Claims) -> SignedIn:
        identity = link_account(member=member, provider=provider, claims=claims)
        return SignedIn(member.user, [member], identity)

    ProviderBackend(provider, act=link).redeem(request, begun)
