"""A large answer of a model held against its schema, in the compute pool: its values alone would hold an event loop."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import orjson

from kernel.compute.shared import compute_pool
from kernel.errors import LlmteamError
from kernel.redaction import redact
from kernel.schemas import SchemaUnusable, Violation
from kernel.schemas.violations import violations
from kernel.types import Json
from kernel.values import MalformedJson, check_bytes, parse_json

MAX_BYTES_IN_PLACE: Final = 64 * 1024
FUNCTION: Final = "model_reply"
"""Name of ``validate_reply_bytes`` in the compute pool."""

_VALUE: Final = b"="
"""Before a value that fits."""


async def validate_large_reply(
    tenant: Hashable, content: bytes, schema: Mapping[str, Json], secrets: Sequence[str]
) -> tuple[Json, list[Violation]]:
    """Read JSON and tell where it does not fit a schema; it is made a value here only if it does.

    Raises:
        MalformedJson: It is not JSON, or none that we read.
        ValueTooLarge: It fits, but no run can hold it.
        SchemaUnusable: The schema is none.
        ComputeLimit: It takes too much; other errors of the compute pool as well.
    """
    head = orjson.dumps([dict(schema), list(secrets)])
    answer = await compute_pool().run(tenant, FUNCTION, head + b"\n" + content)
    if answer.startswith(_VALUE):
        value: Json = orjson.loads(answer[len(_VALUE) :])
        await asyncio.sleep(0)  # of 1 MiB of small values it takes most of a turn of the loop
        return value, []
    found: Any = orjson.loads(answer)
    if "refused" in found:
        raise MalformedJson(found["refused"])
    if "unusable" in found:
        raise SchemaUnusable(found["unusable"])
    if "bytes" in found:
        check_bytes(found["bytes"])
    return None, [Violation(keyword, tuple(path), bound) for keyword, path, bound in found["violations"]]


def validate_reply_bytes(payload: bytes) -> bytes:
    """Judge in a compute process; gives a mark and the value without secrets, or why there is none."""
    head, _, content = payload.partition(b"\n")
    schema, secrets = orjson.loads(head)
    try:
        value = parse_json(content, big_integers="text")
        found = violations(value, schema, formats=False)
    except LlmteamError as error:
        return orjson.dumps({"refused": error.detail})
    except SchemaUnusable as error:
        return orjson.dumps({"unusable": str(error)})
    if found:
        return orjson.dumps({"violations": [[one.keyword, one.path, one.bound] for one in found]})
    written = orjson.dumps(redact(value, secrets))
    try:
        check_bytes(len(written))
    except LlmteamError:
        return orjson.dumps({"bytes": len(written)})
    return _VALUE + written
