"""Open circuits in words."""

from collections.abc import Mapping

from kernel.types import Json


def open_sentence(told: Mapping[str, Json]) -> str:
    """Say that a circuit is open, of what, why, and until when."""
    what = f"{told['host']}, connection {told['connection']}" if told.get("connection") else str(told["host"])
    model = f", model {told['model']}" if told.get("model") else ""
    why = f" Its last call failed: {told['last_failure']}." if told.get("last_failure") else ""
    probe = f" Whether it is well again is found out at {told['next_probe']}." if told.get("next_probe") else ""
    return f"The circuit to {what}{model} is open.{why}{probe}"
