"""People sign in whatever their provider's ways: every case of `tests/cases/field.json` that is about providers."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from django.test import Client

from audit.models import Entry
from foundation.scope import unscoped
from tenants.members.services import invite_member
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.field_cases import cases_of
from tests.support.issuer import (
    EC_KEY_384,
    EC_KEY_521,
    ED_KEY,
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

ANN: Final = "ann@acme.example"
KEYS: Final = {"RSA": RSA_KEY, "P-384": EC_KEY_384, "P-521": EC_KEY_521, "Ed25519": ED_KEY}


def come(issuer: Issuer, told: Mapping[str, Any], key: Any = RSA_KEY, alg: str = "RS256") -> Any:
    client = Client()
    begun = begin(client, tenant="acme")
    token = sign(issuer.claims(begun, "sub-ann", **told), key, alg)
    return come_back(client, begun, issuer.code_for(begun, token, userinfo={"sub": "sub-ann"}))


def look_at_ann(acme: Customer, right: Mapping[str, Any]) -> None:
    with unscoped("looking at what was written"):
        (member,) = Membership.objects.filter(tenant=acme.tenant, user__email=ANN)
        kept = Entry.objects.filter(tenant=acme.tenant, action="sign_in.groups_kept")
        assert [entry.after["reason"] for entry in kept] == ([right["kept"]] if "kept" in right else [])
    found = {"role": member.role, "groups": member.groups}
    assert {name: found[name] for name in found if name in right} == {
        name: right[name] for name in found if name in right
    }


@pytest.mark.parametrize("case", cases_of("sign_in"))
def test_a_provider_as_it_is(acme: Customer, issuer: Issuer, second_issuer: Issuer, case: dict[str, Any]) -> None:
    make_member(acme.tenant, "boss", role="admin")
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=[])
    if "before_at" in case:
        assert sign_in(Client(), issuer, "sub-old", ANN).status_code == 302
    give_provider(acme.tenant, second_issuer, **case.get("provider", {}))
    if "before" in case:
        assert come(second_issuer, case["before"]).status_code == 302
    if "invited" in case:
        invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=[])
    key = KEYS[case.get("key", "RSA")]
    second_issuer.keys = [jwk_of(key, "k1")]
    answer = come(second_issuer, case["token"], key, case.get("alg", "RS256"))
    assert answer.status_code == case["right"]["status"]
    assert case["right"].get("code", "") in answer.text
    if answer.status_code == 302:
        look_at_ann(acme, case["right"])
