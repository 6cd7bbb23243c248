"""A subscription from its making to its end: an endpoint is told of all runs, signed and numbered."""

from standardwebhooks import Webhook

from tenants.models import Tenant
from tests.support.engine import queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.webhooks import ENDPOINTS, client_for, deliveries_to, make_endpoint, wait_for_statuses

DOCUMENT = segment(step("one", "transform", expression="input"))
BROKEN = segment(step("broken", "transform", expression="input.missing"))


def test_an_endpoint_is_told_how_runs_end_until_it_is_deleted(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    client = client_for(acme)
    before = queue_run(acme, DOCUMENT)
    with running_host():
        wait_until_over(before)
        made = make_endpoint(client, f"{receiver.url}/hook")
        first = queue_run(acme, DOCUMENT)
        wait_for_statuses(made["id"], ["delivered"])
        second = queue_run(acme, BROKEN)
        wait_for_statuses(made["id"], ["delivered"] * 2)
        assert [one["id"] for one in client.get(ENDPOINTS).json()["data"]] == [made["id"]]
        assert client.delete(f"{ENDPOINTS}/{made['id']}").status_code == 204
        wait_until_over(queue_run(acme, DOCUMENT))
    told = [Webhook(made["secret"]).verify(call.body, call.headers) for call in receiver.calls]
    assert [(one["run_id"], one["type"], one["sequence"], one["previous_sequence"]) for one in told] == [
        (str(first), "segment.completed", 1, 0),
        (str(second), "segment.failed", 2, 1),
    ]
    assert {one["endpoint_id"] for one in told} == {made["id"]}
    assert told[0]["output"] == {"n": 1}
    assert client.get(ENDPOINTS).json()["data"] == []
    assert len(deliveries_to(made["id"])) == 2, "its log stays for a while"
