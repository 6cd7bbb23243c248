"""Everything that grows has a retention: what is older goes, in batches; what may not go stays."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from rest_framework.test import APIClient

from devserver.folders import CHECKOUT
from foundation.scope import unscoped
from humantasks.models import HumanTask, Notice
from kernel.clock import utc_now
from kernel.ids import new_id
from runs.lifecycle import retention as retention_of_runs
from runs.models import Delivery, IdempotencyKey, Run, RunEvent, RunStatus, UsageDay, UsageEntry
from segments.models import Revision
from tenants.lifecycle.protocols import retention_rules
from tenants.lifecycle.retention import sweep_retention
from tenants.models import Invitation, RetentionFigure, Tenant
from tests.conftest import Customer
from tests.support.console import a_delivery, a_run, a_world, an_event
from tests.support.definitions import steps_in_a_row

PAGE = CHECKOUT / "docs/reference/retention.md"
Api = Callable[[Customer], APIClient]


def ago(days: float) -> Any:
    return utc_now() - timedelta(days=days)


def ended_run(customer: Customer, days: float, *, events: int = 1) -> Run:
    """A finished run of a tenant with a journal, and a task, a mail and a delivery of it."""
    with unscoped("rows for a test"):
        revision = Revision.objects.filter(tenant=customer.tenant).first() or a_world(customer.tenant).revision
    run = a_run(revision, status=RunStatus.COMPLETED, ended_at=ago(days))
    for number in range(events):
        an_event(run, type_="segment.started", payload={"n": number})
    a_delivery(run)
    return run


def left() -> set[Any]:
    with unscoped("tests look at everything"):
        return set(Run.objects.values_list("id", flat=True))


def keep(tenant: Tenant, days: int | None) -> None:
    with unscoped("as an operator does in the console"):
        Tenant.objects.filter(id=tenant.id).update(retention_days=days)


def test_every_model_stands_in_one_rule_and_the_docs_have_every_rule() -> None:
    named = [label for rule in retention_rules() for label in rule.models]
    assert sorted(named) == sorted(model._meta.label for model in apps.get_models())
    rows = [
        f"| {rule.kind} | {', '.join(f'`{label}`' for label in rule.models)} | {rule.keeps} |"
        for rule in retention_rules()
    ]
    assert [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:] == rows
    for rule in retention_rules():
        assert not rule.since or rule.counted_model._meta.get_field(rule.since)


def test_runs_go_with_all_that_hangs_on_them_after_the_days_of_their_tenant(
    acme: Customer, globex: Customer, settings: Any
) -> None:
    old, young, foreign = ended_run(acme, 31), ended_run(acme, 29), ended_run(globex, 31)
    before = left()
    sweep_retention()
    assert left() == before, "nobody has said that they go"
    keep(acme.tenant, 30)
    sweep_retention()
    assert before - left() == {old.id}
    with unscoped("tests look at everything"):
        assert not RunEvent.objects.filter(run_id=old.id).exists()
        assert not Delivery.objects.filter(run_id=old.id).exists()
        assert RunEvent.objects.filter(run_id=young.id).exists()
    settings.RUN_RETENTION_DAYS = 28
    sweep_retention()
    assert before - left() == {old.id, foreign.id}, "acme's own 30 days go before the installation's 28"
    keep(acme.tenant, None)
    sweep_retention()
    assert before - left() == {old.id, foreign.id, young.id}


def test_runs_that_are_not_over_or_have_a_callback_to_deliver_are_kept(acme: Customer) -> None:
    waiting = a_run(a_world(acme.tenant).revision, status=RunStatus.WAITING, created_at=ago(900))
    owes, done = ended_run(acme, 900), ended_run(acme, 900)
    with unscoped("rows for a test"):
        Delivery.objects.filter(run=owes).update(status="pending", next_at=utc_now(), ended_at=None)
    keep(acme.tenant, 1)
    sweep_retention()
    assert {waiting.id, owes.id} <= left()
    assert done.id not in left()


def test_a_batch_is_bounded_by_events_and_a_long_run_goes_alone(
    acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [ended_run(acme, 40 - number, events=events) for number, events in enumerate([5, 2, 2, 1])]
    keep(acme.tenant, 1)
    monkeypatch.setattr(retention_of_runs, "BATCH_EVENTS", 4)
    gone = []
    for _ in range(3):
        before = left()
        assert retention_of_runs.sweep_runs() > 0
        gone.append(len(before - left()))
    assert gone == [1, 2, 1]
    assert retention_of_runs.sweep_runs() == 0
    assert not left() & {run.id for run in runs}


def test_a_sweep_that_is_killed_half_way_is_finished_by_the_next(
    acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        ended_run(acme, 40 + number)
    keep(acme.tenant, 1)
    before = len(left())
    monkeypatch.setattr(retention_of_runs, "BATCH_EVENTS", 1)
    real, asked = retention_of_runs.remove_rows, []

    def dies_at_the_second(*args: Any) -> int:
        asked.append(args)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(retention_of_runs, "remove_rows", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            sweep_retention()
    assert before - len(left()) == 1
    sweep_retention()
    assert before - len(left()) == 3


def test_each_other_kind_goes_in_its_time_and_not_before(acme: Customer, api: Api) -> None:
    world = a_world(acme.tenant)
    old = ago(2_000)
    client = api(acme)
    body = {"segment": steps_in_a_row("input")}
    assert client.post("/api/v1/runs", body, headers={"Idempotency-Key": "k1"}).status_code == 202
    with unscoped("time goes by"):
        delivery = a_delivery(world.run, seq=7)
        Session.objects.create(session_key="a" * 32, session_data="", expire_date=utc_now() + timedelta(hours=1))
        Notice.objects.create(
            tenant=acme.tenant, task=HumanTask.objects.get(run=world.run), kind="asked", created_at=old
        )
    sweep_retention()
    kept: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
        (IdempotencyKey, {"key": "k1"}, {"created_at": ago(1.1)}),
        (Session, {"session_key": "a" * 32}, {"expire_date": ago(0.1)}),
        (Delivery, {"id": delivery.id}, {"ended_at": old}),
        (Notice, {"next_at": None}, {"created_at": old}),
        (UsageEntry, {"tenant": acme.tenant}, {"at": old}),
        (UsageDay, {"tenant": acme.tenant}, {"day": old.date()}),
        (Invitation, {"tenant": acme.tenant}, {"expires_at": old}),
    ]
    with unscoped("time goes by"):
        for model, which, aged in kept:
            assert model.objects.filter(**which).update(**aged) > 0, model
    sweep_retention()
    with unscoped("tests look at everything"):
        for model, which, _ in kept:
            assert not model.objects.filter(**which).exists(), model
        assert Notice.objects.count() == 1, "a mail that is still to be sent stays, however old"
        assert Run.objects.filter(id=world.run.id).exists()


def test_a_definition_that_came_along_goes_when_no_run_refers_to_it(acme: Customer, api: Api) -> None:
    client, body = api(acme), {"segment": steps_in_a_row("input")}
    first = client.post("/api/v1/runs", body).json()
    with unscoped("time goes by"):
        Revision.objects.update(created_at=ago(3))
    assert retention_of_runs.sweep_inline_revisions() == 0, "a run refers to it"
    with unscoped("time goes by"):
        Run.objects.filter(id=first["run_id"]).update(status="completed", wake_at=None, ended_at=ago(3))
    keep(acme.tenant, 1)
    assert retention_of_runs.sweep_runs() > 0
    assert retention_of_runs.sweep_inline_revisions() == 1
    assert client.post("/api/v1/runs", body).status_code == 202, "it comes along again"


@pytest.mark.django_db(transaction=True)
def test_a_start_whose_definition_is_swept_away_at_that_moment_begins_again(
    acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs import services  # noqa: PLC0415 - what is broken for this test alone

    client, body = api(acme), {"segment": steps_in_a_row("input")}
    assert client.post("/api/v1/runs", body).status_code == 202
    real, lost = services.store_inline, []

    def swept(**asked: Any) -> Revision:
        revision = real(**asked)
        if not lost:
            lost.append(revision)
            return Revision(id=new_id(), tenant=revision.tenant, definition=revision.definition)
        return revision

    monkeypatch.setattr(services, "store_inline", swept)
    assert client.post("/api/v1/runs", body).status_code == 202
    assert len(lost) == 1


def test_figures_say_how_much_there_is_and_how_old_it_is(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_run(acme, 12)
    ended_run(acme, 3)
    sweep_retention()
    figure = RetentionFigure.objects.get(kind="runs")
    assert (figure.rows, figure.is_estimate, figure.removed) == (3, False, 0), "and the world's own"
    assert figure.oldest_at is not None
    assert abs((utc_now() - figure.oldest_at).total_seconds() - 12 * 86_400) < 600
    keep(acme.tenant, 10)
    sweep_retention()
    figure = RetentionFigure.objects.get(kind="runs")
    assert (figure.rows, figure.removed) == (2, 4), "the run with its event, its delivery and that one's try"
    assert {rule.kind for rule in retention_rules()} == set(RetentionFigure.objects.values_list("kind", flat=True))
    monkeypatch.setattr("tenants.lifecycle.retention.MAX_COUNTED_ROWS", 1)
    sweep_retention()
    figure = RetentionFigure.objects.get(kind="runs")
    assert figure.is_estimate
    assert figure.rows >= 2
