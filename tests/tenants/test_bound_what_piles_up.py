"""Everything a tenant can pile up has a bound, and docs/reference/bounds.md has all of them."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.reading import jobs
from devserver.folders import CHECKOUT
from humantasks.lifecycle import MAX_WAITING
from humantasks.rules import MAX_REMARK_LENGTH, MAX_REMARKS
from llmteam.api.content import MAX_BODY_BYTES
from runs import commands
from runs.callbacks.schedule import MAX_TRIES
from runs.core.journal import MAX_JOURNAL_BYTES
from runs.resuming.services import MAX_EARLY_CALLS
from runs.webhooks.bounds import MAX_ENDPOINTS
from runs.webhooks.bounds import MAX_WAITING as WEBHOOK_WAITING
from segments.definition.model import MAX_RUN_ACTIVATIONS
from tenants.access.key_bounds import MAX_LIVE, MAX_MADE_A_DAY
from tenants.admin_mails.services import MAX_ADMINS
from tenants.lifecycle.exports import MAX_KEPT
from tenants.lifecycle.tables import label_of, tenant_models
from tenants.limits.errors import TooManyKept
from tenants.limits.room import BOUNDS, check_room
from tenants.members.services import join_by_domain
from tenants.models import User
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

PAGE = (CHECKOUT / "docs/reference/bounds.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
Api = Callable[[Customer], APIClient]
MIB = 2**20


def row_of(label: str) -> str:
    return next(" ".join(row) for row in ROWS if f"`{label}`" in row[1])


def test_every_table_of_a_tenant_stands_on_the_page_with_what_bounds_it() -> None:
    told = {label for row in ROWS for label in re.findall(r"`(\w+\.\w+)`", row[1])}
    assert told == {label_of(model) for model in tenant_models()}
    assert all(len(row) == 5 and all(row) for row in ROWS)


def test_bounds_of_what_is_made_by_hand_stand_with_the_sentence_they_refuse_with() -> None:
    rows = {row[2].strip("`"): row for row in ROWS if row[2].strip("`") in BOUNDS}
    assert rows.keys() == BOUNDS.keys()
    for name, bound in BOUNDS.items():
        check_room(name, bound.most - 1)
        with pytest.raises(TooManyKept) as refused:
            check_room(name, bound.most)
        assert rows[name][3] == f"{bound.most:,}"
        assert rows[name][4].startswith(refused.value.detail)


@pytest.mark.parametrize(
    ("label", "figure"),
    [
        ("runs.RunEvent", f"{MAX_JOURNAL_BYTES // MIB} MiB"),
        ("runs.RunEvent", f"{MAX_RUN_ACTIVATIONS:,} activations"),
        ("runs.Signal", f"{MAX_EARLY_CALLS} calls that come early"),
        ("runs.Signal", f"{commands.MAX_COMMANDS} commands"),
        ("runs.DeliveryAttempt", f"{MAX_TRIES} tries"),
        ("runs.WebhookEndpoint", f"{MAX_ENDPOINTS:,} endpoints; {WEBHOOK_WAITING:,} events that wait"),
        ("humantasks.HumanTask", f"{MAX_RUN_ACTIVATIONS:,} activations"),
        ("humantasks.TaskComment", f"{MAX_REMARKS} a task, each of at most {MAX_REMARK_LENGTH:,} characters"),
        ("humantasks.Notice", f"{MAX_WAITING:,} that wait"),
        ("tenants.AdminMail", f"{MAX_ADMINS} admins"),
        ("tenants.ApiKey", f"{MAX_LIVE} live, {MAX_MADE_A_DAY} made a day"),
        ("audit.LogVerification", f"{jobs.MAX_KEPT} kept"),
        ("tenants.TenantExport", f"{MAX_KEPT} kept"),
    ],
)
def test_figures_of_the_page_are_those_of_the_code(label: str, figure: str) -> None:
    assert figure in row_of(label)


def test_the_bound_of_a_body_is_told() -> None:
    assert next(row for row in ROWS if row[0].startswith("bodies"))[3] == f"{MAX_BODY_BYTES // MIB} MiB"


MAKING: dict[str, Callable[[APIClient, int], Any]] = {
    "segments": lambda client, number: client.put(
        f"/api/v1/segments/s{number}", steps_in_a_row("input", segment_id=f"s{number}")
    ),
    "revisions": lambda client, number: client.put(
        "/api/v1/segments/s", steps_in_a_row(f"input + {number}", segment_id="s")
    ),
    "prompts": lambda client, number: client.put(f"/api/v1/prompts/p{number}", {"prompt": "Sort."}),
    "versions": lambda client, number: client.put("/api/v1/prompts/p", {"prompt": f"Sort {number}."}),
    "connections": lambda client, number: client.put(
        f"/api/v1/connections/c{number}", {"kind": "http", "base_url": "https://crm.example.com/api"}
    ),
    "members": lambda client, number: client.post("/api/v1/invitations", {"email": f"m{number}@acme.example"}),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BOUNDS)
def test_as_many_as_may_be_are_made_and_one_more_is_refused_with_a_sentence(
    acme: Customer, globex: Customer, api: Api, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(BOUNDS, name, replace(BOUNDS[name], most=2))  # type: ignore[arg-type]  # a dict, for this
    client, make = api(acme), MAKING[name]
    assert [make(client, number).status_code for number in (1, 2)] == [201, 201]
    refused = make(client, 3)
    assert (refused.status_code, refused.json()["code"]) == (409, "TOO_MANY_KEPT")
    assert {fact: refused.json()[fact] for fact in ("limit", "used", "cap")} == {"limit": name, "used": 2, "cap": 2}
    assert refused.json()["detail"].startswith(f"{BOUNDS[name].whose} has at most 2 {name}.")
    assert make(client, 2).status_code in {200, 201}, "what is there is saved again"
    assert make(client, 3).status_code == 409, "nothing of it was kept"
    assert make(api(globex), 3).status_code == 201


@pytest.mark.django_db
def test_commands_that_no_host_takes_are_bounded_and_a_run_can_always_be_cancelled(
    acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MAX_COMMANDS", 4)
    client = api(acme)
    run_id = client.post("/api/v1/runs", {"segment": steps_in_a_row("input"), "input": 1}).json()["run_id"]

    def send(command: str) -> Any:
        return client.post(f"/api/v1/runs/{run_id}/{command}", {})

    assert {send(command).status_code for command in ("pause", "resume", "pause", "resume")} <= {200, 202}
    refused = send("pause")
    assert (refused.status_code, refused.json()["code"], refused.json()["used"]) == (409, "TOO_MANY_COMMANDS", 4)
    assert send("cancel").status_code in {200, 202}


@pytest.mark.django_db
def test_nobody_joins_by_domain_where_there_is_no_room(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    bob, eve = (User.objects.create(username=name, email=f"{name}@acme.example") for name in ("bob", "eve"))
    monkeypatch.setitem(BOUNDS, "members", replace(BOUNDS["members"], most=1))  # type: ignore[arg-type]  # as above
    assert join_by_domain(tenant=acme.tenant, user=bob) is not None
    assert join_by_domain(tenant=acme.tenant, user=eve) is None
    assert join_by_domain(tenant=acme.tenant, user=bob) is not None, "who is a member is one"
