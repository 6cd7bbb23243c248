"""The page on which a member looks after their accounts."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.generic import View

from foundation.scope import unscoped
from tenants.members.sessions import IDENTITY
from tenants.models import Identity, Membership
from tenants.sign_in.accounts.errors import LastAccount, LinkingRefused, OnlyWayIn
from tenants.sign_in.accounts.linking import reach_of
from tenants.sign_in.accounts.services import unlink
from tenants.sign_in.errors import NoProvider
from tenants.sign_in.pages import member_required
from tenants.sign_in.providers import SignInProvider, installation_provider, provider_of_tenant
from tenants.sign_in.redirects import redirect_to_provider
from tenants.sign_in.responses import SEE_OTHER, page
from tenants.sign_in.services import account_of
from tenants.sign_in.states import SignInPurpose


def members_page(view: Any) -> Any:
    """Make a view a page for members only."""
    return page(member_required(view))


@method_decorator(members_page, name="dispatch")
class AccountsPage(View):
    """Lists the accounts of who is signed in."""

    http_method_names = ["get", "head"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them, and the ways to link another."""
        member = _member(request)
        reach = reach_of(request, member)
        with unscoped("accounts belong to people, who may be in several tenants"):
            found = list(Identity.objects.filter(user=member.user).order_by("-id"))
        rows = [
            {"account": one, "is_in_use": str(one.id) == request.session.get(IDENTITY), "may": reach.covers(one.issuer)}
            for one in found
        ]
        ways = {name: one for name, one in _ways(member).items() if reach.covers(one.issuer)}
        notices = {name: name in request.GET for name in ("linked", "unlinked")}
        return render(
            request, "pages/accounts.html", {"rows": rows, "ways": ways, "is_last": len(rows) == 1, **notices}
        )


@method_decorator(members_page, name="dispatch")
class LinkPage(View):
    """Sends a member to a provider, to come back with a further account."""

    http_method_names = ["post"]  # noqa: RUF012 - as Django declares it

    def post(self, request: HttpRequest) -> HttpResponse:
        """Begin. The provider is asked to let the person choose, whoever is signed in there.

        Raises:
            NoProvider: There is no such way.
            LinkingRefused: The session does not reach that far.
        """
        member = _member(request)
        provider = _ways(member).get(request.POST.get("way", ""))
        if provider is None:
            raise NoProvider
        if not reach_of(request, member).covers(provider.issuer):
            raise LinkingRefused
        return redirect_to_provider(
            request,
            provider,
            next_url=f"{reverse('accounts')}?{urlencode({'linked': 1})}",
            purpose=SignInPurpose.LINK,
            person=str(member.user_id),
            prompt="login",
        )


@method_decorator(members_page, name="dispatch")
class UnlinkPage(View):
    """Takes an account from a member."""

    http_method_names = ["post"]  # noqa: RUF012 - as Django declares it

    def post(self, request: HttpRequest) -> HttpResponse:
        """Unlink; who signed in with it is signed out. One that is not theirs is as good as unlinked.

        Raises:
            OnlyWayIn: It is their last one.
            LinkingRefused: The session does not reach that far.
        """
        member, account_id = _member(request), request.POST.get("account", "")
        with unscoped("accounts belong to people, who may be in several tenants"):
            identity = account_of(user=member.user, account_id=account_id)
            if identity is not None:
                if not reach_of(request, member).covers(identity.issuer):
                    raise LinkingRefused
                try:
                    unlink(identity=identity, actor=f"member:{member.id}", allow_last=False)
                except LastAccount as error:
                    raise OnlyWayIn from error
        return HttpResponseRedirect(f"{reverse('accounts')}?{urlencode({'unlinked': 1})}", status=SEE_OTHER)


def _member(request: HttpRequest) -> Membership:
    member: Membership = request.member  # type: ignore[attr-defined]  # what the decorator gives
    return member


def _ways(member: Membership) -> dict[str, SignInProvider]:
    """Name the providers the member's tenant can be reached by."""
    found = {"company": provider_of_tenant(member.tenant.slug), "installation": installation_provider()}
    return {name: one for name, one in found.items() if one is not None}
