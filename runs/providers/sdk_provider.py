"""A provider on an official SDK: one call in one wire format, within its time."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import httpx

from kernel.bounded_cache import BoundedCache
from kernel.egress import EgressBlocked
from kernel.types import Json
from kernel.values import dump_json
from runs.providers.decoding import storable_text
from runs.providers.errors import ServiceError, also_took, failed, failure_on_the_way, lost_tokens
from runs.providers.event_stream import EVENTS_AT_ONCE
from runs.providers.reading.members import UNFORESEEN, reading, unreadable
from runs.providers.reasoning import VisibleText
from runs.providers.text_calls.held_back import HeldBack
from runs.providers.tokens import estimate_input, estimated
from runs.providers.wire import ServiceRejected, Wire, WireAnswer, load_sdk
from runs.step_api.base import StepFailed
from runs.step_api.language_models import CompletionReply, CompletionRequest, ProviderOptions, SchemaMode, TokenCount

DEFAULT_TIMEOUT_SECONDS = 120.0
GRACE_SECONDS = 0.25
"""The guarded client keeps the time; what it does not see, such as a slow token server, is cut off this much later."""

AFTER_END_SECONDS = 5.0
"""Time that is waited for more behind the end of an answer, such as a count of tokens."""
HEARD_TOGETHER = EVENTS_AT_ONCE
"""So many pieces of an answer that come together are heard as one."""
_NO_MORE = frozenset(
    ("LLM_REPLY_UNREADABLE", "LLM_CONNECTION_FAILED", "LLM_TIMED_OUT", "RESPONSE_UNREADABLE", "RESPONSE_TOO_LARGE")
)
"""Failures that take nothing away from an answer that has ended."""
_MAX_ADJUSTMENTS = 4
_MAX_KINDS_KNOWN = 200
_log = logging.getLogger(__name__)

Lacks = frozenset[str]
"""Parameters a model does not take, by names of the wire format."""

STREAM = "stream"
_NO_STREAM = re.compile(r"\bstream(?:ing|ed)?\b.{0,40}(?:not|un)\W?.{0,10}(?:support|allow|avail)", re.IGNORECASE)
"""A service says that it has no streams."""
REFUSED = frozenset((400, 422, 500, 501))
"""Statuses of requests whose parts are not taken; lesser servers crash over them."""
SCHEMAS = ("json_schema", "json_object")
_BY_SCHEMA_MODE: Mapping[SchemaMode, tuple[Lacks, Lacks]] = {
    "auto": (frozenset(), frozenset()),
    "json_schema": (frozenset(), frozenset(SCHEMAS)),
    "json_object": (frozenset(SCHEMAS[:1]), frozenset(SCHEMAS)),
    "prompt": (frozenset(SCHEMAS), frozenset(SCHEMAS)),
}


class PieceGathering(Protocol):
    """Puts an answer together from its pieces."""

    def add(self, event: Any) -> str:
        """Take the next piece; returns the text in it."""

    def answer(self, *, is_done: bool) -> Json:
        """Give the answer as if it had come in one.

        Args:
            is_done: Whether the service said that this is all, in words the events do not have.

        Raises:
            StepFailed: The end is missing.
        """

    @property
    def has_counted(self) -> bool:
        """Whether the service told how much it has said so far."""

    @property
    def is_over(self) -> bool:
        """Whether the service said why the answer ended."""


class WireFormat(Protocol):
    """Writer of requests and reader of answers in one format; pure."""

    def write(self, request: CompletionRequest, lacks: Lacks, *, streamed: bool) -> dict[str, Json]:
        """Write a request, without what the model lacks."""

    def read(self, answer: Json, request: CompletionRequest, request_id: str | None) -> CompletionReply:
        """Read an answer.

        Raises:
            StepFailed: LLM_REPLY_UNREADABLE.
        """

    def usage(self, answer: Json) -> TokenCount | None:
        """Read what an answer took, if it says so."""

    def gather(self, request: CompletionRequest) -> PieceGathering:
        """Begin an answer that comes in pieces."""

    def missing(self, service_error: ServiceError, body: Mapping[str, Json], lacks: Lacks) -> str | None:
        """Tell which part of a refused request can be left out or written otherwise."""


@dataclass
class _Heard:
    """Received answer: a whole one, or pieces."""

    request: CompletionRequest
    gathering: PieceGathering
    whole: Json = None
    answer: WireAnswer | None = None


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
        self._lacks: BoundedCache[tuple[str, str], Lacks] = BoundedCache(_MAX_KINDS_KNOWN)
        self._left_out, self._settled = _fixed(options)

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
        reply, lacks = await self._adjusted(request, on_delta, limit)
        is_streamed = on_delta is not None and STREAM not in lacks
        if not is_streamed or self._options.stream != "auto" or not _is_nothing(reply):
            return reply
        try:
            whole, _ = await self._adjusted(_afresh(request), on_delta, limit, lacks | {STREAM})
        except StepFailed as failure:
            raise failure if reply.tokens.is_estimated else also_took(failure, reply.tokens) from None
        if not _is_nothing(whole):
            self._remember(request, STREAM)
        return replace(whole, tokens=whole.tokens if reply.tokens.is_estimated else reply.tokens + whole.tokens)

    async def _adjusted(
        self,
        request: CompletionRequest,
        on_delta: Callable[[str], None] | None,
        limit: asyncio.Timeout,
        lacks: Lacks = frozenset(),
    ) -> tuple[CompletionReply, Lacks]:
        """Ask, and leave out what the service does not take; tells what that was."""
        wire = await self._open()
        lacks |= self._left_out | self._known(request)
        lost = TokenCount(0, 0)
        for left in reversed(range(_MAX_ADJUSTMENTS + 1)):
            try:
                reply = await self._ask(wire, request, lacks, on_delta, _left(limit))
            except ServiceRejected as rejected:
                body = self._format.write(request, lacks, streamed=on_delta is not None and STREAM not in lacks)
                service_error = rejected.service_error.without(message.text for message in request.messages)
                missing = self._format.missing(service_error, body, lacks) if left else None
                if missing is None or missing in self._settled:
                    raise also_took(rejected.failure, lost) from None
                lost += lost_tokens(rejected.failure)
                lacks |= {missing}
                if service_error.is_for_good:
                    self._remember(request, missing)
            except StepFailed as failure:
                raise also_took(failure, lost) from None
            else:
                break
        return replace(reply, tokens=reply.tokens + lost), lacks

    async def _ask(
        self,
        wire: Wire,
        request: CompletionRequest,
        lacks: Lacks,
        on_delta: Callable[[str], None] | None,
        seconds: float,
    ) -> CompletionReply:
        heard = _Heard(request, self._format.gather(request))
        try:
            return await self._listen(wire, heard, lacks, on_delta, seconds)
        except ServiceRejected as rejected:
            failure = self._counted(rejected.failure, heard, is_read=False)
            raise ServiceRejected(rejected.service_error, failure) from None
        except StepFailed as failure:
            if failure.code == "LLM_REPLY_UNREADABLE" and heard.answer is not None:
                failure.details |= heard.answer.details()
            raise self._counted(failure, heard) from None

    async def _listen(
        self,
        wire: Wire,
        heard: "_Heard",
        lacks: Lacks,
        on_delta: Callable[[str], None] | None,
        seconds: float,
    ) -> CompletionReply:
        request, gathering = heard.request, heard.gathering
        streamed = on_delta is not None and STREAM not in lacks
        body = self._format.write(request, lacks, streamed=streamed)
        headers = {} if request.idempotency_key is None else {"idempotency-key": request.idempotency_key}
        publish = _publishing(on_delta)
        speech, events = VisibleText(), []
        withheld = HeldBack([tool.name for tool in request.tools], may_be_bare=request.response_schema is None)
        async with wire.ask(body, headers=headers, seconds=seconds, tenant=request.tenant, streamed=streamed) as answer:
            heard.answer = answer
            async for events in _until_over(answer.batches, gathering):
                if answer.stream.is_whole:
                    heard.whole = events[0]
                else:
                    _take(gathering, events, lambda text: publish(withheld.add(speech.add(text))))
        publish(withheld.add(speech.rest()))
        if not events and not streamed:
            raise failed("LLM_REPLY_UNREADABLE")

        may_be_nothing = not events and self._options.stream == "auto"

        def read() -> CompletionReply:
            is_whole, is_done = answer.stream.is_whole, answer.stream.is_done
            found = events[0] if is_whole else gathering.answer(is_done=is_done or may_be_nothing)
            with reading():
                return self._format.read(storable_text(found), request, answer.request_id)

        # In a thread, as a long answer takes long to read; the event loop has its turns meanwhile.
        reply = await asyncio.to_thread(read)
        publish(reply.text if answer.stream.is_whole else _held_back(reply, withheld.held))
        return reply

    def _counted(self, failure: StepFailed, heard: "_Heard", *, is_read: bool = True) -> StepFailed:
        """Count what an answer took that is of no use: as the service told, else as guessed where any of it came.

        Args:
            failure: What became of it.
            heard: What came.
            is_read: Whether it is an answer, and no error that the service told.
        """
        request, gathering = heard.request, heard.gathering
        tokens: TokenCount | None = None
        try:
            with reading():
                came = storable_text(gathering.answer(is_done=True) if heard.whole is None else heard.whole)
                tokens = self._format.usage(came)
                if heard.whole is None:
                    reply = self._format.read(came, replace(request, response_schema=None), None)
                    if reply.text or reply.reasoning or reply.tool_calls:
                        guessed = estimated(request, reply.text + reply.reasoning, reply.tool_calls)
                        return also_took(failure, _at_best(tokens, guessed, has_counted=gathering.has_counted))
        except StepFailed:
            pass
        if tokens is not None and (heard.whole is not None or gathering.has_counted):
            return also_took(failure, tokens)
        if failure.code != "LLM_REPLY_UNREADABLE" or not is_read or heard.answer is None:
            return failure if tokens is None else also_took(failure, tokens)
        guess = heard.answer.stream.guessed_tokens()
        if guess == 0:
            return failure
        guessed = TokenCount(estimate_input(request), min(guess, request.max_tokens), is_estimated=True)
        return also_took(failure, _at_best(tokens, guessed, has_counted=False))

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

    def _known(self, request: CompletionRequest) -> Lacks:
        return self._lacks.get(_kind(request)) or frozenset()

    def _remember(self, request: CompletionRequest, missing: str) -> None:
        _log.info("The model %s takes no %s; it is asked without from now on.", request.model, missing)
        self._lacks.put(_kind(request), self._known(request) | {missing})


def _kind(request: CompletionRequest) -> tuple[str, str]:
    """Tell which requests lack the same: what a model takes may hang on what else it is told, as to reason."""
    return request.model, dump_json(dict(request.extra))


async def _until_over(batches: AsyncIterator[list[Any]], gathering: PieceGathering) -> AsyncIterator[list[Any]]:
    """Give what comes; behind the end of an answer what cannot be read, or does not come, is not missed."""
    while True:
        try:
            async with asyncio.timeout(AFTER_END_SECONDS if gathering.is_over else None):
                events = await anext(batches)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if not gathering.is_over:
                raise
            return
        except StepFailed as failure:
            if not (gathering.is_over and failure.code in _NO_MORE):
                raise
            return
        yield events


def _take(gathering: PieceGathering, events: Sequence[Any], hear: Callable[[str], None]) -> None:
    """Take pieces, and have the text in each heard; of many that came together at once.

    Behind the end of an answer a piece that is none of the format is no part of it.
    """
    texts: list[str] = []
    failure: StepFailed | None = None
    for event in events:
        is_over = gathering.is_over
        try:
            texts.append(gathering.add(event))
        except (StepFailed, *UNFORESEEN) as error:
            if not is_over:
                failure = error if isinstance(error, StepFailed) else unreadable(error)
                break
    for text in texts if len(texts) < HEARD_TOGETHER else ("".join(texts),):
        hear(text)
    if failure is not None:
        raise failure


def _at_best(tokens: TokenCount | None, guessed: TokenCount, *, has_counted: bool) -> TokenCount:
    """Take what a service counted; of one that told only what it had read, the rest as guessed."""
    if tokens is None:
        return guessed
    return tokens if has_counted else replace(guessed, input_tokens=tokens.input_tokens)


def has_no_stream(service_error: ServiceError) -> bool:
    """Tell whether a service gives no streams, or not to this account."""
    is_about = service_error.parameter == STREAM or _NO_STREAM.search(service_error.text) is not None
    return is_about and service_error.status in REFUSED


def _fixed(options: ProviderOptions) -> tuple[Lacks, Lacks]:
    """Say what a connection has done without from the beginning, and what nobody may find out to do without."""
    left_out, settled = _BY_SCHEMA_MODE[options.schema_mode]
    if options.stream != "auto":
        settled |= {STREAM}
    return left_out | ({STREAM} if options.stream == "never" else frozenset()), settled


def _is_nothing(reply: CompletionReply) -> bool:
    return reply.finish_reason == "stop" and not (reply.text or reply.tool_calls or reply.reasoning)


def _afresh(request: CompletionRequest) -> CompletionRequest:
    """Make a request another one, which a service that knows keys does not answer as before."""
    key = request.idempotency_key
    return request if key is None else replace(request, idempotency_key=f"{key}-whole")


def _held_back(reply: CompletionReply, held: str) -> str:
    """Give what was held back while a text came, unless it is calls of tools."""
    return "" if reply.tool_calls or reply.finish_reason == "call_lost" else held


def _publishing(on_delta: Callable[[str], None] | None) -> Callable[[str], None]:
    """Publish to whoever listens, if anybody does and there is something to hear."""

    def publish(text: str) -> None:
        if text and on_delta is not None:
            on_delta(text)

    return publish


def _left(limit: asyncio.Timeout) -> float:
    return max((limit.when() or 0.0) - GRACE_SECONDS - asyncio.get_running_loop().time(), 0.001)
