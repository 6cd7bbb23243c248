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

TWO_STEPS_INPUT: Final[dict[str, Any]] = {"price": 12.5, "quantity": 10}
