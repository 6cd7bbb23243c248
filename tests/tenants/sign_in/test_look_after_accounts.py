"""Members link and unlink their own accounts, admins and operators unlink them; nobody's session gets another's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from kernel.ids import new_id
from tenants.models import Identity, Membership, Tenant, User
from tenants.sign_in.accounts import services
from tenants.sign_in.accounts.errors import LastAccount
from tenants.sign_in.accounts.rules import AccountReach
from tests.conftest import Customer
from tests.support.engine import wait_for
from tests.support.issuer import Begun, Issuer, begin_at, come_back, give_provider, sign, sign_in
from tests.support.tasks import make_member

ANN, EVE = "ann@acme.example", "eve@acme.example"
PAGE, LINK, UNLINK = "/sign-in/accounts/", "/sign-in/accounts/link/", "/sign-in/accounts/unlink/"
Api = Callable[[Customer], APIClient]


def signed_in(issuer: Issuer, customer: Customer, name: str, email: str, **query: str) -> tuple[Client, Membership]:
    member, client = make_member(customer.tenant, name), Client()
    assert sign_in(client, issuer, f"sub-{name}", email, **query).status_code == 302
    return client, member


@pytest.fixture
def ann(acme: Customer, issuer: Issuer) -> tuple[Client, Membership]:
    """She came through the installation's provider."""
    return signed_in(issuer, acme, "ann", ANN)


@pytest.fixture
def company(acme: Customer, second_issuer: Issuer) -> Issuer:
    """The tenant's own provider."""
    give_provider(acme.tenant, second_issuer)
    return second_issuer


def begin(client: Client, way: str = "company") -> Begun:
    return begin_at(client, LINK, method="POST", way=way)


def code_of(issuer: Issuer, begun: Begun, subject: str, email: str, **more: Any) -> str:
    userinfo = {"sub": subject, "email": email, "email_verified": True, **more}
    return issuer.code_for(begun, sign(issuer.claims(begun, subject)), userinfo=userinfo)


def link(client: Client, issuer: Issuer, subject: str = "sub-2", email: str = ANN, **more: Any) -> Any:
    begun = begin(client)
    return come_back(client, begun, code_of(issuer, begun, subject, email, **more))


def accounts(member: Membership) -> set[str]:
    with unscoped("looking at what was written"):
        return set(Identity.objects.filter(user=member.user_id).values_list("subject", flat=True))


def account(subject: str) -> Identity:
    with unscoped("looking at what was written"):
        return Identity.objects.get(subject=subject)


def told(action: str) -> list[Entry]:
    with unscoped("looking at what was written"):
        return list(Entry.objects.filter(action=action))


def test_a_member_links_a_further_account_and_signs_in_with_it(ann: tuple[Client, Membership], company: Issuer) -> None:
    client, member = ann
    session = dict(client.session.items())
    begun = begin(client)
    assert begun["prompt"] == "login", "they choose the account, whoever is signed in there"
    answer = come_back(client, begun, code_of(company, begun, "sub-2", ANN))
    assert answer["Location"] == f"{PAGE}?linked=1"
    assert "The account is linked" in client.get(answer["Location"]).text
    assert accounts(member) == {"sub-ann", "sub-2"}
    assert {name: client.session[name] for name in session if name != "oidc_states"} == {
        name: value for name, value in session.items() if name != "oidc_states"
    }, "the session stays as it was"
    (entry,) = [one for one in told("member.account_linked") if one.after["issuer"] == company.url]
    assert (entry.object_id, entry.actor) == (str(member.id), f"member:{member.id}")
    other = Client()
    assert sign_in(other, company, "sub-2", ANN, tenant="acme").status_code == 302
    assert other.get("/api/v1/me").json()["member"]["member_id"] == str(member.id)
    assert link(client, company).status_code == 302, "once more changes nothing"
    assert len(told("member.account_linked")) == 2, "her first sign-in, and this"


def test_the_page_speaks_russian(ann: tuple[Client, Membership], company: Issuer) -> None:
    page = ann[0].get(PAGE, headers={"Accept-Language": "ru"}).text
    assert "Мои учётные записи" in page
    assert "Link a further account" not in page


def test_the_account_of_somebody_else_stays_theirs(
    ann: tuple[Client, Membership], acme: Customer, company: Issuer
) -> None:
    client, member = ann
    _, eve = signed_in(company, acme, "eve", EVE, tenant="acme")
    answer = link(client, company, "sub-eve", ANN)
    assert (answer.status_code, "ACCOUNT_TAKEN" in answer.text) == (403, True)
    assert (accounts(member), accounts(eve)) == ({"sub-ann"}, {"sub-eve"})
    assert link(client, company).status_code == 302, "one that is nobody's is linked"


@pytest.mark.parametrize("more", [{"email": EVE}, {"email_verified": False}, {"email": ""}], ids=str)
def test_an_account_has_to_prove_the_member_s_e_mail(
    ann: tuple[Client, Membership], company: Issuer, more: dict[str, Any]
) -> None:
    client, member = ann
    begun = begin(client)
    answer = come_back(client, begun, code_of(company, begun, "sub-2", **{"email": ANN, **more}))
    assert (answer.status_code, "ACCOUNT_EMAIL_DIFFERS" in answer.text) == (403, True)
    assert accounts(member) == {"sub-ann"}
    assert link(client, company).status_code == 302


def test_an_attacker_s_account_does_not_get_into_the_victim_s_session(
    ann: tuple[Client, Membership], acme: Customer, company: Issuer, issuer: Issuer
) -> None:
    """The attacker begins, and has the victim's browser open the answer: even one with the victim's verified e-mail."""
    victim, member = ann
    attacker, eve = signed_in(issuer, acme, "eve", EVE)
    begun = begin(attacker)
    code = code_of(company, begun, "sub-of-eve", ANN)
    answer = come_back(victim, begun, code)
    assert (answer.status_code, "STATE_REFUSED" in answer.text) == (400, True)
    assert (accounts(member), accounts(eve)) == ({"sub-ann"}, {"sub-eve"})
    assert victim.get(PAGE).status_code == 200, "the victim is who they were"
    begun = begin(victim)
    assert come_back(victim, begun, code_of(company, begun, "sub-2", ANN)).status_code == 302, "their own is linked"


def test_a_victim_s_account_does_not_get_into_the_attacker_s_session(
    ann: tuple[Client, Membership], acme: Customer, company: Issuer, issuer: Issuer
) -> None:
    """The attacker begins, the victim signs in at the provider: the answer comes back in the victim's browser."""
    victim, member = ann
    attacker, eve = signed_in(issuer, acme, "eve", EVE)
    begun = begin(attacker)
    code = code_of(company, begun, "sub-2", ANN)
    for browser in (victim, Client()):
        assert "STATE_REFUSED" in come_back(browser, begun, code).text
    assert (accounts(member), accounts(eve)) == ({"sub-ann"}, {"sub-eve"})
    with unscoped("the attacker steals the code all the same"):
        assert not Identity.objects.filter(subject="sub-2").exists()
    answer = come_back(attacker, begun, code)
    assert "ACCOUNT_EMAIL_DIFFERS" in answer.text, "a stolen code gives no account of another's e-mail"


def test_no_form_of_another_site_begins_or_unlinks(ann: tuple[Client, Membership], company: Issuer) -> None:
    client, member = ann
    assert link(client, company).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    begun = {"way": "company"}
    assert strict.post(LINK, begun).status_code == 403
    assert strict.post(UNLINK, {"account": str(account("sub-2").id)}).status_code == 403
    assert strict.get(LINK, begun).status_code == 405, "a link begins nothing either"
    assert accounts(member) == {"sub-ann", "sub-2"}
    assert client.post(LINK, begun).status_code == 302


def test_a_linking_begun_is_over_when_somebody_else_has_signed_in(
    ann: tuple[Client, Membership], acme: Customer, company: Issuer, issuer: Issuer
) -> None:
    client, member = ann
    begun = begin(client)
    states = client.session["oidc_states"]
    make_member(acme.tenant, "eve")
    assert sign_in(client, issuer, "sub-eve", EVE).status_code == 302
    code = code_of(company, begun, "sub-2", EVE)
    assert "STATE_REFUSED" in come_back(client, begun, code).text
    session = client.session
    session["oidc_states"] = states
    session.save()
    assert "STATE_REFUSED" in come_back(client, begun, code).text, "nor where the state outlived it"
    assert accounts(member) == {"sub-ann"}


def test_a_member_unlinks_an_account_and_whoever_came_with_it_is_out(
    ann: tuple[Client, Membership], company: Issuer
) -> None:
    client, member = ann
    assert link(client, company).status_code == 302
    other = Client()
    assert sign_in(other, company, "sub-2", ANN, tenant="acme").status_code == 302
    assert other.get("/api/v1/me").status_code == 200
    answer = client.post(UNLINK, {"account": str(account("sub-2").id)})
    assert (answer.status_code, answer["Location"]) == (303, f"{PAGE}?unlinked=1")
    assert accounts(member) == {"sub-ann"}
    assert other.get("/api/v1/me").status_code == 401
    assert other.get("/sign-in/tenant/")["Location"].startswith("/sign-in/?next=")
    assert client.get("/api/v1/me").status_code == 200
    assert sign_in(Client(), company, "sub-2", ANN, tenant="acme").status_code == 403
    (entry,) = told("member.account_unlinked")
    assert (entry.object_id, entry.actor) == (str(member.id), f"member:{member.id}")


def test_the_last_way_in_stays_and_the_page_says_so(ann: tuple[Client, Membership], company: Issuer) -> None:
    client, member = ann
    assert "It is your only way to sign in" in client.get(PAGE).text
    mine = {"account": str(account("sub-ann").id)}
    answer = client.post(UNLINK, mine)
    assert (answer.status_code, "the only account you sign in with" in answer.text) == (403, True)
    assert accounts(member) == {"sub-ann"}
    assert link(client, company).status_code == 302
    assert client.post(UNLINK, mine).status_code == 303
    assert client.get("/api/v1/me").status_code == 401, "the one they came with is gone"


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(distinct pid) from pg_locks where not granted")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_of_two_last_accounts_unlinked_at_once_one_stays(acme: Customer) -> None:
    member = make_member(acme.tenant, "ann")
    rows = [Identity.objects.create(user=member.user, issuer="https://a.example", subject=name) for name in "ab"]

    def unlink(row: Identity) -> str:
        try:
            with unscoped("a rival"):
                services.unlink(identity=row, actor="system", allow_last=False)
        except LastAccount as error:
            return error.code
        finally:
            connection.close()
        return "unlinked"

    with ThreadPoolExecutor(2) as pool:
        with unscoped("both come while it is held"):
            User.objects.select_for_update().get(pk=member.user_id)
            under_way = [pool.submit(unlink, row) for row in rows]
            wait_for(lambda: waiting_for_locks() == 2)
        assert sorted(one.result() for one in under_way) == ["LAST_ACCOUNT", "unlinked"]
    assert len(accounts(member)) == 1


def test_another_s_account_is_not_unlinked(
    ann: tuple[Client, Membership], acme: Customer, company: Issuer, issuer: Issuer
) -> None:
    client, _ = ann
    assert link(client, company).status_code == 302
    _, eve = signed_in(issuer, acme, "eve", EVE)
    client.post(UNLINK, {"account": str(account("sub-eve").id)})
    client.post(UNLINK, {"account": "nonsense"})
    assert accounts(eve) == {"sub-eve"}


@pytest.mark.parametrize(
    ("reach", "own", "other"),
    [
        (AccountReach("https://a", is_of_installation=True, is_whole_person=False, is_operator=False), True, True),
        (AccountReach("https://a", is_of_installation=False, is_whole_person=True, is_operator=False), True, True),
        (AccountReach("https://a", is_of_installation=False, is_whole_person=False, is_operator=False), True, False),
        (AccountReach("https://a", is_of_installation=True, is_whole_person=True, is_operator=True), False, False),
        (AccountReach(None, is_of_installation=False, is_whole_person=True, is_operator=False), False, False),
    ],
)
def test_a_session_changes_no_account_that_opens_more_than_it_does(reach: AccountReach, own: bool, other: bool) -> None:
    assert (reach.covers("https://a"), reach.covers("https://b")) == (own, other)


def test_a_tenant_s_provider_gives_nobody_an_account_that_opens_another_tenant(
    acme: Customer, globex: Customer, company: Issuer, issuer: Issuer
) -> None:
    """Whoever runs acme's provider signs in as ann, who is in globex too, and would link an account of their own."""
    client, member = signed_in(company, acme, "ann", ANN, tenant="acme")
    assert "http" in client.get(PAGE).text
    with unscoped("rows for a test"):
        elsewhere = Membership.objects.create(tenant=globex.tenant, user=member.user)
    assert "LINKING_REFUSED" in client.post(LINK, {"way": "installation"}).text
    with unscoped("rows for a test"):
        elsewhere.delete()
    assert client.post(LINK, {"way": "installation"}).status_code == 302


def test_an_operator_s_accounts_are_changed_by_no_member_s_session(
    ann: tuple[Client, Membership], company: Issuer
) -> None:
    client, member = ann
    begun = begin(client)
    User.objects.filter(id=member.user_id).update(is_staff=True)
    assert "LINKING_REFUSED" in come_back(client, begun, code_of(company, begun, "sub-2", ANN)).text
    assert accounts(member) == {"sub-ann"}


def test_ten_accounts_are_all(ann: tuple[Client, Membership], company: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    client, member = ann
    monkeypatch.setattr(services, "MAX_ACCOUNTS", 1)
    assert "TOO_MANY_ACCOUNTS" in link(client, company).text
    monkeypatch.undo()
    assert link(client, company).status_code == 302
    assert len(accounts(member)) == 2


def test_a_tenant_s_admin_reads_and_unlinks_the_last_one_only_when_they_say_so(
    ann: tuple[Client, Membership], acme: Customer, api: Api
) -> None:
    client, member = ann
    address = f"/api/v1/members/{member.id}/accounts"
    (row,) = api(acme).get(address).json()["data"]
    assert row["subject"] == "sub-ann"
    refused = api(acme).delete(f"{address}/{row['account_id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "LAST_ACCOUNT")
    assert "to keep them out, deactivate the member" in refused.json()["detail"]
    assert api(acme).delete(f"{address}/{new_id()}").json()["code"] == "ACCOUNT_NOT_FOUND"
    assert client.get("/api/v1/me").status_code == 200
    assert api(acme).delete(f"{address}/{row['account_id']}?allow_last=true").status_code == 204
    assert api(acme).get(address).json()["data"] == []
    assert client.get("/api/v1/me").status_code == 401
    (entry,) = told("member.account_unlinked")
    assert entry.actor.startswith("key:")


def make_member_elsewhere(member: Membership) -> None:
    elsewhere = Tenant.objects.create(slug="elsewhere", name="Elsewhere")
    Membership.objects.create(tenant=elsewhere, user=member.user)


def make_operator(member: Membership) -> None:
    User.objects.filter(id=member.user_id).update(is_staff=True)


@pytest.mark.parametrize("change", [make_member_elsewhere, make_operator])
def test_a_tenant_s_admin_unlinks_nothing_that_opens_more_than_the_tenant(
    ann: tuple[Client, Membership], acme: Customer, api: Api, change: Callable[[Membership], None]
) -> None:
    _, member = ann
    with unscoped("rows for a test"):
        change(member)
    address = f"/api/v1/members/{member.id}/accounts/{account('sub-ann').id}?allow_last=true"
    assert api(acme).delete(address).json()["code"] == "ACCOUNT_SHARED"
    assert accounts(member) == {"sub-ann"}
