"""An operator tries a provider, to its end: every flaw has a sentence of its own, and nothing of the trial stays."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from tenants.members.services import invite_member
from tenants.models import Identity, IdentityProvider, Invitation, Membership, User
from tests.conftest import Customer
from tests.support.http_server import Answer
from tests.support.issuer import (
    EC_KEY,
    MISSING,
    OTHER_KEY,
    WEAK_KEY,
    Begun,
    Issuer,
    begin_at,
    come_back,
    give_provider,
    jwk_of,
    sign,
)

ANN = "ann@acme.example"
TOLD = {"sub": "sub-ann", "email": ANN, "email_verified": True, "groups": ["fin", "all"]}
MAPS: dict[str, Any] = {"group_map": {"fin": "finance"}, "role_map": {"bosses": "admin"}, "roles_claim": "roles"}


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create(username="operator", is_staff=True, is_superuser=True)


@pytest.fixture
def console(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def provider(acme: Customer, second_issuer: Issuer) -> IdentityProvider:
    """Not in use yet; ann is invited."""
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=[])
    return give_provider(acme.tenant, second_issuer, is_active=False, **MAPS)


@pytest.fixture
def unchanged(provider: IdentityProvider, operator: User) -> Iterator[None]:
    """Nobody is a member, an account or a person who was not before, and no invitation is used up."""

    def seen() -> list[Any]:
        with unscoped("counting"):
            open_invitations = Invitation.objects.filter(accepted_at=None).count()
            return [open_invitations, *(kind.objects.count() for kind in (User, Membership, Identity))]

    before = seen()
    yield
    assert seen() == before
    with unscoped("looking at what was written"):
        assert not Entry.objects.filter(action__in=["sign_in.done", "sign_in.refused", "invitation.accepted"]).exists()


def first_page(console: Client, row: IdentityProvider) -> str:
    """Follow the button of the provider's page."""
    page = console.get(reverse("admin:tenants_identityprovider_change", args=[row.pk])).text
    button = re.search(r'href="([^"]*/try[^"]*)"', page)
    assert button is not None
    return str(console.get(button[1]).text)


def begin(console: Client, row: IdentityProvider) -> Begun:
    return begin_at(console, reverse("admin:tenants_identityprovider_try_begin", args=[row.pk]))


def come(console: Client, row: IdentityProvider, issuer: Issuer, *, userinfo: Any = None, **said: Any) -> str:
    begun = begin(console, row)
    token = sign(issuer.claims(begun, "sub-ann", **said))
    answer = come_back(console, begun, issuer.code_for(begun, token, userinfo=userinfo or TOLD))
    assert answer.status_code == 200
    return str(answer.text)


def test_an_honest_provider_passes_to_the_end(
    console: Client, provider: IdentityProvider, second_issuer: Issuer, operator: User, unchanged: None
) -> None:
    page = first_page(console, provider)
    assert "discovery" in page
    assert "It publishes 2 keys, for ES256, PS256, PS384, PS512, RS256, RS384, RS512." in page
    page = come(console, provider, second_issuer)
    assert "The provider works" in page
    assert "You came as ann@acme.example, subject sub-ann; it would open: reviewer of Acme." in page
    assert "groups lists 2." in page
    assert "roles is absent: what members have stays." in page
    assert console.session["_auth_user_id"] == str(operator.pk), "the operator is who they were"
    assert console.get("/api/v1/me").status_code == 401
    with unscoped("looking at what was written"):
        entry = Entry.objects.get(action="identity_provider.tried")
    assert (entry.object_id, entry.actor) == (str(provider.pk), f"user:{operator.pk}")
    assert entry.after["person"] == "passed"


def test_an_account_nobody_has_invited_is_no_fault_of_the_provider(
    console: Client, provider: IdentityProvider, second_issuer: Issuer, unchanged: None
) -> None:
    page = come(console, provider, second_issuer, userinfo={**TOLD, "email": "eve@evil.example"})
    assert "The provider works" in page
    assert "You came as eve@evil.example. You are not a member yet." in page


def slash(issuer: Issuer) -> None:
    issuer.more = {"issuer": f"{issuer.url}/"}


def not_json(issuer: Issuer) -> None:
    issuer.server.route("GET", "/.well-known/openid-configuration", Answer(body=b"<html>"))


def no_keys(issuer: Issuer) -> None:
    issuer.keys = []


def weak_keys(issuer: Issuer) -> None:
    issuer.keys = [jwk_of(WEAK_KEY, "k1"), jwk_of(EC_KEY, "k2", use="enc")]


def keys_elsewhere(issuer: Issuer) -> None:
    issuer.more = {"jwks_uri": "http://10.0.0.1/keys"}


def keys_away(issuer: Issuer) -> None:
    issuer.server.route("GET", "/keys", Answer(503))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (slash, "and is set up as"),
        (not_json, "/.well-known/openid-configuration: "),
        (no_keys, "It publishes 0 keys, and none whose signature would be believed."),
        (weak_keys, "It publishes 2 keys, and none whose signature would be believed."),
        (keys_elsewhere, "by adding `10.0.0.1:80` to EGRESS_ALLOW_HOSTS"),
        (keys_away, "/keys answered 503."),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_what_it_says_of_itself_is_judged_before_anybody_is_sent_there(
    console: Client,
    provider: IdentityProvider,
    second_issuer: Issuer,
    spoil: Callable[[Issuer], None],
    sentence: str,
) -> None:
    assert "Try a whole sign-in" in first_page(console, provider)
    spoil(second_issuer)
    page = first_page(console, provider)
    assert sentence in page
    assert "Nobody can sign in through it now." in page
    assert "Try a whole sign-in" not in page


NOW = int(time.time())


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"iss": "https://evil.example"}, "Its ID token names another issuer: every character counts"),
        ({"aud": "another"}, "It says &#x27;another&#x27;; set up is &#x27;llmteam-client&#x27;."),
        ({"azp": "another"}, "names another client, or none, as the one it was issued to"),
        ({"exp": NOW - 3600}, "has expired, or has no time of expiry: compare the clocks. It says 20"),
        ({"iat": NOW + 3600}, "was issued in the future, or does not say when: compare the clocks. It says 20"),
        ({"nbf": NOW + 3600}, "is not valid yet: compare the clocks. It says 20"),
        ({"exp": MISSING}, "has expired, or has no time of expiry"),
        ({"nonce": "another"}, "does not repeat the nonce"),
        ({"sub": ""}, "does not say whom it is about"),
        ({"userinfo": {**TOLD, "sub": "sub-eve"}}, "Its userinfo is about somebody else than its ID token"),
        ({"userinfo": {**TOLD, "email_verified": MISSING}}, "has not been verified by your company"),
    ],
    ids=lambda one: "" if isinstance(one, str) else next(iter(one)),
)
def test_each_flaw_of_a_token_has_its_own_sentence(
    console: Client,
    provider: IdentityProvider,
    second_issuer: Issuer,
    said: dict[str, Any],
    sentence: str,
) -> None:
    if "userinfo" in said:
        said = {"userinfo": {name: value for name, value in said["userinfo"].items() if value is not MISSING}}
    page = come(console, provider, second_issuer, **said)
    assert sentence in page
    assert ("The provider works" in page) == ("company" in sentence)
    assert sentence not in come(console, provider, second_issuer), "without the flaw it passes"


def test_what_the_provider_answers_at_once_is_told_in_its_words(
    console: Client, provider: IdentityProvider, second_issuer: Issuer, unchanged: None
) -> None:
    begun = begin(console, provider)
    said = {"error": "access_denied", "error_description": "<b>not assigned</b>"}
    page = console.get("/oidc/callback/", {"state": begun["state"], **said}).text
    assert "It answered access_denied. In its own words: &lt;b&gt;not assigned&lt;/b&gt;" in page
    second_issuer.server.route("POST", "/token", Answer(401, {"error": "invalid_client"}))
    assert "/token answered 401 with invalid_client." in come(console, provider, second_issuer)


def test_a_token_signed_with_an_unpublished_key_is_told_as_that(
    console: Client, provider: IdentityProvider, second_issuer: Issuer, unchanged: None
) -> None:
    begun = begin(console, provider)
    token = sign(second_issuer.claims(begun, "sub-ann"), OTHER_KEY)
    page = come_back(console, begun, second_issuer.code_for(begun, token, userinfo=TOLD)).text
    assert "The signature of the ID token does not fit the key it publishes." in page


def test_who_may_not_change_providers_tries_none(provider: IdentityProvider, second_issuer: Issuer) -> None:
    reader = User.objects.create(username="reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_identityprovider"))
    client = Client()
    client.force_login(reader)
    begin_address = reverse("admin:tenants_identityprovider_try_begin", args=[provider.pk])
    assert client.get(begin_address).status_code == 403
    reader.user_permissions.add(Permission.objects.get(codename="change_identityprovider"))
    begun = begin_at(client, begin_address)
    reader.user_permissions.clear()
    token = sign(second_issuer.claims(begun, "sub-ann"))
    answer = come_back(client, begun, second_issuer.code_for(begun, token, userinfo=TOLD))
    assert (answer.status_code, "STATE_REFUSED" in answer.text) == (400, True), "the right was taken back meanwhile"


def test_the_installation_s_own_provider_is_tried_too(console: Client, acme: Customer, issuer: Issuer) -> None:
    assert reverse("admin:tenants_identityprovider_try_installation") in (
        console.get(reverse("admin:tenants_identityprovider_changelist")).text
    )
    assert "It publishes 2 keys" in console.get(reverse("admin:tenants_identityprovider_try_installation")).text
    begun = begin_at(console, reverse("admin:tenants_identityprovider_try_begin", args=["installation"]))
    token = sign(issuer.claims(begun, "sub-ann"))
    assert "The provider works" in come_back(console, begun, issuer.code_for(begun, token, userinfo=TOLD)).text


@pytest.mark.parametrize(
    ("host", "is_advised"),
    [("id.corp.internal", True), ("metadata.google.internal", False)],
    ids=["inside", "metadata"],
)
def test_a_host_that_is_never_called_is_not_advised_to_be_allowed(
    console: Client, provider: IdentityProvider, host: str, is_advised: bool
) -> None:
    with unscoped("the form refuses such an issuer"):
        IdentityProvider.objects.filter(pk=provider.pk).update(issuer=f"https://{host}")
    page = first_page(console, provider)
    assert "may not be called" in page
    assert (f"`{host}:443` to EGRESS_ALLOW_HOSTS" in page) is is_advised
