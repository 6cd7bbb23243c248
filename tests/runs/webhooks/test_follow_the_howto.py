"""The page docs/howto/webhooks.md: its receiver and its commands, as they stand there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from runs.webhooks.event_types import GROUPS
from tenants.models import Tenant
from tests.support.engine import queue_run
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.webhooks import ENDPOINTS, client_for, make_endpoint, wait_for_statuses

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "howto" / "webhooks.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"curl -s (?:-X (\w+) )?\"?\$URL([^\s\"]+)\"? [^\n]*?(?:-d '([^']+)')?(?=\n)")


def documented_receiver() -> Any:
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - it is what the page tells people to run
    return names["receive"]


def test_the_documented_receiver_fills_gaps_and_takes_no_forgery(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    client, receive = client_for(acme), documented_receiver()
    made = make_endpoint(client, f"{receiver.url}/hook", event_types=["segment.started", "segment.completed"])
    with running_host():
        for count in (2, 4):
            queue_run(acme, segment(step("one", "transform", expression="input")))
            wait_for_statuses(made["id"], ["delivered"] * count)

    def read_events(after: int) -> Any:
        return client.get(f"{ENDPOINTS}/{made['id']}/events", {"after": after}).json()["data"]

    first, second, third, fourth = sorted(receiver.calls, key=lambda call: call.json()["sequence"])
    seen: set[int] = set()
    taken = [receive(made["secret"], one.body, one.headers, seen, read_events) for one in (first, fourth, third)]
    assert [[event["sequence"] for event in events] for events in taken] == [[1], [2, 3, 4], []]
    assert taken[1][0] == second.json(), "what never came is read, whole"
    with pytest.raises(WebhookVerificationError):
        receive(made["secret"], second.body + b" ", second.headers, set(), read_events)


def test_the_documented_commands_do_what_they_say(acme: Tenant) -> None:
    client = client_for(acme)
    commands = [(match[1], match[2], match[3]) for match in COMMAND.finditer(TEXT.replace("\\\n", ""))]
    assert len(commands) == 9
    endpoint_id = ""
    answers = []
    for method, path, body in commands:
        address = f"/api/v1{path.replace('$ID', endpoint_id)}"
        call = getattr(client, (method or "GET").lower())
        answer = call(address, json.loads(body)) if body else call(address)
        answers.append(answer.status_code)
        if not endpoint_id:
            endpoint_id = answer.json()["id"]
    assert answers == [201, 200, 200, 202, 201, 200, 200, 202, 204]


def test_the_page_names_every_group() -> None:
    for group in GROUPS:
        assert f"`{group}`" in TEXT
