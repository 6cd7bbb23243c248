"""Drives a live stack by a client of openapi-python-client; prints what it found as JSON."""

import json
import os

from made_client import AuthenticatedClient
from made_client.api.runs import list_run_events
from made_client.api.segments import save_segment, start_segment
from made_client.models import DataProducedEvent, EventPage, Run, SavedStartRequest, SaveSegmentBody

definition = SaveSegmentBody.from_dict(json.loads(os.environ["LLMTEAM_SEGMENT"]))
body = SavedStartRequest.from_dict({"input": json.loads(os.environ["LLMTEAM_INPUT"]), "client_reference": "python"})
with AuthenticatedClient(base_url=os.environ["LLMTEAM_URL"], token=os.environ["LLMTEAM_KEY"]) as client:
    save_segment.sync("order_total", client=client, body=definition)
    run = start_segment.sync("order_total", client=client, body=body, wait=20)
    assert isinstance(run, Run)
    page = list_run_events.sync(run.run_id, client=client)
assert isinstance(page, EventPage)
ports = [event.payload.port for event in page.data if isinstance(event, DataProducedEvent)]
print(json.dumps({"status": run.status, "output": run.output, "calls": run.usage.model_calls, "ports": ports}))
