"""Links in place of values that are too large to be shown among others."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote
from uuid import UUID

from django.urls import reverse

from kernel.types import Json
from kernel.values import dump_json

WHOLE_BYTES: Final = 64 * 1024
"""An event whose payload has so many bytes is shown whole."""
VALUE_BYTES: Final = 16 * 1024
"""Of a larger one, each value that has more than so many bytes is a link."""
MARK: Final = "$large_value"
_OPENED: Final = {"ports", "error"}
"""Members of a payload whose own members are values."""

Path = tuple[str | int, ...]


def shortened(payload: Mapping[str, Json], size: int, *, run_id: UUID, seq: int) -> dict[str, Json]:
    """Return the payload of an event with links in the place of its large values.

    Args:
        payload: As it is stored.
        size: Its bytes.
        run_id: Whose event.
        seq: Its number.
    """
    if size <= WHOLE_BYTES:
        return dict(payload)
    shown: dict[str, Json] = {}
    for name, value in payload.items():
        if name in _OPENED and isinstance(value, dict):
            shown[name] = {inner: value_or_link(one, run_id, seq, (name, inner)) for inner, one in value.items()}
        else:
            shown[name] = value_or_link(value, run_id, seq, (name,))
    return shown


def value_or_link(value: Json, run_id: UUID, seq: int, path: Path) -> Json:
    """Return a value, or a link if it is large."""
    size = len(dump_json(value).encode())
    return value if size <= VALUE_BYTES else link(size, value_url(run_id, seq, path))


def link(size: int, url: str) -> dict[str, Json]:
    """Write what stands for a value: how many bytes it has, and where it can be read."""
    return {MARK: {"bytes": size, "url": url}}


def value_url(run_id: UUID, seq: int, path: Path) -> str:
    """Say where a part of an event's payload can be read, as a path on this server."""
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return f"{reverse('run_value', args=[run_id, seq])}?pointer={quote(pointer)}"
