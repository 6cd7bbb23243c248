"""Calls through an SDK: what both official SDKs share, being made by the same generator.

An SDK contributes the address, credentials, errors and the reading of streams; its models are left out. They cost
three times the processor time of a streamed call, and refuse what lesser servers leave out.
"""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import httpx

from kernel.errors import LlmteamError
from kernel.values import Json
from runs.providers.decoding import decode_answer, mended
from runs.providers.errors import Complaint, code_of, failed, failure_on_the_way
from runs.providers.quoting import quotable
from runs.steps.base import StepFailed
from runs.steps.retry_after import retry_after_seconds

_LOGGERS = ("httpx", "openai", "anthropic")
_MAX_READ = 2000
_NOT_QUOTED = frozenset(("LLM_AUTH_FAILED",))


class Rejected(Exception):
    """The service answered with an error.

    Attributes:
        complaint: What it said.
        failure: What becomes of the step.
    """

    def __init__(self, complaint: Complaint, failure: StepFailed) -> None:
        super().__init__(failure.message)
        self.complaint = complaint
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    data: Json
    request_id: str | None


@dataclass(frozen=True, slots=True)
class EventStream:
    """An answer in pieces, each a JSON value."""

    events: AsyncIterator[Any]
    request_id: str | None


class Wire:
    """One path of one service, through the client of an SDK."""

    def __init__(self, sdk: Any, client: Any, *, path: str, request_id_header: str) -> None:
        """Wrap a client.

        Args:
            sdk: The SDK's package, which has the classes of its errors.
            client: Its asynchronous client.
            path: What is called, below the client's base address.
            request_id_header: Which header of an answer names the call.
        """
        self._sdk = sdk
        self._client = client
        self._path = path
        self._request_id_header = request_id_header

    async def post(
        self, body: Mapping[str, Json], *, headers: Mapping[str, str], seconds: float, tenant: Hashable
    ) -> Answer:
        """Ask for a whole answer; a large one is read where other tenants do not wait for it.

        Raises:
            Rejected: The service answered with an error.
            StepFailed: No answer, or one that is no JSON.
        """
        with self._our_errors():
            response: httpx.Response = await self._client.post(
                self._path, cast_to=httpx.Response, body=body, options={"headers": headers, "timeout": seconds}
            )
        data = await decode_answer(tenant, response.content)
        if isinstance(data, dict) and data.get("error"):
            raise _rejected(response.status_code, data, response.request, response)
        return Answer(data, response.headers.get(self._request_id_header))

    @asynccontextmanager
    async def stream(
        self, body: Mapping[str, Json], *, headers: Mapping[str, str], seconds: float
    ) -> AsyncIterator[EventStream]:
        """Ask for an answer in pieces; its connection is closed behind the block. Raises as `post`."""
        with self._our_errors():
            stream = await self._client.post(
                self._path,
                cast_to=object,
                body=body,
                options={"headers": headers, "timeout": seconds},
                stream=True,
                stream_cls=self._sdk.AsyncStream[object],
            )
        async with stream:
            yield EventStream(self._events(stream), stream.response.headers.get(self._request_id_header))

    async def _events(self, stream: Any) -> AsyncIterator[Any]:
        while True:
            try:
                with self._our_errors():
                    event = mended(await anext(stream))
            except StopAsyncIteration:
                return
            except (ValueError, RecursionError):
                raise failed("LLM_REPLY_UNREADABLE") from None
            yield event

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        """Turn the SDK's errors into ours; their texts stay behind, they hold what the service said."""
        try:
            yield
        except self._sdk.APIStatusError as error:
            raise _rejected(error.response.status_code, error.body, error.response.request, error.response) from None
        except self._sdk.APIConnectionError as error:
            cause = error.__cause__
            raise (
                failure_on_the_way(cause) if isinstance(cause, LlmteamError) else failed("LLM_CONNECTION_FAILED")
            ) from None
        except self._sdk.APIError as error:
            raise _rejected(200, error.body, error.request, None) from None
        except LlmteamError as error:
            raise failure_on_the_way(error) from None


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


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait, from ``retry-after-ms`` or ``retry-after``; what cannot be read counts as not sent."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isascii() and milliseconds.isdigit():
        return float(milliseconds[:12]) / 1000
    return retry_after_seconds(headers.get("retry-after"))


def _rejected(status: int, body: object, request: httpx.Request, response: httpx.Response | None) -> Rejected:
    complaint = _complaint(status, body)
    code = code_of(complaint)
    details: dict[str, Json] = {"status": status} if status >= 300 else {}
    if code not in _NOT_QUOTED and complaint.text and (words := quotable(complaint.text, request)) is not None:
        details["provider_message"] = words
    wait = None if response is None else retry_after(response.headers)
    return Rejected(complaint, failed(code, retry_after_seconds=wait, details=details))


def _complaint(status: int, body: object) -> Complaint:
    """Read an error in any of the shapes services have for it; a page in HTML counts as silence."""
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping | str):
        body = body["error"]
    if isinstance(body, str):
        return Complaint(status, text="" if body.lstrip().startswith("<") else body[:_MAX_READ])
    if not isinstance(body, Mapping):
        return Complaint(status)
    code = body.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        status = code
    text = body.get("message") or body.get("detail") or ""
    return Complaint(
        status,
        names=tuple(name for name in (code, body.get("type")) if isinstance(name, str)),
        text=str(text)[:_MAX_READ],
        parameter=str(body.get("param") or ""),
    )
