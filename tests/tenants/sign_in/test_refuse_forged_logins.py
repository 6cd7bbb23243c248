"""Forged, replayed and mixed-up logins, each through the callback: the honest twin is let in, the forged one is not.

Refused is refused alike: a page with a status of 4xx that says what to do, no session, not one row of a person, an
account or a membership, and one entry in the audit that names the reason.
"""

import html
import re
import time
from typing import Any

import pytest
from django.test import Client

from audit.models import Entry
from foundation.scope import unscoped
from tenants.members.services import invite_member
from tenants.models import Identity, Membership, User
from tenants.sign_in.errors import TOKEN_FAULTS
from tests.conftest import Customer
from tests.support.forgeries import ANN, BOB, FORGERIES, World
from tests.support.http_server import Answer
from tests.support.issuer import (
    CLIENT_ID,
    CLIENT_SECRET,
    MISSING,
    Issuer,
    begin,
    give_provider,
    sign,
    sign_in,
)
from tests.support.sampling import sampled


@pytest.fixture
def world(acme: Customer, globex: Customer, issuer: Issuer, second_issuer: Issuer) -> World:
    for email in (ANN, BOB, "ken@acme.example"):
        invite_member(tenant=acme.tenant, actor="system", email=email, role="reviewer", groups=[])
    return World(acme, globex, issuer, second_issuer, Client())


def people() -> list[int]:
    with unscoped("counting"):
        return [kind.objects.count() for kind in (User, Membership, Identity)]


def refusals() -> list[Entry]:
    with unscoped("looking at what was written"):
        return list(Entry.objects.filter(action="sign_in.refused").order_by("id"))


@pytest.mark.parametrize("name", sampled(FORGERIES, one_in=3))
def test_the_forged_one_is_refused_where_its_honest_twin_is_let_in(world: World, name: str) -> None:
    forge, status, code, reason = FORGERIES[name]
    assert sign_in(Client(), world.issuer, "sub-ann", ANN).status_code == 302, "the honest twin"
    before = people()
    answer = forge(world)
    assert answer.status_code == status, answer.text
    assert "Back to the sign-in page" in answer.text
    assert code in answer.text
    assert "_auth_user_id" not in world.client.session
    assert world.client.get("/api/v1/me").status_code == 401
    assert people() == before
    *earlier, entry = refusals()
    assert len(earlier) == (name == "state again"), "which comes with a refusal before"
    detail = entry.after.pop("detail", None)
    assert (entry.after, entry.outcome, entry.actor) == ({"code": code, "reason": reason}, "refused", "anonymous")
    in_words = code in {"PROVIDER_FAILED", "TOKEN_REFUSED"}
    assert (detail is not None) == in_words, "what a provider does wrong is told in words"
    assert code != "TOKEN_REFUSED" or detail.startswith(TOKEN_FAULTS[reason].format(token="ID token"))


def test_bob_signs_in_when_nothing_is_forged(world: World) -> None:
    """Or else every refusal above might have another reason."""
    assert world.come_saying().status_code == 302
    now = int(time.time())
    assert world.come_saying(aud=[CLIENT_ID], azp=CLIENT_ID, nbf=now + 5).status_code == 302
    assert world.come_saying(aud=[CLIENT_ID, "b"], azp=CLIENT_ID, exp=now - 5).status_code == 302
    assert world.come_saying(azp=None, nbf=None, at_hash=None).status_code == 302, "null is as good as absent"
    assert not refusals()


def test_without_a_kid_the_only_key_will_do(world: World) -> None:
    assert world.come_signed(kid=MISSING).status_code == 302


def test_a_refusal_through_a_tenant_s_provider_is_told_in_the_tenant_s_audit(world: World) -> None:
    row = give_provider(world.globex.tenant, world.second)
    assert sign_in(world.client, world.second, "sub-eve", "eve@evil.example", tenant="globex").status_code == 403
    (entry,) = refusals()
    assert (entry.tenant_id, entry.object_id) == (world.globex.tenant.id, str(row.id))


def test_who_is_refused_is_told_by_which_e_mail_and_nobody_else_is(world: World) -> None:
    answer = world.come_saying(
        sub="sub-eve", userinfo={"sub": "sub-eve", "email": "e@e.example", "email_verified": True}
    )
    (entry,) = refusals()
    assert "You came as e@e.example." in answer.text
    for text in ("sub-eve", CLIENT_SECRET):
        assert text not in answer.text
    for text in ("e@e.example", "sub-eve", CLIENT_SECRET):
        assert text not in str([entry.after, entry.object_id])


@pytest.mark.parametrize(
    ("email", "sentence", "advice", "shown"),
    [
        (MISSING, "does not send your e-mail address", "Ask for it to be entered there", None),
        ("bob at acme", "e-mail address that your company", "one such as ann@example.com", "bob at acme"),
        ("b\tob@acme.example", "e-mail address that your company", "corrected there", "b?ob@acme.example"),
        (ANN.replace("a", "\u0430", 1), "cannot be used here", "corrected there", "\u0430nn"),
    ],
)
def test_an_e_mail_that_cannot_be_used_is_told_for_what_it_is(
    world: World, *, email: Any, sentence: str, advice: str, shown: str | None
) -> None:
    answer = world.come_saying(userinfo=world.told_of_bob(email=email))
    page = html.unescape(answer.text)
    assert (answer.status_code, sentence in page, advice in page) == (403, True, True)
    assert ("You came as" in page) == (shown is not None)
    assert shown is None or f"You came as {shown}" in page
    assert world.come_saying().status_code == 302, "with an e-mail that is one they come in"


@pytest.mark.parametrize("key", ["\0" * 32, "a" * 31 + "\0", "\u00e9" * 32, "a b" * 11, "a" * 5_000], ids=ascii)
def test_a_session_cookie_that_is_none_opens_nothing_and_breaks_nothing(world: World, key: str) -> None:
    pages = {"/": 302, "/sign-in/": 200, "/inbox/": 302, "/admin/": 302, "/oidc/callback/": 400, "/api/v1/me": 401}
    stranger = Client(raise_request_exception=False)
    found = {path: stranger.get(path).status_code for path in pages}
    stranger.cookies["sessionid"] = key
    assert found == {path: stranger.get(path).status_code for path in pages}
    assert found == pages


@pytest.mark.parametrize("name", ["ann\0", "\0", "no e-mail", "a@b@c", "a" * 5_000])
def test_an_operator_s_name_that_is_none_is_refused_with_a_sentence(world: World, name: str) -> None:
    page = Client(raise_request_exception=False)
    answer = page.post("/admin/login/", {"username": name, "password": f"x{name}"})
    assert answer.status_code == 200
    assert re.search("Null characters are not allowed|at most|Please enter the correct", answer.text)


@pytest.mark.parametrize("query", ["tenant=%00", "next=%00", "next=/inbox/%00", "for=%00", "tenant=%FF", "tenant=a%00"])
def test_a_sign_in_begun_with_odd_characters_is_no_fault_of_ours(world: World, query: str) -> None:
    answer = Client(raise_request_exception=False).get(f"/oidc/login/?{query}")
    assert answer.status_code in {302, 404}


@pytest.mark.parametrize(
    ("told", "said", "code"),
    [
        ({"email": "bob at acme.example"}, {}, "EMAIL_MALFORMED"),
        ({"email": "Bob <bob@acme.example>"}, {}, "EMAIL_MALFORMED"),
        ({"email": [BOB]}, {}, "EMAIL_MALFORMED"),
        ({"email": f"{'b' * 250}@acme.example"}, {}, "EMAIL_MALFORMED"),
        ({"email": ""}, {}, "EMAIL_MISSING"),
        ({"email": "bob\0@acme.example"}, {}, "PROVIDER_FAILED"),
        ({}, {"email": "bob\0@acme.example"}, "TOKEN_REFUSED"),
        ({}, {"name": "Bob\0"}, "TOKEN_REFUSED"),
        ({}, {"name": "Bob\ud800"}, "TOKEN_REFUSED"),
    ],
    ids=ascii,
)
def test_what_cannot_be_a_person_s_is_refused_by_its_own_code(
    world: World, told: dict[str, Any], said: dict[str, Any], code: str
) -> None:
    answer = world.come_saying(userinfo=world.told_of_bob(**told), **said)
    assert (answer.status_code, code in answer.text) == (400 if code == "PROVIDER_FAILED" else 403, True)
    (entry,) = refusals()
    assert (entry.after["code"], entry.after["reason"]) == (code, "content" if code == "TOKEN_REFUSED" else None)


def test_what_a_token_says_that_cannot_be_taken_in_is_told_by_its_place(world: World) -> None:
    world.come_saying(address={"street": "a\0b"})
    (entry,) = refusals()
    assert entry.after["detail"].startswith("Its ID token has content that cannot be read. At /address/street: ")
    assert "NUL" in entry.after["detail"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            {"issuer": "http://another.example"},
            "It calls itself 'http://another.example', and is set up as 'http://127",
        ),
        ({"authorization_endpoint": "javascript:alert(1)"}, "has no authorization_endpoint that begins with https://"),
        ({"token_endpoint": None}, "has no token_endpoint"),
        ({"jwks_uri": "http://10.0.0.1/keys"}, "adding `10.0.0.1:80` to EGRESS_ALLOW_HOSTS"),
        ({"jwks_uri": "http://10.0.0.1:1e9/keys"}, "the host or port cannot be read"),
    ],
    ids=str,
)
def test_a_provider_that_describes_itself_wrongly_is_refused_before_anybody_is_sent_there(
    world: World, more: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.issuer.more = more
    answer = world.client.get("/oidc/login/")
    assert (answer.status_code, "PROVIDER_FAILED" in answer.text) == (400, True)
    (entry,) = refusals()
    assert why in entry.after["detail"]
    assert why in caplog.text, "the log says the same"


def test_a_client_the_provider_refuses_is_told_as_that(world: World) -> None:
    refusal = Answer(401, {"error": "invalid_client", "error_description": "secret of ours"})
    world.issuer.server.route("POST", "/token", refusal)
    assert world.come_saying().status_code == 400
    (entry,) = refusals()
    assert entry.after["detail"] == f"{world.issuer.url}/token answered 401 with invalid_client."


def test_a_provider_that_does_not_answer_costs_five_seconds(world: World) -> None:
    begun = begin(world.client)
    world.issuer.server.route("POST", "/token", Answer(delay_seconds=8))
    began = time.monotonic()
    answer = world.come_with(begun, sign(world.claims(begun)))
    assert (answer.status_code, "PROVIDER_FAILED" in answer.text) == (400, True)
    assert time.monotonic() - began < 7
