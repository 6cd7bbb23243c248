"""The config of http_action, with its pagination."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from runs.http.reading import ResponseAs
from segments.catalog import (
    HELD_BY_ANY_VALUE,
    ON_CIRCUIT_OPEN,
    ConnectionRef,
    ExpressionText,
    OnCircuitOpen,
    PathText,
    StepConfig,
    UrlText,
)
from segments.expressions import ExpressionError, parse

DEFAULT_TIMEOUT_SECONDS = 30.0
MAX_TIMEOUT_SECONDS = 300.0
DEFAULT_PAGES = 10
MAX_PAGES = 100
MAX_HEADERS = 20
SCHEMES = ("https://", "http://")
_NEVER_KEPT = frozenset(
    ("authentication-info", "authorization", "cookie", "proxy-authorization", "set-cookie", "set-cookie2")
)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _without_null(headers: Any) -> Any:
    return {name: value for name, value in headers.items() if value is not None} if type(headers) is dict else headers


_Unset = Field(json_schema_extra=_without_default)
OptionalText = Annotated[str | SkipJsonSchema[None], _Unset]


class Pagination(BaseModel):
    """Pagination of an answer; one way of the five.

    Expressions see ``response``, ``status`` and ``headers`` (lower case) of the page just read, its number ``page``,
    from 1, and ``count``, how many items came so far.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    next_link: bool = Field(False, description="Follow the header `Link` with rel=next")
    next: Annotated[OptionalText, ExpressionText()] = Field(
        None, description="Expression that gives the next page's URL or path; null ends"
    )
    cursor: Annotated[OptionalText, ExpressionText()] = Field(
        None, description="Expression that gives the next page's cursor; null or empty ends, 0 does not"
    )
    page: OptionalText = Field(None, description="Parameter that takes the next page's number; an empty page ends")
    offset: OptionalText = Field(None, description="Parameter for the number of items read so far; an empty page ends")
    start: Annotated[int | SkipJsonSchema[None], _Unset] = Field(
        None,
        ge=0,
        description="Number of the first page, or the first offset; else what the request says itself, else 1, or 0",
    )
    parameter: OptionalText = Field(None, description="Parameter the cursor is sent in")
    parameter_in: Annotated[Literal["query", "body"] | SkipJsonSchema[None], _Unset] = Field(
        None, description="Where the parameter stands; in a body that is a JSON object, else in the query"
    )
    items: Annotated[OptionalText, ExpressionText()] = Field(
        None, description="Expression that gives a page's list; the answer itself without it"
    )
    end_statuses: Annotated[list[int], _Unset] = Field(
        [], description="Statuses of a later page that mean that there is no such page, such as 404"
    )
    max_pages: int = Field(DEFAULT_PAGES, ge=1, le=MAX_PAGES, description="More pages than this fail the step")

    @field_validator("next", "cursor", "items")
    @classmethod
    def _is_an_expression(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                parse(text)
            except ExpressionError as error:
                raise PydanticCustomError("expression", "{reason}", {"reason": str(error)}) from None
        return text

    @model_validator(mode="after")
    def _goes_one_way(self) -> Self:
        others = (self.next, self.cursor, self.page, self.offset)
        if [self.next_link, *(way is not None for way in others)].count(True) != 1:
            raise PydanticCustomError("ways", "Give one of next_link, next, cursor, page and offset.")
        if (self.cursor is None) != (self.parameter is None):
            raise PydanticCustomError("ways", "cursor and parameter go together.")
        return self


def _kept_header(name: str) -> str:
    """Take the name of a header that may be journalled."""
    if name.lower() in _NEVER_KEPT:
        raise PydanticCustomError("credential", "{name} holds credentials and is not kept.", {"name": name})
    return name.lower()


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), AfterValidator(_kept_header)]


def _check_host(url: str) -> None:
    """Refuse an address that has no host, or one that is never called."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise PydanticCustomError("host", "The host or port of the URL cannot be read.") from None
    if not parts.hostname or " " in parts.netloc:
        raise PydanticCustomError("host", "The URL has no host, or a host with a blank in it.")
    if "@" in parts.netloc:
        raise PydanticCustomError("host", "A URL may not contain a user name or a password: use a connection.")


class HttpActionConfig(StepConfig):
    """Config of the step: the call, and the use of its answer."""

    # As canvases know the card, or with a url instead; the validator below says so in words.
    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["client_ref", "path"]}, {"required": ["url"]}]}
    )

    client_ref: Annotated[OptionalText, ConnectionRef("http")] = Field(
        None, description="Name of a base address the operator configured"
    )
    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] = "POST"
    path: Annotated[OptionalText, PathText()] = Field(None, description="Path below the client's base address")
    headers: Annotated[
        dict[str, str], BeforeValidator(_without_null, json_schema_input_type=dict[str, str]), _Unset
    ] = Field({}, description="Headers to send; headers that are null are left out")
    retry_count: int = Field(3, strict=True, ge=0, description="Number of retries of a call that can succeed later")
    url: Annotated[OptionalText, UrlText()] = Field(None, description="Absolute URL, instead of client_ref and path")
    query: Annotated[dict[str, Any], _Unset] = Field(
        {}, description="Query parameters; a list repeats its parameter, null leaves it out"
    )
    body: Annotated[Any, _Unset] = Field(
        None, description="What to send; without it POST, PUT and PATCH send the step's input"
    )
    timeout_seconds: float = Field(
        DEFAULT_TIMEOUT_SECONDS, gt=0, le=MAX_TIMEOUT_SECONDS, description="Time for one call, answer included"
    )
    honours_idempotency_key: Annotated[bool | SkipJsonSchema[None], _Unset] = Field(
        None,
        description="Whether the server honours the header `Idempotency-Key`, so that a repeated request has its "
        "effect once: then POST and PATCH without an answer are tried again; by default as the connection says",
    )
    accept_statuses: Annotated[list[int], _Unset] = Field(
        [], description="Statuses besides 200 to 299 that count as success"
    )
    on_circuit_open: Annotated[OnCircuitOpen | SkipJsonSchema[None], _Unset] = Field(None, description=ON_CIRCUIT_OPEN)
    response_as: Annotated[ResponseAs, _Unset] = Field(
        "auto", description="How the answer is read: by its type, as JSON, as text, or not at all, which gives null"
    )
    response_headers: Annotated[list[HeaderName], Field(max_length=MAX_HEADERS), _Unset] = Field(
        [],
        description="Headers of the answer to emit on the port `headers`, names in lower case; none by default",
    )
    select: Annotated[OptionalText, ExpressionText()] = Field(
        None, description="Expression over `response` and `status` that cuts the answer to what is kept"
    )
    pagination: Annotated[Pagination | SkipJsonSchema[None], _Unset] = Field(
        None, description="How further pages are found; the response is then the list of all items"
    )

    @field_validator("url")
    @classmethod
    def _begins_with_its_scheme(cls, url: str | None) -> str | None:
        head, template, _ = (url or "").partition("{{")
        may_begin_so = bool(template) and any(scheme.startswith(head.strip().lower()) for scheme in SCHEMES)
        if url and not may_begin_so and not head.lower().startswith(SCHEMES):
            raise PydanticCustomError(HELD_BY_ANY_VALUE, "A URL begins with https:// or http://.")
        if url and not template:
            _check_host(url)
        return url

    @model_validator(mode="after")
    def _needs_a_target(self) -> Self:
        if not self.url and not (self.client_ref and self.path is not None):
            raise PydanticCustomError("missing", "Either url, or client_ref and path, must be given.")
        if self.url and (self.client_ref or self.path):
            raise PydanticCustomError("ambiguous_target", "Give either url, or client_ref and path, not both.")
        return self
