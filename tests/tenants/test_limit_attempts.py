"""Wrong keys, tokens and sign-ins are counted by address and by account, in nobody's way who is right."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.test import Client

from kernel.admission import REQUESTER, Admission, AdmissionBounds, RequestKind, share_of_address
from kernel.clock import utc_now
from tenants.access import attempts, keys
from tenants.access.rate_limits import rate_limits
from tenants.access.tokens import PREFIX, TokenFacts, write_token
from tenants.errors import KeyRefused, TooManyAttempts
from tenants.members.services import invite_member
from tenants.selectors import find_caller
from tenants.services import create_api_key, revoke_api_key
from tenants.sign_in.metadata import directory
from tests.conftest import Customer
from tests.support.engine import wait_for
from tests.support.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, sign_in
from tests.support.server import NO_TLS, ServerProcess, running_server

MOST = 10
ANN = "ann@acme.example"


@pytest.fixture(autouse=True)
def few(settings: Any) -> None:
    settings.WRONG_CREDENTIALS_PER_MINUTE = MOST
    rate_limits().forget_all()


def made_up() -> str:
    return keys.new_key().reveal()


def guess_of(customer: Customer) -> str:
    """A key with the public id of a customer's, and another secret."""
    known = keys.read_key(customer.key)
    assert known is not None
    return keys.KeyText(known.public_id, keys.new_key().secret).reveal()


@contextmanager
def served_from(address: str) -> Iterator[None]:
    """Work for a stranger at an address."""
    share, bounds = share_of_address(address), AdmissionBounds(100, 100)
    admission = Admission({RequestKind.REQUEST: bounds, RequestKind.STREAM: bounds})
    token = REQUESTER.set(admission.enter((RequestKind.REQUEST,), share, share))
    try:
        yield
    finally:
        REQUESTER.reset(token)


def answer_to(key: str, address: str) -> str:
    with served_from(address):
        try:
            return str(find_caller(key_text=key).tenant.slug)
        except (KeyRefused, TooManyAttempts) as error:
            return error.code


def test_an_address_with_too_many_is_closed_to_strangers_until_its_minute_is_over(
    acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "WINDOW_SECONDS", 2)
    told = Counter(answer_to(key, "198.51.100.1") for key in [made_up(), "x", f"{PREFIX}x.y", guess_of(acme)] * 5)
    assert told == {"KEY_REFUSED": MOST, "TOO_MANY_ATTEMPTS": 10}
    assert answer_to(acme.key, "198.51.100.1") == "TOO_MANY_ATTEMPTS", "nothing a stranger shows is looked at"
    assert answer_to(acme.key, "198.51.100.2") == "acme"
    wait_for(lambda: answer_to(made_up(), "198.51.100.1") == "KEY_REFUSED")


def test_a_network_of_ipv6_is_one_address(acme: Customer) -> None:
    told = Counter(answer_to(made_up(), f"2001:db8:7::{number}") for number in range(1, 13))
    assert told == {"KEY_REFUSED": MOST, "TOO_MANY_ATTEMPTS": 2}


def test_guesses_at_one_key_are_told_to_wait_from_wherever_and_its_owner_is_let_in(acme: Customer) -> None:
    told = [answer_to(guess_of(acme), f"198.51.100.{number}") for number in range(20, 45)]
    assert told == ["KEY_REFUSED"] * attempts.MAX_PER_ACCOUNT + ["TOO_MANY_ATTEMPTS"] * 5
    assert answer_to(acme.key, "198.51.100.60") == "acme"
    strange = keys.new_key()
    told = [answer_to(strange.reveal(), f"198.51.100.{number}") for number in range(20, 45)]
    assert told.count("TOO_MANY_ATTEMPTS") == 5, "a key that is not there is told alike"


def test_what_was_ours_once_is_no_guess(acme: Customer, settings: Any) -> None:
    """A browser whose token has ended, a program whose key was revoked: they are refused, and not counted."""
    made = create_api_key(tenant=acme.tenant, name="second")
    revoke_api_key(tenant=acme.tenant, api_key_id=made.api_key.id)
    facts = TokenFacts(made.api_key.public_id, (), utc_now() - timedelta(minutes=1))
    over = write_token(facts, master=settings.SECRET_KEY)
    told = Counter(answer_to(text, "198.51.100.70") for text in [made.text, over] * MOST)
    assert told == {"KEY_REFUSED": 2 * MOST}
    assert answer_to(acme.key, "198.51.100.70") == "acme"


def test_without_redis_each_process_counts_for_itself(db: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/8"
    told = Counter(answer_to(made_up(), "198.51.100.80") for _ in range(12))
    assert told == {"KEY_REFUSED": MOST, "TOO_MANY_ATTEMPTS": 2}


@pytest.fixture
def server(transactional_db: None) -> Iterator[ServerProcess]:
    with running_server(WRONG_CREDENTIALS_PER_MINUTE=str(MOST)) as running:
        yield running


def ask(server: ServerProcess, key: str, address: str) -> httpx.Response:
    transport = httpx.HTTPTransport(local_address=address, verify=NO_TLS)
    with httpx.Client(base_url=server.url, transport=transport, timeout=60, trust_env=False) as client:
        return client.get("/api/v1/me", headers={"Authorization": f"Bearer {key}"})


def test_the_api_answers_429_and_whoever_was_let_in_goes_on(server: ServerProcess, acme: Customer) -> None:
    assert ask(server, acme.key, "127.0.0.5").status_code == 200
    told = Counter(ask(server, made_up(), "127.0.0.5").status_code for _ in range(MOST + 5))
    assert told == {401: MOST, 429: 5}
    limited = ask(server, made_up(), "127.0.0.5")
    assert (limited.status_code, limited.json()["code"]) == (429, "TOO_MANY_ATTEMPTS")
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert ask(server, acme.key, "127.0.0.5").status_code == 200, "a neighbour at the address who is known"
    assert ask(server, acme.key, "127.0.0.6").status_code == 200
    other = create_api_key(tenant=acme.tenant, name="not shown yet").text
    assert ask(server, other, "127.0.0.5").status_code == 429
    assert ask(server, other, "127.0.0.6").status_code == 200


@pytest.fixture
def issuer(db: None, settings: Any) -> Iterator[Issuer]:
    settings.EGRESS_ALLOW_HOSTS, settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1:*"], ["127.0.0.1/32"]
    directory.forget()
    with Issuer() as issuer:
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = issuer.url, CLIENT_ID
        settings.OIDC_CLIENT_SECRET = CLIENT_SECRET
        yield issuer


def test_refused_sign_ins_close_their_address(acme: Customer, issuer: Issuer) -> None:
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=[])
    bogus, there = "/oidc/callback/?state=nobodys&code=made-up", Client(REMOTE_ADDR="198.51.100.90")
    answers = [there.get(bogus, headers={"Accept-Language": "ru"}) for _ in range(MOST + 2)]
    assert Counter(answer.status_code for answer in answers) == {400: MOST, 429: 2}
    assert "Слишком много отклонённых входов" in answers[-1].text
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert sign_in(there, issuer, "sub-ann", ANN).status_code == 429
    assert sign_in(Client(REMOTE_ADDR="198.51.100.91"), issuer, "sub-ann", ANN).status_code == 302


def test_an_account_that_is_refused_again_and_again_waits_and_comes_in_once_it_may(
    acme: Customer, issuer: Issuer
) -> None:
    def come(number: int) -> int:
        return int(sign_in(Client(REMOTE_ADDR=f"198.51.100.{number}"), issuer, "sub-ann", ANN).status_code)

    told = [come(number) for number in range(100, 123)]
    assert told == [403] * attempts.MAX_PER_ACCOUNT + [429] * 3
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=[])
    assert come(124) == 302
