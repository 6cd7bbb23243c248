"""Providers speak in dialects; people sign in all the same, and lose nothing their provider does not tell."""

from typing import Any

import pytest
from django.test import Client

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from tenants.members.services import invite_member
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.issuer import (
    EC_KEY,
    EC_KEY_384,
    EC_KEY_521,
    ED_KEY,
    MISSING,
    RSA_KEY,
    Issuer,
    begin,
    come_back,
    give_provider,
    jwk_of,
    sign,
)
from tests.support.tasks import make_member

ANN = "ann@acme.example"
ODD_GROUPS: list[Any] = [
    {"0": "fin"},
    True,
    7,
    "",
    " ",
    "fin,bosses",
    "fin bosses",
    "fin;bosses",
    "fin|bosses",
    "sales, north",
    '["fin"]',
    '{"name": "fin"}',
    [{"name": "fin"}],
    [{"value": "fin", "display": "Finance"}],
    [["fin"]],
    [7],
    [None],
    [True],
    [""],
    [" "],
]
MAPS: dict[str, Any] = {"group_map": {"fin": "finance"}, "role_map": {"bosses": "admin"}}


def come(issuer: Issuer, told: dict[str, Any], **query: str) -> Any:
    """Come as ann with an ID token that says all."""
    client = Client()
    begun = begin(client, **query)
    said = {name: value for name, value in told.items() if value is not MISSING}
    return come_back(
        client,
        begun,
        issuer.code_for(begun, sign(issuer.claims(begun, "sub-ann", **said)), userinfo={"sub": "sub-ann"}),
    )


@pytest.fixture
def invited(acme: Customer) -> Customer:
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=["invited"])
    return acme


def ann(acme: Customer) -> Membership:
    with tenant_scope(acme.tenant.id):
        return Membership.objects.get(user__email=ANN)


def kept(acme: Customer) -> dict[str, Any]:
    """What the audit was told of kept groups and roles, by action."""
    with unscoped("looking at what was written"):
        rows = Entry.objects.filter(tenant=acme.tenant, action__in=["sign_in.groups_kept", "sign_in.role_kept"])
        return {row.action: row.after for row in rows}


@pytest.mark.parametrize("said", [MISSING, "true", "True", None], ids=["missing", "text", "Text", "null"])
def test_e_mails_count_as_verified_where_the_provider_s_switch_says_so(
    invited: Customer, second_issuer: Issuer, said: Any
) -> None:
    row = give_provider(invited.tenant, second_issuer)
    told = {"email": ANN, "email_verified": said}
    refused = come(second_issuer, told, tenant="acme")
    assert (refused.status_code, "EMAIL_UNVERIFIED" in refused.text, f"You came as {ANN}." in refused.text) == (
        403, True, True,
    )  # fmt: skip
    with unscoped("rows for a test"):
        row.emails_verified = True
        row.save()
    assert come(second_issuer, told, tenant="acme").status_code == 302
    assert ann(invited).groups == ["invited"]


@pytest.mark.parametrize("said", [False, "false", 0, 1, {}, [True]], ids=str)
def test_an_e_mail_the_provider_calls_unverified_never_counts(
    invited: Customer, second_issuer: Issuer, said: Any
) -> None:
    give_provider(invited.tenant, second_issuer, emails_verified=True)
    assert come(second_issuer, {"email": ANN, "email_verified": said}, tenant="acme").status_code == 403
    assert come(second_issuer, {"email": ANN}, tenant="acme").status_code == 302


def test_the_installation_s_provider_has_the_same_switch(invited: Customer, issuer: Issuer, settings: Any) -> None:
    assert come(issuer, {"email": ANN}).status_code == 403
    settings.OIDC_EMAILS_VERIFIED = True
    assert come(issuer, {"email": ANN}).status_code == 302


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x.example"}}},
            "overage",
        ),
        ({"hasgroups": True}, "overage"),
        ({}, "absent"),
        ({"groups": None}, "absent"),
        *[({"groups": odd}, "unreadable") for odd in ODD_GROUPS],
    ],
    ids=str,
)
def test_role_and_groups_that_are_not_told_stay_and_the_audit_says_why(
    invited: Customer, second_issuer: Issuer, told: dict[str, Any], reason: str
) -> None:
    give_provider(invited.tenant, second_issuer, **MAPS)
    make_member(invited.tenant, "boss", role="admin")
    known = {"email": ANN, "email_verified": True}
    assert come(second_issuer, {**known, "groups": ["fin", "bosses"]}, tenant="acme").status_code == 302
    assert kept(invited) == {}
    assert come(second_issuer, {**known, **told}, tenant="acme").status_code == 302
    assert (ann(invited).role, ann(invited).groups) == ("admin", ["finance"])
    said = {"claim": "groups", "reason": reason}
    assert kept(invited) == {"sign_in.groups_kept": said, "sign_in.role_kept": said}
    assert come(second_issuer, {**known, "groups": []}, tenant="acme").status_code == 302
    assert (ann(invited).role, ann(invited).groups) == ("reviewer", []), "none is told, and that is something told"


@pytest.mark.parametrize(
    ("told", "groups"),
    [
        ("fin", ["finance"]),
        ("Finance, EU", ["europe"]),
        ("sales", []),
        ([], []),
        (["sales"], []),
        (["fin", {"name": "Finance, EU"}, None, 7], ["finance"]),
    ],
    ids=str,
)
def test_a_name_or_a_list_of_names_is_told(
    invited: Customer, second_issuer: Issuer, told: Any, groups: list[str]
) -> None:
    give_provider(invited.tenant, second_issuer, group_map={"fin": "finance", "Finance, EU": "europe"})
    known = {"email": ANN, "email_verified": True}
    assert come(second_issuer, {**known, "groups": ["fin", "Finance, EU"]}, tenant="acme").status_code == 302
    assert sorted(ann(invited).groups) == ["europe", "finance"]
    assert come(second_issuer, {**known, "groups": told}, tenant="acme").status_code == 302
    assert (ann(invited).groups, kept(invited)) == (groups, {})


@pytest.mark.parametrize("said", [None, "", " "], ids=repr)
@pytest.mark.parametrize("name", ["userinfo_endpoint", "end_session_endpoint"])
def test_an_address_that_need_not_be_there_is_absent_as_null_too(
    invited: Customer, issuer: Issuer, name: str, said: Any
) -> None:
    issuer.more = {name: said}
    assert come(issuer, {"email": ANN, "email_verified": True}).status_code == 302
    issuer.more = {}


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_address_that_must_be_there_is_asked_for(invited: Customer, issuer: Issuer, name: str) -> None:
    issuer.more = {name: None}
    answer = Client().get("/oidc/login/")
    assert (answer.status_code, "PROVIDER_FAILED" in answer.text) == (400, True)


def test_a_subject_of_blanks_is_nobody(invited: Customer, issuer: Issuer) -> None:
    known = {"email": ANN, "email_verified": True}
    assert come(issuer, {**known, "sub": "  "}).status_code == 403
    assert come(issuer, known).status_code == 302


def test_a_token_over_the_bound_is_told_for_its_size(invited: Customer, issuer: Issuer) -> None:
    known = {"email": ANN, "email_verified": True}
    assert come(issuer, {**known, "groups": ["x" * 36] * 400}).status_code == 302
    refused = come(issuer, {**known, "groups": ["x" * 36] * 800})
    assert (refused.status_code, "TOKEN_REFUSED" in refused.text) == (403, True)
    with unscoped("looking at what was written"):
        (entry,) = Entry.objects.filter(action="sign_in.refused")
    assert entry.after["reason"] == "size"
    assert "32,768 are read" in entry.after["detail"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["bosses"]}}),
        ("resource_access.my.client.roles", {"resource_access": {"my.client": {"roles": ["bosses"]}}}),
        ("https://acme.example/roles", {"https://acme.example/roles": "bosses"}),
    ],
    ids=["path", "path with a name of dots", "address"],
)
def test_roles_are_read_where_the_provider_has_them(
    invited: Customer, second_issuer: Issuer, name: str, told: dict[str, Any]
) -> None:
    give_provider(invited.tenant, second_issuer, roles_claim=name, **MAPS)
    said = {"email": ANN, "email_verified": True, "groups": ["fin"], **told}
    assert come(second_issuer, said, tenant="acme").status_code == 302
    assert (ann(invited).role, ann(invited).groups) == ("admin", ["finance"])


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        *[(f"{family}{bits}", RSA_KEY) for family in ("RS", "PS") for bits in (256, 384, 512)],
        ("ES256", EC_KEY),
        ("ES384", EC_KEY_384),
        ("ES512", EC_KEY_521),
        ("EdDSA", ED_KEY),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_asymmetric_signature_by_a_published_key_is_believed(
    invited: Customer, issuer: Issuer, alg: str, key: Any
) -> None:
    issuer.keys = [jwk_of(key, "k1")]
    client = Client()
    begun = begin(client)
    token = sign(issuer.claims(begun, "sub-ann", email=ANN, email_verified=True), key, alg)
    assert come_back(client, begun, issuer.code_for(begun, token, userinfo={"sub": "sub-ann"})).status_code == 302
