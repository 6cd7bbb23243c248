"""Deliveries leave by the one door: judged at each try by the tenant's own policy."""

from typing import Any

import pytest
from standardwebhooks import Webhook

from foundation.scope import unscoped
from runs.errors import CallbackRefused
from runs.models import Run
from tenants.callback_signing.secrets import ensure_callback_secret
from tenants.models import CallbackSecret, Tenant
from tests.support.callbacks import delivery_of, log_of, new_secret, set_due, start_with_callback, wait_for_status
from tests.support.engine import wait_for
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer

METADATA = "http://169.254.169.254/latest/meta-data"


def test_what_was_allowed_at_the_start_is_judged_again_before_a_socket_is_opened(
    acme: Tenant, receiver: CountingServer, settings: Any
) -> None:
    receiver.route("POST", "/hook", Answer(200))
    allowed = start_with_callback(acme, f"{receiver.url}/hook")
    with running_host():
        wait_for_status(allowed, "delivered")
    connections = receiver.connections
    later = start_with_callback(acme, f"{receiver.url}/hook")
    settings.EGRESS_ALLOW_HOSTS = []
    with running_host():
        wait_for_status(later, "blocked")
    assert receiver.connections == connections
    (attempt,) = log_of(later)
    assert (attempt.status_code, attempt.error_code) == (None, "EGRESS_BLOCKED")


@pytest.mark.parametrize(
    "url", [METADATA, METADATA.replace("http", "https"), "https://127.0.0.2/x", "http://example.com/"]
)
def test_an_address_the_policy_forbids_is_refused_at_the_start(
    acme: Tenant, receiver: CountingServer, url: str
) -> None:
    start_with_callback(acme, f"{receiver.url}/hook")
    with pytest.raises(CallbackRefused) as refused:
        start_with_callback(acme, url)
    assert [(error.code, error.pointer) for error in refused.value.errors] == [("EGRESS_BLOCKED", "/callback/url")]
    with unscoped("tests look everywhere"):
        assert Run.objects.count() == 1


def test_the_policy_is_the_tenant_s_own(acme: Tenant, globex: Tenant, receiver: CountingServer, settings: Any) -> None:
    receiver.route("POST", "/hook", Answer(200))
    settings.EGRESS_ALLOW_HOSTS = []
    acme.egress_allow_hosts = ["127.0.0.1:*"]
    with unscoped("the operator lists a host"):
        acme.save()
    with running_host():
        wait_for_status(start_with_callback(acme, f"{receiver.url}/hook"), "delivered")
    with pytest.raises(CallbackRefused):
        start_with_callback(globex, f"{receiver.url}/hook")
    run_id = start_with_callback(acme, f"{receiver.url}/hook")
    with unscoped("the operator takes it back"):
        Tenant.objects.update(egress_allow_hosts=[])
    with running_host():
        wait_for_status(run_id, "blocked")
    assert receiver.count() == 1


def test_each_tenant_s_deliveries_have_its_own_signature(
    acme: Tenant, globex: Tenant, receiver: CountingServer
) -> None:
    receiver.route("POST", "/*", Answer(200))
    secrets = {"/acme": new_secret(acme), "/globex": new_secret(globex)}
    with running_host():
        for tenant in (acme, globex):
            wait_for_status(start_with_callback(tenant, f"{receiver.url}/{tenant.slug}"), "delivered")
    for call in receiver.calls:
        Webhook(secrets[call.path]).verify(call.body, call.headers)


def test_a_secret_that_cannot_be_opened_is_an_error_that_may_pass(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    ensure_callback_secret(tenant=acme)
    with unscoped("as if the key were lost"):
        sealed = CallbackSecret.objects.get().secret
        CallbackSecret.objects.update(secret=sealed.replace("s1.development", "s1.lost"))
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for(lambda: len(log_of(run_id)) == 1)
    assert (log_of(run_id)[0].error_code, delivery_of(run_id).status) == ("SECRET_UNREADABLE", "pending")
    assert receiver.count() == 0
    with running_host():
        new_secret(acme)
        set_due(run_id)
        wait_for_status(run_id, "delivered")
