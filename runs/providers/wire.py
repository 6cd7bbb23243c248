"""Calls through an SDK: what both official SDKs share, being made by the same generator.

An SDK contributes the address, credentials and errors; its models and its reading of streams are left out. They cost
three times the processor time of a streamed call, and refuse what lesser servers leave out.
"""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import httpx

from kernel.errors import LlmteamError
from kernel.types import Json
from runs.providers.error_formats import error_in, read_service_error
from runs.providers.errors import FORBIDDEN, MOVED, ServiceError, code_of, failed, failure_on_the_way
from runs.providers.event_stream import EventStream
from runs.providers.quotable_words import quotable_place, quotable_words
from runs.providers.reading.members import reading
from runs.step_api.base import StepFailed
from runs.step_api.retry_after import asked_wait, seconds_to_wait

_LOGGERS = ("httpx", "openai", "anthropic")
_METHOD = "POST"
_SHOULD_RETRY = "x-should-retry"
"""Header by which OpenAI and Anthropic say that trying again is of no use."""
_LEADING_ON = frozenset((httpx.codes.TEMPORARY_REDIRECT, httpx.codes.PERMANENT_REDIRECT))
"""Redirects that keep method and body; the others turn a question into a GET that asks nothing."""


class ServiceRejected(Exception):
    """The service answered with an error.

    Attributes:
        service_error: What it said.
        failure: What becomes of the step.
    """

    def __init__(self, service_error: ServiceError, failure: StepFailed) -> None:
        super().__init__(failure.message)
        self.service_error = service_error
        self.failure = failure


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An answer on its way: its events, each a JSON value, and what the body says of itself once they are read.

    ``batches`` gives those together that came together.
    """

    batches: AsyncIterator[list[Any]]
    stream: EventStream
    request_id: str | None
    response: httpx.Response

    def details(self) -> dict[str, Json]:
        """Say what came, for a failure: the status, the kind, and the beginning as far as it may be told."""
        shown: dict[str, Json] = {"status": self.response.status_code}
        if kind := self.response.headers.get("content-type"):
            shown["content_type"] = kind[:100]
        beginning = self.stream.beginning.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        if words := quotable_words(beginning, self.response.request):
            shown["beginning"] = words
        return shown


class Wire:
    """One path of one service, through the client of an SDK."""

    def __init__(
        self,
        sdk: Any,
        client: Any,
        *,
        path: str,
        request_id_header: str,
        renew: Callable[[], bool] | None = None,
    ) -> None:
        """Wrap a client.

        Args:
            sdk: The SDK's package, which has the classes of its errors.
            client: Its asynchronous client.
            path: What is called, below the client's base address.
            request_id_header: Which header of an answer names the call.
            renew: Forgets credentials that a service did not take; tells whether others may be.
        """
        self._sdk = sdk
        self._client = client
        self._path = path
        self._request_id_header = request_id_header
        self._renew = renew

    @asynccontextmanager
    async def ask(
        self,
        body: Mapping[str, Json],
        *,
        headers: Mapping[str, str],
        seconds: float,
        tenant: Hashable,
        streamed: bool,
    ) -> AsyncIterator[WireAnswer]:
        """Ask, for a whole answer or one in pieces; either is read whatever was asked for.

        The connection is closed behind the block. A large document is read where other tenants do not wait for it.

        Raises:
            Rejected: The service answered with an error, before the block or amid the events.
            StepFailed: No answer, or one that is not JSON.
        """
        more: dict[str, Any] = {"cast_to": object, "stream": True, "stream_cls": self._sdk.AsyncStream[object]}
        with self._our_errors():
            options = {"headers": headers, "timeout": seconds}
            found = await self._authorised(body, options, more if streamed else {"cast_to": httpx.Response})
        response: httpx.Response = found.response if streamed else found
        if response.request.method != _METHOD:
            await response.aclose()
            raise _moved(response)
        try:
            stream = EventStream(tenant, response.aiter_bytes())
            request_id = response.headers.get(self._request_id_header)
            yield WireAnswer(self._batches(stream, response), stream, request_id, response)
        finally:
            await response.aclose()

    async def _authorised(self, body: Mapping[str, Json], options: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
        """Send; once more with fresh credentials where the service does not take those that were kept."""
        try:
            return await self._post(body, options, more)
        except self._sdk.APIStatusError as error:
            is_refused = error.response.status_code == httpx.codes.UNAUTHORIZED
            if not is_refused or self._renew is None or not self._renew():
                raise
        return await self._post(body, options, more)

    async def _post(self, body: Mapping[str, Json], options: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
        """Send; where the answer leads elsewhere, only with the same method and body, within the rules of egress."""
        try:
            return await self._client.post(
                self._path, body=body, options={**options, "follow_redirects": False}, **more
            )
        except self._sdk.APIStatusError as error:
            if error.response.status_code not in _LEADING_ON:
                raise
        return await self._client.post(self._path, body=body, options={**options, "follow_redirects": True}, **more)

    async def _batches(self, stream: EventStream, response: httpx.Response) -> AsyncIterator[list[Any]]:
        with self._our_errors():
            async for batch in stream.batches():
                place, error = _first_error(batch)
                if error is not None:
                    if place:
                        yield batch[:place]
                    raise _rejected(response.status_code, error, response.request, response)
                yield batch

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        """Turn the SDK's errors into ours; their texts stay behind, they hold what the service said."""
        try:
            yield
        except self._sdk.APIStatusError as error:
            response: httpx.Response = error.response
            if response.is_redirect or response.request.method != _METHOD:
                raise _moved(response) from None
            raise _rejected(response.status_code, error.body, response.request, response) from None
        except self._sdk.APIConnectionError as error:
            cause = error.__cause__
            status = getattr(cause, "answered_with", None)
            if status is not None and httpx.codes.is_error(status):
                raise _rejected(status, None, error.request, None) from None
            raise (
                failure_on_the_way(cause) if isinstance(cause, LlmteamError) else failed("LLM_CONNECTION_FAILED")
            ) from None
        except LlmteamError as error:
            raise failure_on_the_way(error) from None


def _first_error(batch: list[Any]) -> tuple[int, Any]:
    """Find the first error among events, and its place; None where there is none."""
    with reading():
        for place, event in enumerate(batch):
            if (error := error_in(event)) is not None:
                return place, error
    return len(batch), None


async def load_sdk(module: str) -> ModuleType:
    """Import a module that imports an SDK, in a thread: it takes half a second of processor time.

    What the environment asks of an SDK's logging is undone: at that level it tells what was sent.
    """
    return await asyncio.to_thread(_load_quietly, module)


def _load_quietly(module: str) -> ModuleType:
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    loaded = importlib.import_module(module)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    return loaded


def _moved(response: httpx.Response) -> StepFailed:
    """Say that the service leads elsewhere, where the question would not come along."""
    details: dict[str, Json] = {"status": response.status_code}
    location = response.headers.get("location")
    if location is not None and (place := quotable_place(location, response.request)) is not None:
        details["location"] = place
    return failed("LLM_API_NOT_FOUND", sentence=MOVED, details=details)


def _rejected(status: int, body: object, request: httpx.Request, response: httpx.Response | None) -> ServiceRejected:
    with reading():
        service_error = read_service_error(status, body)
    code = code_of(service_error)
    details: dict[str, Json] = {"status": service_error.status} if service_error.status >= 300 else {}
    if service_error.text and (words := quotable_words(service_error.text, request)) is not None:
        details["provider_message"] = words
    is_limit = code == "LLM_RATE_LIMITED"
    headers: Mapping[str, str] = {} if response is None else response.headers
    asked_seconds = seconds_to_wait(headers, is_limit=True) if is_limit else asked_wait(headers)
    failure = failed(
        code,
        sentence=FORBIDDEN if code == "LLM_AUTH_FAILED" and service_error.status == httpx.codes.FORBIDDEN else None,
        retry_after_seconds=service_error.retry_after_seconds if asked_seconds is None else asked_seconds,
        details=details,
    )
    if headers.get(_SHOULD_RETRY) == "false":
        failure.retryable = False
    return ServiceRejected(service_error, failure)
