"""A provider of language models that no worker has stalls the runs that need it; they go on once it is back."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from examples.model_server import ModelServer
from foundation.scope import unscoped
from runs.commands import command_run
from runs.models import SignalKind
from runs.providers.registry import BUILTIN, provider_factories
from runs.services import StartRequest, start_run
from runs.steps import registry as registries
from tenants.models import Connection, Tenant
from tests.support.engine import event_types, get_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.model_runs import ask_step, connect_model
from tests.support.segments import segment


@pytest.fixture(autouse=True)
def patience(settings: Any) -> None:
    settings.STEP_TYPE_PATIENCE_SECONDS = 1.5
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Install the package with the provider ``parrot``."""

    def install() -> None:
        monkeypatch.setitem(BUILTIN, "parrot", BUILTIN["openai"])
        forget()

    def forget() -> None:
        provider_factories.cache_clear()
        registries.registry.cache_clear()

    yield install
    monkeypatch.undo()
    forget()


def lose_package(tenant: Tenant, ref: str) -> None:
    """Have a connection name a provider that was installed when it was saved."""
    with unscoped("stands in for a package that has gone"):
        Connection.objects.filter(tenant=tenant, ref=ref).update(provider="parrot")


def start(tenant: Tenant, **config: Any) -> UUID:
    document = segment(ask_step(prompt="Hello?", **config))
    return start_run(
        tenant=tenant, api_key=None, actor="user:1", spec=StartRequest(input={}, definition=document)
    ).run.id


def resume(tenant: Tenant, run_id: UUID) -> None:
    command_run(tenant=tenant, actor="user:1", run_id=run_id, command=SignalKind.RESUME)


def test_a_run_is_stalled_and_goes_on_when_the_provider_is_back(
    acme: Tenant, models: ModelServer, install: Callable[[], None]
) -> None:
    for ref in ("default", "gone"):
        connect_model(acme, models, ref)
    lose_package(acme, "gone")
    whole, hit = start(acme), start(acme, llm_ref="gone")
    with running_host():
        assert wait_until_over(whole) == ["completed"]
        wait_for(lambda: get_run(hit).status == "stalled")
    error = get_run(hit).error
    assert (error["code"], "provider:parrot" in error["message"]) == ("STEP_TYPE_UNAVAILABLE", True)
    assert event_types(hit) == ["segment.started", "segment.paused"], "no step has failed"
    install()
    with running_host():
        resume(acme, hit)
        assert wait_until_over(hit) == ["completed"]
    assert get_run(hit).output == get_run(whole).output


def test_it_goes_on_when_its_connection_names_another_provider(acme: Tenant, models: ModelServer) -> None:
    connect_model(acme, models)
    lose_package(acme, "default")
    run_id = start(acme)
    with running_host():
        wait_for(lambda: get_run(run_id).status == "stalled")
        connect_model(acme, models)
        resume(acme, run_id)
        assert wait_until_over(run_id) == ["completed"]


def test_a_step_that_has_another_model_to_ask_waits_for_none(acme: Tenant, models: ModelServer) -> None:
    for ref in ("default", "gone"):
        connect_model(acme, models, ref)
    lose_package(acme, "gone")
    with running_host():
        assert wait_until_over(start(acme, llm_ref="gone", fallback=["default"])) == ["completed"]
