"""The step that calls another system over HTTP, through the guarded client."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, cast

from kernel.errors import sentences
from kernel.json_text import JsonOrText, JsonText
from kernel.types import Json
from kernel.values import ValueTooLarge, check_size
from runs.http.answer import HttpAnswer
from runs.http.config import HttpActionConfig
from runs.http.config_warnings import remarks
from runs.http.exchange import exchange
from runs.http.pages import evaluate, read_pages
from runs.http.request import build_request
from runs.step_api.base import Emit, StepCall, StepFailed, StepHandler
from runs.steps.effects import effect_each_time
from segments.catalog import Port, Remark, StepType

MAX_HEADER_LENGTH: Final = 2_000
"""Characters of an answer's header that are kept."""


def _port_types(config: Mapping[str, Json]) -> Mapping[str, tuple[str, ...]]:
    """Tell what an answer may be: by its type, or as the config takes it."""
    if config.get("select"):
        return {"response": ("any",)}
    if config.get("pagination"):
        return {"response": ("array",)}
    return {"response": ("string",) if config.get("response_as") == "text" else ("object", "array", "string")}


def _unrepeated(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Say that what has its effect each time is sent once, where the config leaves open whether it may come twice."""
    method = config.get("method", HttpActionConfig.model_fields["method"].default)
    effect = effect_each_time(method)
    if effect is None or config.get("honours_idempotency_key") is not None:
        return ()
    which = f"This {effect}" if effect == method else f"This call, where it is a {effect},"
    message = (
        f"{which} is not repeated by itself when its answer does not come or does not say whether it was done (500, "
        "502, 504 and their like), as it may have had its effect: `honours_idempotency_key` changes that."
    )
    hint = (
        "set true in the step, or in its connection's `options`, if the server honours the header Idempotency-Key; "
        "false in the step if it does not"
    )
    return (Remark("NOT_REPEATED", message, ("method",) if "method" in config else (), hint),)


class HttpAction(StepHandler):
    """Calls a URL once per attempt, or page after page; retries are the engine's, with the same keys each time."""

    step_type = StepType(
        type_id="http_action",
        display_name="HTTP Request",
        description="Make HTTP request to external API",
        category="integration",
        icon="globe",
        color="#50C878",
        config=HttpActionConfig,
        input_ports=(Port("body", "object", "What to send", takes_any=True),),
        output_ports=(
            Port("response", "object", "The parsed answer"),
            Port("status", "integer", "The HTTP status", is_fact=True),
            Port("headers", "object", "The headers that `response_headers` names", required=False, is_fact=True),
            Port("error", "object", "Why the call failed", required=False),
        ),
        port_types=_port_types,
        remarks=remarks,
        unrepeated=_unrepeated,
        examples=({"client_ref": "crm", "method": "GET", "path": "/customers/{{ input.customer_id }}"},),
    )

    async def run(self, call: StepCall) -> Emit:
        """Call and emit the answer.

        Raises:
            StepFailed: No answer (retryable), a status that is an error, an answer that cannot be kept, or a
                request the policy blocks.
        """
        config = cast("HttpActionConfig", call.config)
        request = await build_request(config, call)
        if config.pagination is None:
            answer = await exchange(call, request, accepted=config.accept_statuses)
            value = answer.value
        else:
            value, answer = await read_pages(call, config, config.pagination, request)
        try:
            selected = await _selected(config, call, answer, value)
        except StepFailed as failure:
            failure.details = {**failure.details, **answer.what_came()}
            raise
        ports: dict[str, Json] = {"response": selected, "status": answer.status}
        if config.response_headers:
            ports["headers"] = _kept(answer.headers, config.response_headers)
        return Emit(ports, is_normal=True)


def _kept(headers: Mapping[str, str], names: Sequence[str]) -> dict[str, Json]:
    """Give the headers of an answer that are to be kept, the beginning of a long one."""
    return {name: headers[name][:MAX_HEADER_LENGTH] for name in names if name in headers}


async def _selected(config: HttpActionConfig, call: StepCall, answer: HttpAnswer, value: JsonOrText) -> Json:
    """Cut what came to what the segment keeps, and hold that to the bound of a value."""
    try:
        if config.select is not None:
            value = await evaluate(call, answer, "select", config.select, response=value)
        if isinstance(value, JsonText):
            made = value.read()
            await asyncio.sleep(0)  # of 1 MiB of small values it takes most of a turn of the loop
            return made
        check_size(value)
    except ValueTooLarge as error:
        raise StepFailed(
            error.code, sentences(error.detail, "Cut the answer with select."), details=error.extra
        ) from error
    return value
