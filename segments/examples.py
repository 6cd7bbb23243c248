"""The definitions shown in the API's description. A test saves and runs each."""

from typing import Any, Final

TWO_STEPS: Final[dict[str, Any]] = {
    "version": "1.0",
    "segment_id": "order_total",
    "name": "Order total",
    "description": "Adds up an order and says whether it is large.",
    "entrypoint": "total",
    "steps": [
        {"step_id": "total", "type": "transform", "config": {"expression": "input.price * input.quantity"}},
        {"step_id": "verdict", "type": "transform", "config": {"mapping": {"total": "input", "large": "input > 100"}}},
    ],
    "edges": [{"from": "total", "to": "verdict"}],
}

SAVED_TWO_STEPS: Final[dict[str, Any]] = {
    "segment_id": "order_total",
    "name": "Order total",
    "description": "Adds up an order and says whether it is large.",
    "revision": 1,
    "content_hash": "5f0f4d8d0e2f7c2b8d5f4bb2f9b3a6c1e7d4a0b9c8f7e6d5c4b3a29180706f5e",
    "created_at": "2026-11-24T07:00:00Z",
    "updated_at": "2026-11-24T07:00:00Z",
    "archived_at": None,
    "definition": TWO_STEPS,
    "findings": [],
}

TWO_STEPS_INPUT: Final[dict[str, Any]] = {"price": 12.5, "quantity": 10}
