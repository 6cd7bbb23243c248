"""A provider on an official SDK: one call in one wire format, within its time."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx

from kernel.egress import EgressBlocked
from kernel.values import Json
from runs.providers.base import CompletionReply, CompletionRequest, ProviderOptions
from runs.providers.errors import Complaint, failed, failure_on_the_way
from runs.providers.wire import Rejected, Wire, load_sdk

DEFAULT_TIMEOUT_SECONDS = 120.0
GRACE_SECONDS = 0.25
"""The guarded client keeps the time; what it does not see, such as a slow token server, is cut off this much later."""

_MAX_ADJUSTMENTS = 4
_MAX_MODELS_KNOWN = 200
_log = logging.getLogger(__name__)

Lacks = frozenset[str]
"""What a model does not take, by names of the wire format."""


class Gathering(Protocol):
    """Puts an answer together from its pieces."""

    def add(self, event: Any) -> str:
        """Take the next piece; returns the text in it."""

    def answer(self) -> Json:
        """Give the answer as if it had come in one.

        Raises:
            StepFailed: The end is missing.
        """


class WireFormat(Protocol):
    """How requests are written and answers read; pure."""

    def write(self, request: CompletionRequest, lacks: Lacks, *, streamed: bool) -> dict[str, Json]:
        """Write a request, without what the model lacks."""

    def read(self, answer: Json, request: CompletionRequest, request_id: str | None) -> CompletionReply:
        """Read an answer.

        Raises:
            StepFailed: LLM_REPLY_UNREADABLE.
        """

    def gather(self, request: CompletionRequest) -> Gathering:
        """Begin an answer that comes in pieces."""

    def missing(self, complaint: Complaint, body: Mapping[str, Json]) -> str | None:
        """Tell which part of a refused request can be left out or written otherwise."""


class SdkProvider:
    """Asks the models of one connection.

    Not every model takes every parameter. What a service refuses for that reason is written otherwise and asked
    again, within the same time, and remembered for the model; a refused request costs no tokens. Nothing else is
    ever tried again here.
    """

    def __init__(self, options: ProviderOptions, wire_format: WireFormat, sdk_module: str) -> None:
        """Prepare; the SDK is imported with the first call.

        Args:
            options: The connection.
            wire_format: Of the service.
            sdk_module: The module whose ``open_wire`` makes the client of the SDK.
        """
        self._options = options
        self._format = wire_format
        self._sdk_module = sdk_module
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self._lacks: dict[str, Lacks] = {}

    async def complete(
        self, request: CompletionRequest, *, on_delta: Callable[[str], None] | None = None
    ) -> CompletionReply:
        """Ask the model; see `Provider.complete`. Cancelling closes the connection."""
        seconds = DEFAULT_TIMEOUT_SECONDS if request.timeout_seconds is None else request.timeout_seconds
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS) as limit:
                return await self._complete(request, on_delta, limit)
        except TimeoutError:
            raise failed("LLM_TIMED_OUT") from None

    async def _complete(
        self, request: CompletionRequest, on_delta: Callable[[str], None] | None, limit: asyncio.Timeout
    ) -> CompletionReply:
        wire = await self._open()
        lacks = self._lacks.get(request.model, frozenset())
        for _ in range(_MAX_ADJUSTMENTS):
            try:
                return await self._ask(wire, request, lacks, on_delta, _left(limit))
            except Rejected as rejected:
                body = self._format.write(request, lacks, streamed=on_delta is not None)
                missing = self._format.missing(rejected.complaint, body)
                if missing is None:
                    raise rejected.failure from None
                lacks |= {missing}
                if rejected.complaint.is_for_good:
                    self._remember(request.model, missing)
        try:
            return await self._ask(wire, request, lacks, on_delta, _left(limit))
        except Rejected as rejected:
            raise rejected.failure from None

    async def _ask(
        self,
        wire: Wire,
        request: CompletionRequest,
        lacks: Lacks,
        on_delta: Callable[[str], None] | None,
        seconds: float,
    ) -> CompletionReply:
        body = self._format.write(request, lacks, streamed=on_delta is not None)
        headers = {} if request.idempotency_key is None else {"idempotency-key": request.idempotency_key}
        if on_delta is None:
            answer = await wire.post(body, headers=headers, seconds=seconds, tenant=request.tenant)
            return await asyncio.to_thread(self._format.read, answer.data, request, answer.request_id)
        gathering = self._format.gather(request)
        async with wire.stream(body, headers=headers, seconds=seconds) as stream:
            async for event in stream.events:
                if text := gathering.add(event):
                    on_delta(text)
        # In a thread, as a long answer takes long to read; the event loop has its turns meanwhile.
        return await asyncio.to_thread(lambda: self._format.read(gathering.answer(), request, stream.request_id))

    async def _open(self) -> Wire:
        if self._wire is not None:
            return self._wire
        async with self._opening:
            if self._wire is None:
                sdk = await load_sdk(self._sdk_module)
                try:
                    self._wire = sdk.open_wire(self._options)
                except (httpx.InvalidURL, ValueError):
                    raise failure_on_the_way(EgressBlocked("the base address cannot be read")) from None
            return self._wire

    def _remember(self, model: str, missing: str) -> None:
        if len(self._lacks) < _MAX_MODELS_KNOWN:
            _log.info("The model %s takes no %s; it is asked without from now on.", model, missing)
            self._lacks[model] = self._lacks.get(model, frozenset()) | {missing}


def _left(limit: asyncio.Timeout) -> float:
    return max((limit.when() or 0.0) - GRACE_SECONDS - asyncio.get_running_loop().time(), 0.001)
