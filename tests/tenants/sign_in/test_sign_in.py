"""Honest people sign in, and get where they belong."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from tenants.members.services import deactivate_member, invite_member, reactivate_member
from tenants.models import Identity, Invitation, Membership, Tenant, User
from tests.conftest import Customer
from tests.support.issuer import (
    CLIENT_ID,
    EC_KEY,
    OTHER_KEY,
    RSA_KEY,
    Issuer,
    begin,
    come_back,
    give_provider,
    jwk_of,
    sign,
    sign_in,
)
from tests.support.tasks import make_member

ANN = "ann@acme.example"


def invite(tenant: Tenant, email: str = ANN, role: str = "reviewer", *groups: str) -> Invitation:
    return invite_member(tenant=tenant, actor="system", email=email, role=role, groups=list(groups))


def me(client: Client) -> Any:
    return client.get("/api/v1/me")


def member_of(tenant: Tenant) -> Membership:
    with tenant_scope(tenant.id):
        return Membership.objects.select_related("user").get()


def test_an_invited_person_signs_in_and_is_a_member(acme: Customer, issuer: Issuer, client: Client) -> None:
    invitation = invite(acme.tenant, "Ann@Acme.Example", "admin", "finance")
    answer = sign_in(client, issuer, "sub-ann", ANN, more={"given_name": "Ann", "family_name": "Lee"})
    assert (answer.status_code, answer["Location"]) == (302, "/inbox/")
    told = me(client).json()
    assert told["tenant"]["slug"] == "acme"
    assert (told["member"]["email"], told["member"]["name"]) == (ANN, "Ann Lee")
    assert (told["member"]["role"], told["member"]["groups"]) == ("admin", ["finance"])
    with tenant_scope(acme.tenant.id):
        invitation.refresh_from_db()
        entry = Entry.objects.get(action="sign_in.done")
    assert invitation.accepted_at is not None
    assert entry.actor == f"member:{told['member']['member_id']}"
    assert Identity.objects.get().subject == "sub-ann"
    assert not User.objects.get(email=ANN).has_usable_password()


def test_later_the_account_is_known_by_its_subject_whatever_its_e_mail(
    acme: Customer, issuer: Issuer, client: Client
) -> None:
    invite(acme.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302
    later = Client()
    assert sign_in(later, issuer, "sub-ann", "ann.lee@acme.example").status_code == 302
    assert me(later).json()["member"]["email"] == "ann.lee@acme.example"
    assert User.objects.filter(identities__isnull=False).count() == 1
    stranger = sign_in(Client(), issuer, "sub-new", ANN)
    assert stranger.status_code == 403, "the e-mail alone is nobody"


def test_an_invitation_is_good_for_one_account(acme: Customer, issuer: Issuer, client: Client) -> None:
    invite(acme.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302
    assert sign_in(Client(), issuer, "sub-eve", ANN).status_code == 403
    assert member_of(acme.tenant).user.identities.get().subject == "sub-ann"


def test_a_member_an_operator_has_made_is_linked_once(acme: Customer, issuer: Issuer, client: Client) -> None:
    ann = make_member(acme.tenant, "ann", "finance")
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302
    assert me(client).json()["member"]["member_id"] == str(ann.id)
    assert sign_in(Client(), issuer, "sub-eve", ANN).status_code == 403


def test_an_account_never_opens_the_console_of_an_operator_with_that_e_mail(
    acme: Customer, issuer: Issuer, client: Client
) -> None:
    operator = User.objects.create(username="operator", email=ANN, is_staff=True, is_superuser=True)
    with unscoped("rows for a test"):
        Membership.objects.create(tenant=acme.tenant, user=operator)
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 403
    assert "_auth_user_id" not in client.session


def test_a_deactivated_member_is_refused_until_reactivated(acme: Customer, issuer: Issuer, client: Client) -> None:
    invite(acme.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302
    member = member_of(acme.tenant)
    deactivate_member(tenant=acme.tenant, actor="system", member_id=member.id)
    assert me(client).status_code == 401, "the session ends at once"
    refused = sign_in(Client(), issuer, "sub-ann", ANN)
    assert (refused.status_code, "deactivated" in refused.text) == (403, True)
    reactivate_member(tenant=acme.tenant, actor="system", member_id=member.id)
    assert sign_in(Client(), issuer, "sub-ann", ANN).status_code == 302


def test_an_es256_token_signs_in_too(acme: Customer, issuer: Issuer, client: Client) -> None:
    invite(acme.tenant)
    begun = begin(client)
    token = sign(issuer.claims(begun, "sub-ann"), EC_KEY, "ES256", kid="k2")
    code = issuer.code_for(begun, token, userinfo={"sub": "sub-ann", "email": ANN, "email_verified": True})
    assert come_back(client, begun, code).status_code == 302


@pytest.mark.parametrize("wanted", ["/inbox/7/?tab=a", "/sign-in/tenant/"])
def test_people_get_where_they_wanted_to_go(acme: Customer, issuer: Issuer, client: Client, wanted: str) -> None:
    invite(acme.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN, next=wanted)["Location"] == wanted


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_nobody_is_sent_to_another_site(acme: Customer, issuer: Issuer, client: Client, wanted: str) -> None:
    invite(acme.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN, next=wanted)["Location"] == "/inbox/"


def test_the_provider_is_asked_with_pkce_a_nonce_and_a_state(issuer: Issuer, db: None, client: Client) -> None:
    begun = begin(client)
    assert (begun["code_challenge_method"], begun["response_type"], begun["client_id"]) == ("S256", "code", CLIENT_ID)
    assert all(len(begun[name]) >= 32 for name in ("state", "nonce", "code_challenge"))
    assert begun["redirect_uri"] == "http://testserver/oidc/callback/"
    assert begin(client)["nonce"] != begun["nonce"]


def test_keys_are_fetched_once_and_again_when_they_have_changed(acme: Customer, issuer: Issuer, client: Client) -> None:
    invite(acme.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302
    assert sign_in(Client(), issuer, "sub-ann", ANN).status_code == 302
    fetched = [call for call in issuer.server.calls if call.path == "/keys"]
    assert len(fetched) == 1
    issuer.keys = [{**issuer.keys[0], "kid": "k9"}, issuer.keys[1]]
    begun = begin(client)
    token = sign(issuer.claims(begun, "sub-ann"), kid="k9")
    code = issuer.code_for(begun, token, userinfo={"sub": "sub-ann"})
    assert come_back(client, begun, code).status_code == 302, "a rotated key is found"
    for _ in range(3):
        begun = begin(client)
        code = issuer.code_for(begun, sign(issuer.claims(begun, "sub-ann"), kid="k10"), userinfo={"sub": "sub-ann"})
        assert come_back(client, begun, code).status_code == 403
    fetched = [call for call in issuer.server.calls if call.path == "/keys"]
    assert len(fetched) == 2, "strangers cannot make us ask again and again"


def test_a_key_replaced_under_its_old_id_is_fetched_again_once(acme: Customer, issuer: Issuer, client: Client) -> None:
    invite(acme.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302

    def come_signed_with(key: Any) -> int:
        begun = begin(client)
        code = issuer.code_for(begun, sign(issuer.claims(begun, "sub-ann"), key), userinfo={"sub": "sub-ann"})
        return int(come_back(client, begun, code).status_code)

    issuer.keys = [jwk_of(OTHER_KEY, "k1")]
    assert come_signed_with(OTHER_KEY) == 302
    assert {come_signed_with(RSA_KEY) for _ in range(3)} == {403}
    assert len([call for call in issuer.server.calls if call.path == "/keys"]) == 2, "strangers cannot have us ask on"


@pytest.mark.parametrize("written", ["Acme", " ACME "])
def test_a_tenant_is_found_however_its_short_name_is_written(
    acme: Customer, second_issuer: Issuer, client: Client, written: str
) -> None:
    give_provider(acme.tenant, second_issuer)
    assert client.get("/oidc/login/", {"tenant": written}).status_code == 302
    Tenant.objects.create(slug="ACME", name="Another")
    assert client.get("/oidc/login/", {"tenant": "acme"}).status_code == 302
    assert client.get("/oidc/login/", {"tenant": "ACME"}).status_code == 404, "it has no provider, and is not acme"


def test_a_session_ends_at_its_time_for_posts_too(
    acme: Customer, issuer: Issuer, client: Client, settings: Any
) -> None:
    invite(acme.tenant, ANN, "admin")
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302
    until = client.session.get_expiry_date()
    assert me(client).status_code == 200
    assert client.session.get_expiry_date() == until, "use does not prolong it"
    settings.SIGN_IN_HOURS = -1
    late = Client()
    assert sign_in(late, issuer, "sub-ann", ANN).status_code == 302
    assert me(late).status_code == 401
    assert late.post("/sign-in/tenant/", {"tenant": str(acme.tenant.id)})["Location"].startswith("/sign-in/")
    assert late.post("/api/v1/invitations", {"email": "x@acme.example"}).status_code == 401


def test_signing_in_makes_a_new_session(acme: Customer, issuer: Issuer, client: Client) -> None:
    invite(acme.tenant)
    begun = begin(client)
    before = client.session.session_key
    code = issuer.code_for(
        begun, sign(issuer.claims(begun, "sub-ann")), userinfo={"sub": "sub-ann", "email": ANN, "email_verified": True}
    )
    assert come_back(client, begun, code).status_code == 302
    assert client.session.session_key != before


def test_signing_out_ends_the_session_here_and_asks_the_provider_to(
    acme: Customer, issuer: Issuer, client: Client
) -> None:
    invite(acme.tenant)
    sign_in(client, issuer, "sub-ann", ANN)
    assert client.get("/oidc/logout/").status_code == 405, "a link signs nobody out"
    answer = client.post("/oidc/logout/")
    assert answer.status_code == 303
    assert answer["Location"].startswith(f"{issuer.url}/logout?client_id={CLIENT_ID}&post_logout_redirect_uri=http")
    hint = parse_qs(urlsplit(answer["Location"]).query)["id_token_hint"][0]
    assert hint == next(iter(issuer.sayings.values())).id_token, "or else some providers end on a page of theirs"
    assert me(client).status_code == 401
    sign_in(client, issuer, "sub-ann", ANN, signed={"long": "x" * 4_000})
    assert "id_token_hint" not in client.post("/oidc/logout/")["Location"], "no address is too long for servers"


def test_signing_out_without_the_form_s_token_does_nothing(acme: Customer, issuer: Issuer) -> None:
    client = Client(enforce_csrf_checks=True)
    invite(acme.tenant)
    sign_in(client, issuer, "sub-ann", ANN)
    assert client.post("/oidc/logout/").status_code == 403
    assert me(client).status_code == 200


def test_somebody_in_two_tenants_chooses_and_may_switch(
    acme: Customer, globex: Customer, issuer: Issuer, client: Client
) -> None:
    invite(acme.tenant)
    invite(globex.tenant, ANN, "auditor")
    answer = sign_in(client, issuer, "sub-ann", ANN, next="/inbox/7/")
    assert answer["Location"] == "/sign-in/tenant/?next=%2Finbox%2F7%2F"
    assert me(client).status_code == 401, "nothing is chosen for them"
    page = client.get(answer["Location"]).text
    assert "Acme" in page
    assert "Globex" in page
    for customer, role in [(globex, "auditor"), (acme, "reviewer")]:
        chosen = client.post("/sign-in/tenant/", {"tenant": str(customer.tenant.id), "next": "/inbox/7/"})
        assert (chosen.status_code, chosen["Location"]) == (303, "/inbox/7/")
        told = me(client).json()
        assert (told["tenant"]["slug"], told["member"]["role"]) == (customer.tenant.slug, role)
    assert 'aria-current="true"' in client.get("/sign-in/tenant/").text


def test_a_tenant_one_does_not_belong_to_cannot_be_chosen(
    acme: Customer, globex: Customer, issuer: Issuer, client: Client
) -> None:
    invite(acme.tenant)
    sign_in(client, issuer, "sub-ann", ANN)
    assert client.post("/sign-in/tenant/", {"tenant": str(globex.tenant.id)}).status_code == 200
    assert me(client).json()["tenant"]["slug"] == "acme"


def test_a_tenant_s_provider_opens_this_tenant_only(
    acme: Customer, globex: Customer, issuer: Issuer, second_issuer: Issuer, client: Client
) -> None:
    give_provider(acme.tenant, second_issuer)
    invite(acme.tenant)
    invite(globex.tenant)
    assert sign_in(client, second_issuer, "sub-ann", ANN, tenant="acme")["Location"] == "/inbox/"
    assert me(client).json()["tenant"]["slug"] == "acme"
    client.post("/sign-in/tenant/", {"tenant": str(globex.tenant.id)})
    assert me(client).json()["tenant"]["slug"] == "acme"
    with tenant_scope(globex.tenant.id):
        assert not Membership.objects.exists(), "another tenant's invitation is not accepted on the way"


def test_a_member_of_another_tenant_only_is_told_to_be_invited(
    acme: Customer, globex: Customer, issuer: Issuer, client: Client
) -> None:
    invite(globex.tenant)
    assert sign_in(client, issuer, "sub-ann", ANN).status_code == 302
    give_provider(acme.tenant, issuer)
    assert "NOT_INVITED" in sign_in(Client(), issuer, "sub-ann", ANN, tenant="acme").text
    invite(acme.tenant)
    assert sign_in(Client(), issuer, "sub-ann", ANN, tenant="acme").status_code == 302


def test_one_account_through_a_tenant_s_provider_stays_in_this_tenant_though_it_has_two(
    acme: Customer, globex: Customer, issuer: Issuer, client: Client
) -> None:
    invite(acme.tenant)
    invite(globex.tenant)
    sign_in(client, issuer, "sub-ann", ANN)
    give_provider(acme.tenant, issuer)
    narrow = Client()
    assert sign_in(narrow, issuer, "sub-ann", ANN, tenant="acme")["Location"] == "/inbox/"
    narrow.post("/sign-in/tenant/", {"tenant": str(globex.tenant.id)})
    assert me(narrow).json()["tenant"]["slug"] == "acme"


def test_a_verified_e_mail_of_an_allowed_domain_joins_as_a_reviewer(
    acme: Customer, second_issuer: Issuer, client: Client
) -> None:
    give_provider(acme.tenant, second_issuer, allowed_domains=["acme.example"])
    assert sign_in(client, second_issuer, "sub-ann", ANN, tenant="acme").status_code == 302
    assert member_of(acme.tenant).role == "reviewer"
    for email in ["ann@sub.acme.example", "ann@evilacme.example", "acme.example@evil.example"]:
        assert sign_in(Client(), second_issuer, f"sub-{email}", email, tenant="acme").status_code == 403
    second_account = sign_in(Client(), second_issuer, "sub-other", ANN, tenant="acme")
    assert second_account.status_code == 403, "a known e-mail does not join again under another account"


def test_groups_and_role_follow_the_provider_at_each_sign_in(
    acme: Customer, second_issuer: Issuer, client: Client
) -> None:
    maps = {"group_map": {"fin-eu": "finance", "leg": "legal"}, "role_map": {"bosses": "admin", "eyes": "auditor"}}
    give_provider(acme.tenant, second_issuer, **maps)
    make_member(acme.tenant, "boss", role="admin")
    invite(acme.tenant, ANN, "reviewer", "invited")

    def groups_after(*listed: str) -> tuple[str, list[str]]:
        answer = sign_in(Client(), second_issuer, "sub-ann", ANN, tenant="acme", more={"groups": list(listed)})
        assert answer.status_code == 302
        with tenant_scope(acme.tenant.id):
            member = Membership.objects.get(user__email=ANN)
        return member.role, member.groups

    assert groups_after("fin-eu", "other", "bosses") == ("admin", ["finance"])
    assert groups_after("leg", "fin-eu", "eyes") == ("auditor", ["legal", "finance"])
    assert groups_after("other") == ("reviewer", [])


def test_without_maps_the_provider_has_no_say_in_groups(acme: Customer, second_issuer: Issuer, client: Client) -> None:
    give_provider(acme.tenant, second_issuer)
    invite(acme.tenant, ANN, "auditor", "invited")
    sign_in(client, second_issuer, "sub-ann", ANN, tenant="acme", more={"groups": ["bosses"]})
    member = member_of(acme.tenant)
    assert (member.role, member.groups) == ("auditor", ["invited"])


def test_the_last_admin_stays_one_whatever_the_provider_says(
    acme: Customer, second_issuer: Issuer, client: Client
) -> None:
    give_provider(acme.tenant, second_issuer, role_map={"bosses": "admin"})
    invite(acme.tenant, ANN, "admin")
    assert sign_in(client, second_issuer, "sub-ann", ANN, tenant="acme", more={"groups": []}).status_code == 302
    assert member_of(acme.tenant).role == "admin"


def test_an_inactive_provider_or_none_is_a_page_that_says_so(
    acme: Customer, second_issuer: Issuer, client: Client
) -> None:
    assert client.get("/oidc/login/").status_code == 404
    assert client.get("/oidc/login/", {"tenant": "acme"}).status_code == 404
    row = give_provider(acme.tenant, second_issuer)
    assert client.get("/oidc/login/", {"tenant": "acme"}).status_code == 302
    with unscoped("rows for a test"):
        row.is_active = False
        row.save()
    answer = client.get("/oidc/login/", {"tenant": "acme"})
    assert (answer.status_code, "no such way" in answer.text) == (404, True)
    assert client.get("/oidc/login/", {"tenant": "nul\x00"}).status_code == 404


def test_the_sign_in_page_offers_what_there_is_and_speaks_the_reader_s_language(
    issuer: Issuer, db: None, client: Client, settings: Any
) -> None:
    page = client.get("/sign-in/?next=/inbox/7/")
    assert page.status_code == 200
    assert "/oidc/login/?next=%2Finbox%2F7%2F" in page.text
    assert "default-src 'none'" in page["Content-Security-Policy"]
    russian = client.get("/sign-in/", headers={"Accept-Language": "ru"})
    assert 'lang="ru"' in russian.text
    assert "Войти" in russian.text
    assert 'lang="en"' in client.get("/sign-in/").text
    settings.OIDC_ISSUER = ""
    assert "No sign-in for the whole installation is set up" in client.get("/sign-in/").text
