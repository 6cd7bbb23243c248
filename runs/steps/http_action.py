"""The step that calls another system over HTTP, through the guarded client."""

import re
import time
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal, Self, cast
from urllib.parse import quote, unquote, urlencode

import httpx
from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from kernel.clock import utc_now
from kernel.egress import BodyTooLarge, BodyUnreadable, ConnectionFailed, DeadlineExceeded, EgressBlocked, HeaderRefused
from kernel.errors import LlmteamError
from kernel.values import Json, ValueTooLarge, check_size, dump_json, normalise, parse_json
from runs.steps.base import Emit, StepCall, StepConfig, StepFailed, StepHandler
from segments.catalog import ExpressionText, Port, StepType
from segments.expressions import ExpressionError, parse

DEFAULT_TIMEOUT_SECONDS = 30.0
MAX_TIMEOUT_SECONDS = 300.0
MAX_ERROR_BODY_BYTES = 4096

_METHODS_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
_RETRYABLE_STATUSES = frozenset((408, 425, 429))
_ORIGIN = re.compile(r"[^/?#]*//[^/?#]*")
_SEPARATOR = re.compile(r"/|\\|%2f|%5c", re.IGNORECASE)
_KEPT_IN_PATH = "/%:@!$&'()*+,;=~?#[]-._"


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


_Unset = Field(json_schema_extra=_without_default)
OptionalText = Annotated[str | SkipJsonSchema[None], _Unset]


class HttpActionConfig(StepConfig):
    """What to call and what to make of the answer."""

    # As canvases know the card; a segment may give url instead, which the validator below sees to.
    model_config = ConfigDict(json_schema_extra={"required": ["client_ref", "path"]})

    client_ref: OptionalText = Field(None, description="Name of a base address the operator configured")
    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"] = "POST"
    path: OptionalText = Field(None, description="Path below the client's base address")
    headers: Annotated[dict[str, str], _Unset] = Field({}, description="Headers to send")
    retry_count: int = Field(3, strict=True, ge=0, description="How often a call that can succeed later is tried again")
    url: OptionalText = Field(None, description="Absolute URL, instead of client_ref and path")
    query: Annotated[dict[str, Any], _Unset] = Field(
        {}, description="Query parameters; a list repeats its parameter, null leaves it out"
    )
    body: Annotated[Any, _Unset] = Field(
        None, description="What to send; without it POST, PUT and PATCH send the step's input"
    )
    timeout_seconds: float = Field(
        DEFAULT_TIMEOUT_SECONDS, gt=0, le=MAX_TIMEOUT_SECONDS, description="Time for one call, answer included"
    )
    accept_statuses: Annotated[list[int], _Unset] = Field([], description="Statuses beside 200 to 299 that are fine")
    select: Annotated[OptionalText, ExpressionText()] = Field(
        None, description="Expression over `response` and `status` that cuts the answer to what is kept"
    )
    pagination: Annotated[Any, _Unset] = Field(None, description="Not available yet")

    @field_validator("pagination")
    @classmethod
    def _refuse_pagination(cls, value: Any) -> Any:
        if value is not None:
            raise PydanticCustomError("not_available", "Pagination is not available yet; leave it out.")
        return value

    @model_validator(mode="after")
    def _needs_a_target(self) -> Self:
        if not self.url and not (self.client_ref and self.path is not None):
            raise PydanticCustomError("missing", "Either url, or client_ref and path, must be given.")
        if self.url and (self.client_ref or self.path):
            raise PydanticCustomError("ambiguous_target", "Give either url, or client_ref and path, not both.")
        return self


@dataclass(frozen=True, slots=True)
class _Request:
    """What one attempt sends; `place` is what the journal may hold of the URL."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None
    key: str

    @property
    def place(self) -> str:
        return self.url.partition("#")[0].partition("?")[0]


class HttpAction(StepHandler):
    """Calls a URL once per attempt; retries are the engine's, with the same idempotency key each time."""

    step_type = StepType(
        type_id="http_action",
        display_name="HTTP Request",
        description="Make HTTP request to external API",
        category="integration",
        icon="globe",
        color="#50C878",
        config=HttpActionConfig,
        input_ports=(Port("body", "object", "What to send"),),
        output_ports=(
            Port("response", "object", "The parsed answer"),
            Port("status", "integer", "The HTTP status"),
            Port("error", "object", "Why the call failed", required=False),
        ),
        examples=({"client_ref": "crm", "method": "GET", "path": "/customers/{{ input.customer_id }}"},),
    )

    async def run(self, call: StepCall) -> Emit:
        """Send the request and emit its answer; what is journalled of it holds no query, header or body.

        Raises:
            StepFailed: No answer (retryable), a status that is an error, an answer that cannot be kept, or a
                request the policy blocks.
        """
        config = cast("HttpActionConfig", call.config)
        request = await _build_request(config, call)
        call.record("action.started", {"method": request.method, "url": request.place, "idempotency_key": request.key})
        started = time.monotonic()
        try:
            response = await _send(request, config, call)
            _check_status(response, config)
            value = _selected(config, call, _read_answer(response), response.status_code)
        except StepFailed as failure:
            outcome: dict[str, Json] = {"code": failure.code, "duration_ms": _milliseconds_since(started)}
            if "status" in failure.details:
                outcome["status"] = failure.details["status"]
            call.record("action.failed", outcome)
            raise
        call.record("action.completed", {"status": response.status_code, "duration_ms": _milliseconds_since(started)})
        return Emit({"response": value, "status": response.status_code})


async def _build_request(config: HttpActionConfig, call: StepCall) -> _Request:
    headers = {name.lower(): value for name, value in config.headers.items()}
    content = _content(config, call, headers)
    key = headers.setdefault("idempotency-key", call.next_key())
    return _Request(config.method, await _target(config, call), headers, content, key)


async def _target(config: HttpActionConfig, call: StepCall) -> str:
    """Put the URL together; a rendered path can neither leave its client's host nor climb out of its base path."""
    if config.url:
        origin = _ORIGIN.match(config.url)
        cut = origin.end() if origin else 0
        return _with_query(config.url[:cut] + quote(config.url[cut:], safe=_KEPT_IN_PATH), config.query)
    client = await call.context.client(config.client_ref or "")
    path = config.path or ""
    if any(unquote(part) in (".", "..") for part in _SEPARATOR.split(path.partition("?")[0])):
        raise StepFailed("PATH_REFUSED", "The path holds a segment of dots.")
    return _with_query(f"{client.base_url.rstrip('/')}/{quote(path.lstrip('/'), safe=_KEPT_IN_PATH)}", config.query)


def _with_query(url: str, query: Mapping[str, Json]) -> str:
    pairs = [
        (name, item if isinstance(item, str) else dump_json(item))
        for name, value in query.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]
    if not pairs:
        return url
    bare, hash_mark, fragment = url.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}{urlencode(pairs)}{hash_mark}{fragment}"


def _content(config: HttpActionConfig, call: StepCall, headers: dict[str, str]) -> bytes | None:
    """Encode the body and name its type in `headers`, unless the segment did.

    A configured text goes out as it is; an object goes out as a form where the segment says so; else JSON.
    """
    if "body" in config.model_fields_set:
        body: Json = config.body
        if isinstance(body, str):
            headers.setdefault("content-type", "text/plain; charset=utf-8")
            return body.encode()
        if body is None:
            return None
    elif config.method in _METHODS_WITH_BODY:
        body = call.input
    else:
        return None
    content_type = headers.setdefault("content-type", "application/json")
    if isinstance(body, dict) and _media_type(content_type) == "application/x-www-form-urlencoded":
        return _with_query("", body)[1:].encode()
    return dump_json(body).encode()


async def _send(request: _Request, config: HttpActionConfig, call: StepCall) -> httpx.Response:
    client = await call.context.http_client()
    try:
        response: httpx.Response = await client.request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.content,
            timeout=config.timeout_seconds,
        )
    except (ConnectionFailed, DeadlineExceeded) as error:
        raise StepFailed(error.code, error.detail, retryable=True) from error
    except (EgressBlocked, HeaderRefused, BodyTooLarge, BodyUnreadable) as error:
        raise StepFailed(error.code, error.detail) from error
    return response


def _check_status(response: httpx.Response, config: HttpActionConfig) -> None:
    status = response.status_code
    if response.is_success or status in config.accept_statuses:
        return
    details: dict[str, Json] = {"status": status}
    if (answer := _error_answer(response)) is not None:
        details["response"] = answer
    raise StepFailed(
        "HTTP_STATUS",
        f"The host answered with status {status}.",
        retryable=status in _RETRYABLE_STATUSES or status >= 500,
        retry_after_seconds=_retry_after(response.headers.get("retry-after")),
        details=details,
    )


def _error_answer(response: httpx.Response) -> Json:
    """Read what a host says about its refusal, if that is short and readable."""
    if len(response.content) > MAX_ERROR_BODY_BYTES:
        return None
    try:
        return _read_answer(response)
    except StepFailed:
        return None


def _retry_after(header: str | None) -> float | None:
    """Read Retry-After, in seconds or as a date; what cannot be read counts as not sent."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - utc_now()).total_seconds())


def _read_answer(response: httpx.Response) -> Json:
    """Parse a JSON answer, decode any other as text; an empty one is null."""
    if not response.content:
        return None
    media_type = _media_type(response.headers.get("content-type", ""))
    try:
        if media_type == "application/json" or media_type.endswith("+json"):
            return parse_json(response.content, big_integers="text")
        return normalise(response.content.decode(response.charset_encoding or "utf-8"))
    except (UnicodeDecodeError, LookupError) as error:
        raise StepFailed("RESPONSE_UNREADABLE", "The answer is neither JSON nor text.") from error
    except LlmteamError as error:
        items: list[Json] = [{"code": item.code, "detail": item.detail} for item in error.errors]
        raise StepFailed(error.code, error.detail, details={"errors": items}) from error


def _selected(config: HttpActionConfig, call: StepCall, answer: Json, status: int) -> Json:
    """Cut the answer to what the segment keeps, and hold that to the bound of a value."""
    if config.select is not None:
        found: dict[str, Json] = {"response": answer, "status": status}
        names = ChainMap(found, cast("MutableMapping[str, Json]", call.names))
        try:
            answer = parse(config.select).evaluate(names)
        except ExpressionError as error:
            raise StepFailed(error.code, f"select: {error}") from error
    try:
        check_size(answer)
    except ValueTooLarge as error:
        raise StepFailed(error.code, f"{error.detail} Cut the answer with select.", details=error.extra) from error
    return answer


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
