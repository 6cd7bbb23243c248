"""Every page for people, every foreign task, run and member: 404, word for word as for one that never was.

The pages come from the URL resolver. A new one fails here until it has an entry below.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

from foundation.scope import unscoped
from humantasks.models import HumanTask, TaskDecision
from kernel.ids import new_id
from tenants.models import Identity, Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, again, client_of
from tests.support.walls import CANARY, ONE_WALL, open_managers, open_policies

BY_OBJECT = {
    "inbox/tasks/<uuid:task_id>/": ("GET",),
    "inbox/tasks/<uuid:task_id>/claim/": ("POST",),
    "inbox/tasks/<uuid:task_id>/release/": ("POST",),
    "inbox/tasks/<uuid:task_id>/delegate/": ("POST",),
    "inbox/tasks/<uuid:task_id>/comment/": ("POST",),
    "inbox/tasks/<uuid:task_id>/decide/": ("POST",),
    "inbox/tasks/<uuid:task_id>/receipt/": ("GET",),
    "inbox/runs/<uuid:run_id>/": ("GET",),
}
"""Pages that name an object of a tenant, with the methods that do something."""
OF_THE_MEMBER = {
    "inbox/",
    "inbox/absence/",
    "inbox/together/",
    "sign-in/tenant/",
    "sign-in/accounts/",
    "sign-in/accounts/link/",
    "sign-in/accounts/unlink/",
}
"""Pages that answer about who is signed in; what may name an object of others there is sent below."""
OF_NOBODY = {
    "",
    "canvas/",
    "favicon.ico",
    "metrics",
    "sign-in/",
    "oidc/login/",
    "oidc/callback/",
    "oidc/logout/",
    "api/docs/",
    "api/schema/",
    r"api/^[\s\S]*$",
}
"""Pages that show nothing of any tenant."""
BOXES = ("mine", "groups", "all", "done")
LIST = "/inbox/?box=groups"
FORM = "application/x-www-form-urlencoded"
BY_SECRET = {"resume/<str:token>": "the token is a secret of one run: tests/runs/engine/test_wait_for_calls.py"}


@dataclass(frozen=True)
class Foreign:
    """What globex has, as acme's people would have to name it."""

    task: HumanTask
    member: Membership
    account: Identity

    def address(self, route: str, *, never: UUID | None = None) -> str:
        names = {"task_id": never or self.task.id, "run_id": never or self.task.run_id}
        return "/" + re.sub(r"<uuid:(\w+)>", lambda name: str(names[name[1]]), route)


@pytest.fixture
def foreign(globex: Customer) -> Foreign:
    task = a_task(globex.tenant, title=CANARY, description=CANARY, data={"text": CANARY}, candidate_groups=[])
    member = a_member(globex.tenant, CANARY)
    account = Identity.objects.create(user=member.user, issuer=f"https://{CANARY}.example", subject=CANARY)
    return Foreign(task, member, account)


@pytest.fixture
def browser(ann: Membership) -> Client:
    return client_of(ann)


@pytest.fixture(params=ONE_WALL)
def one_wall(request: pytest.FixtureRequest, foreign: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one of the two walls down."""
    if request.param == "policies alone":
        open_managers(monkeypatch)
    else:
        open_policies()


def pages() -> set[str]:
    """The addresses of all pages but the console's."""

    def walk(resolver: URLResolver, prefix: str) -> set[str]:
        found = set()
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            found |= walk(pattern, path) if isinstance(pattern, URLResolver) else {path}
        return found

    return {path for path in walk(get_resolver(), "") if not path.startswith(("admin/", "api/v1/"))}


def words_of(answer: Any, *names: object) -> tuple[int, str]:
    """The status and the words of an answer; ids that the request names, and what differs at random, left out."""
    text = answer.content.decode()
    for name in names:
        text = text.replace(str(name), "ID")
    return answer.status_code, re.sub(r'(csrfmiddlewaretoken" value|nonce)="[^"]*"', r'\1=""', text)


def rows_of_others(globex: Customer) -> list[Any]:
    with unscoped("tests look at everything"):
        return [
            list(HumanTask.objects.filter(tenant=globex.tenant).order_by("id").values()),
            list(Membership.objects.filter(tenant=globex.tenant).order_by("id").values()),
            list(Identity.objects.order_by("id").values()),
            TaskDecision.objects.count(),
        ]


def test_every_page_has_an_entry() -> None:
    assert pages() == {*BY_OBJECT, *OF_THE_MEMBER, *OF_NOBODY, *BY_SECRET}


@pytest.mark.parametrize("route", BY_OBJECT)
def test_a_foreign_object_is_as_unknown_as_one_that_never_was(browser: Client, foreign: Foreign, route: str) -> None:
    never = new_id()
    names = (foreign.task.id, foreign.task.run_id, never)
    for method in BY_OBJECT[route]:
        posted = {"decision": "approved", "content_hash": foreign.task.content_hash, "to": str(foreign.member.id)}
        posted["remark"] = "something"
        refused = browser.generic(method, foreign.address(route), _form(posted), content_type=FORM)
        unknown = browser.generic(method, foreign.address(route, never=never), _form(posted), content_type=FORM)
        assert refused.status_code == 404, method
        assert words_of(refused, *names) == words_of(unknown, *names), method
        assert CANARY not in refused.content.decode()


def _form(posted: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in posted.items())


def test_what_one_sees_never_has_a_word_of_the_other_nor_changes_it(
    acme: Customer, globex: Customer, browser: Client, foreign: Foreign
) -> None:
    own = a_task(acme.tenant, title="Our own")
    before = rows_of_others(globex)
    task, member = str(foreign.task.id), str(foreign.member.id)
    chosen = f"{task}:{foreign.task.content_hash}"
    answers = [
        *(browser.get("/inbox/", {"box": box}) for box in BOXES),
        browser.get("/inbox/", {"box": "groups", "segment": "refund"}),
        browser.get("/inbox/absence/"),
        browser.post("/inbox/absence/", {"away_from": "2026-12-24T00:00", "stands_in": member}),
        browser.get("/inbox/together/", {"task": [task, str(own.id)]}),
        browser.post("/inbox/together/", {"task": [chosen], "decision": "approved", "comment": ""}),
        browser.post(f"/inbox/tasks/{own.id}/delegate/", {"to": member}),
        browser.get("/sign-in/tenant/"),
        browser.post("/sign-in/tenant/", {"tenant": str(globex.tenant.id)}),
        browser.get("/sign-in/accounts/"),
        browser.post("/sign-in/accounts/link/", {"way": CANARY}),
        browser.post("/sign-in/accounts/unlink/", {"account": str(foreign.account.id)}),
        browser.get("/inbox/"),
        *(browser.generic(method, foreign.address(route)) for route, ways in BY_OBJECT.items() for method in ways),
    ]
    assert "Our own" in answers[1].content.decode()
    for answer in answers:
        assert answer.status_code < 500
        assert CANARY not in answer.content.decode(), answer.request
    assert rows_of_others(globex) == before
    assert again(own).assignee_id is None


@pytest.mark.usefixtures("one_wall")
def test_either_wall_alone_keeps_them_apart(
    acme: Customer, globex: Customer, browser: Client, foreign: Foreign
) -> None:
    for route in BY_OBJECT:
        test_a_foreign_object_is_as_unknown_as_one_that_never_was(browser, foreign, route)
    test_what_one_sees_never_has_a_word_of_the_other_nor_changes_it(acme, globex, browser, foreign)


def test_without_either_wall_the_other_s_rows_are_seen(
    browser: Client, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the matrix would find."""
    open_policies()
    task, run = (foreign.address(route) for route in ("inbox/tasks/<uuid:task_id>/", "inbox/runs/<uuid:run_id>/"))
    assert [browser.get(address).status_code for address in (task, run)] == [404, 404]
    assert CANARY not in browser.get(LIST).content.decode()
    open_managers(monkeypatch)
    for address in (task, run, LIST):
        assert CANARY in browser.get(address).content.decode(), address
