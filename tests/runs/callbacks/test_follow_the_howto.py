"""The receiver of docs/howto/callbacks.md, as it stands there, takes what a run tells."""

import re
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from runs.callbacks.payload import EVENTS
from runs.callbacks.schedule import GAPS_SECONDS
from tenants.models import Tenant
from tests.support.callbacks import new_secret, start_with_callback, wait_for_status
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer

HOWTO = Path(__file__).resolve().parents[3] / "docs" / "howto" / "callbacks.md"


def documented_receiver() -> Any:
    (program,) = re.findall(r"```python\n(.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - it is what the page tells people to run
    return names["receive"]


def test_the_documented_receiver_takes_each_event_once_and_no_forgery(acme: Tenant, receiver: CountingServer) -> None:
    receive, secret = documented_receiver(), new_secret(acme)
    receiver.route("POST", "/hook", Answer(200))
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for_status(run_id, "delivered")
    (call,) = receiver.calls
    with pytest.raises(WebhookVerificationError):
        receive(secret, call.body + b" ", call.headers)
    assert receive(secret, call.body, call.headers)["run_id"] == str(run_id)
    assert receive(secret, call.body, call.headers) is None


def test_the_page_names_every_event_and_every_wait() -> None:
    text = HOWTO.read_text(encoding="utf-8")
    for event in EVENTS:
        assert f"`{event}`" in text
    spelled = [
        f"{gap} s" if gap < 60 else f"{gap // 60} min" if gap < 3600 else f"{gap // 3600} h" for gap in GAPS_SECONDS
    ]
    assert f"{', '.join(spelled[:-1])} and {spelled[-1]}" in text
