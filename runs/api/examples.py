"""The run shown in the API's description."""

from typing import Any, Final

from runs.usage.sums import NOTHING_USED
from segments.examples import TWO_STEPS_INPUT

_ADDRESS: Final = "https://llmteam.example/api/v1/runs/01a20c5a-212d-770f-9098-94209542c47a"

RUN_EXAMPLE: Final[dict[str, Any]] = {
    "run_id": "01a20c5a-212d-770f-9098-94209542c47a",
    "segment_id": "order_total",
    "revision": 1,
    "status": "completed",
    "pause_requested": False,
    "input": TWO_STEPS_INPUT,
    "output": {"total": 125.0, "large": True},
    "warnings": [],
    "waiting_for": [],
    "progress": {"activations": 2, "active": 0},
    "usage": {"activations": 2, **NOTHING_USED},
    "client_reference": "order-4711",
    "metadata": {"source": "shop"},
    "priority": 0,
    "timeout_seconds": 300.0,
    "replay_of": None,
    "is_test": False,
    "callback": None,
    "created_at": "2026-11-24T07:00:00Z",
    "started_at": "2026-11-24T07:00:00.012Z",
    "ended_at": "2026-11-24T07:00:00.031Z",
    "links": {
        "self": _ADDRESS,
        "steps": f"{_ADDRESS}/steps",
        "events": f"{_ADDRESS}/events",
        "snapshot": f"{_ADDRESS}/snapshot",
        "pause": f"{_ADDRESS}/pause",
        "resume": f"{_ADDRESS}/resume",
        "cancel": f"{_ADDRESS}/cancel",
        "replay": f"{_ADDRESS}/replay",
        "deliveries": f"{_ADDRESS}/deliveries",
    },
}
