"""Parsing of JSON on an event loop: in place where it is small, else in the compute pool."""

from collections.abc import Hashable
from typing import Any, Final

import orjson

from kernel.compute.shared import compute_pool
from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import MalformedJson, parse_json

MAX_BYTES_IN_PLACE: Final = 64 * 1024
FUNCTION: Final = "parse_json"
"""Name of ``parse_bytes`` in the compute pool."""


async def parse_untrusted_json(tenant: Hashable, data: bytes) -> Json:
    """Read JSON that a stranger wrote; integers beyond 2^53 become text.

    Args:
        tenant: Whose work it is.
        data: The text, in UTF-8.

    Raises:
        LlmteamError: It is not the JSON we read, as ``parse_json`` says; or an error of the compute pool.
    """
    if len(data) <= MAX_BYTES_IN_PLACE:
        return parse_json(data, big_integers="text")
    found: Any = orjson.loads(await compute_pool().run(tenant, FUNCTION, data))
    if "refused" in found:
        raise MalformedJson(found["refused"])
    value: Json = found["value"]
    return value


def parse_bytes(payload: bytes) -> bytes:
    """Read JSON in a compute process."""
    try:
        return orjson.dumps({"value": parse_json(payload, big_integers="text")})
    except LlmteamError as error:
        return orjson.dumps({"refused": error.detail})
