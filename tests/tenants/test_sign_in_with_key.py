"""Keys: their text, their life, what they may do."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.access import keys
from tenants.errors import KeyNotFound, UnknownScope
from tenants.models import ApiKey
from tenants.services import create_api_key, revoke_api_key
from tests.conftest import Customer

Api = Callable[[Customer], APIClient]
MASTER = "an installation's secret"


def ask(key: str, header: str = "Bearer") -> tuple[int, str]:
    headers = {"Authorization": f"{header} {key}"} if header != "X-API-Key" else {"X-API-Key": key}
    answer = APIClient().get("/api/v1/me", headers=headers)
    return answer.status_code, answer.json().get("code", "")


def test_a_key_is_read_back_as_it_was_made() -> None:
    for _ in range(200):
        key = keys.new_key()
        assert keys.read_key(key.reveal()) == key
        assert key.secret not in repr(key)


def test_the_secret_has_190_bits() -> None:
    assert 62**keys.SECRET_LENGTH > 2**190
    assert len({keys.new_key().secret for _ in range(1000)}) == 1000


def test_any_one_wrong_letter_is_noticed_by_the_checksum() -> None:
    text = keys.new_key().reveal()
    for place in range(len(text)):
        wrong = text[:place] + ("a" if text[place] != "a" else "b") + text[place + 1 :]
        assert keys.read_key(wrong) is None


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert keys.read_key(text) is None


def test_the_hash_needs_the_installations_secret() -> None:
    stored = keys.hash_secret("s", master=MASTER)
    assert keys.same_secret("s", stored, master=MASTER)
    assert not keys.same_secret("t", stored, master=MASTER)
    assert not keys.same_secret("s", stored, master="another")


@pytest.mark.parametrize("header", ["Bearer", "bearer", "X-API-Key"])
def test_both_headers_are_equal(acme: Customer, header: str) -> None:
    assert ask(acme.key, header) == (200, "")


def test_what_is_no_key_of_ours_is_a_401_told_alike(acme: Customer) -> None:
    strange = keys.new_key()
    known = keys.read_key(acme.key)
    assert known is not None
    wrong_secret = keys.KeyText(known.public_id, strange.secret)
    for text in (strange.reveal(), wrong_secret.reveal(), "", "x", "llm__", "ü" * 60):
        assert ask(text, "X-API-Key") == (401, "KEY_REFUSED")
    assert ask(acme.key, "Basic") == (401, "KEY_REFUSED")
    answer = APIClient().get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "KEY_MISSING")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_is_refused_at_once_by_the_process_that_revoked_it(acme: Customer) -> None:
    made = create_api_key(tenant=acme.tenant, name="second")
    assert ask(made.text)[0] == 200
    for _ in range(2):
        revoke_api_key(tenant=acme.tenant, api_key_id=made.api_key.id)
    assert ask(made.text) == (401, "KEY_REFUSED")
    assert ask(acme.key)[0] == 200, "two keys live side by side"


def test_an_expired_key_is_refused(acme: Customer) -> None:
    soon = create_api_key(tenant=acme.tenant, name="soon", expires_at=utc_now() + timedelta(minutes=1))
    past = create_api_key(tenant=acme.tenant, name="past", expires_at=utc_now() - timedelta(seconds=1))
    assert (ask(soon.text)[0], ask(past.text)[0]) == (200, 401)


def test_an_inactive_tenants_keys_are_refused(acme: Customer, globex: Customer) -> None:
    acme.tenant.is_active = False
    acme.tenant.save()
    assert (ask(acme.key)[0], ask(globex.key)[0]) == (401, 200)


def test_the_secret_is_not_stored(acme: Customer) -> None:
    key = keys.read_key(acme.key)
    assert key is not None
    with unscoped("tests look at everything"):
        (stored,) = ApiKey.objects.filter(public_id=key.public_id).values()
    assert key.secret not in repr(stored)
    assert key.secret.encode() not in bytes(stored["secret_hash"])


def test_a_key_does_what_its_scopes_say(acme: Customer, api: Api) -> None:
    reader = Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="r", scopes=["segments:read"]).text)
    client = api(reader)
    assert client.get("/api/v1/segments").status_code == 200
    refused = client.delete("/api/v1/segments/any")
    assert (refused.status_code, refused.json()["code"], refused.json()["scope"]) == (
        403,
        "SCOPE_MISSING",
        "segments:write",
    )
    assert client.get("/api/v1/runs").status_code == 403
    assert client.get("/api/v1/me").json()["scopes"] == ["segments:read"]


def test_a_scope_that_does_not_exist_is_refused(acme: Customer) -> None:
    with pytest.raises(UnknownScope):
        create_api_key(tenant=acme.tenant, name="odd", scopes=["segments:read", "everything"])


def test_another_tenants_key_cannot_be_revoked(acme: Customer, globex: Customer) -> None:
    made = create_api_key(tenant=acme.tenant, name="second")
    with pytest.raises(KeyNotFound):
        revoke_api_key(tenant=globex.tenant, api_key_id=made.api_key.id)
    assert ask(made.text)[0] == 200
