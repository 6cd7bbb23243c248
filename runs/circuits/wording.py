"""Open circuits in words."""

from collections.abc import Mapping

from kernel.types import Json


def open_sentence(details: Mapping[str, Json]) -> str:
    """Say that a circuit is open, of what, why, and until when."""
    what = (
        f"{details['host']}, connection {details['connection']}" if details.get("connection") else str(details["host"])
    )
    model = f", model {details['model']}" if details.get("model") else ""
    why = f" Its last call failed: {details['last_failure']}." if details.get("last_failure") else ""
    probe = f" The next call to test it is made at {details['next_probe']}." if details.get("next_probe") else ""
    return f"The circuit to {what}{model} is open.{why}{probe}"
