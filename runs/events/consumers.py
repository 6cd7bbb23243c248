"""WebSockets: the same records, a message each."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

import orjson
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http.request import validate_host

from kernel.admission import become_stream
from kernel.clock import utc_now
from kernel.errors import Invalid, LlmteamError, Unavailable
from kernel.tasks import end_tasks
from runs.errors import ProcessStops
from runs.events.send_buffer import ConsumerTooSlow, send_buffer_of
from runs.events.stream import Stream, StreamPiece, follow, open_run, open_tenant, read_filter
from runs.events.tickets import use_ticket
from tenants.errors import KeyMissing, KeyRefused
from tenants.selectors import find_caller
from tenants.types import Caller

log = logging.getLogger(__name__)

CODES: Final[Mapping[int, int]] = {401: 4401, 403: 4403, 404: 4404, 422: 4422, 429: 4429, 503: 4503}
"""Close codes of refusals, by the status HTTP would answer with."""
CODE_SLOW: Final = 4408
CODE_STOPS: Final = 4503
CODE_MESSAGE: Final = 4400


class UnknownParameter(Invalid):
    """A parameter of the address is unknown or sent twice."""

    code = "UNKNOWN_PARAMETER"
    title = "The address has an unknown parameter, or the same parameter twice"


class MessagesRefused(Invalid):
    """The caller has sent a message."""

    code = "NO_MESSAGES"
    title = "This stream takes no messages"


class TooSlow(Unavailable):
    """The caller does not read."""

    code = "CONSUMER_TOO_SLOW"
    title = "You read too slowly and were disconnected; nothing is lost: reconnect with the last `cursor` you received"


class DatabaseSilent(Unavailable):
    """The database does not answer."""

    code = "DATABASE_UNAVAILABLE"
    title = "The database does not answer right now"


class StreamConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One caller's stream. It is opened before it is accepted, so what happens after that is never missed.

    A refusal is accepted too, told in a message, and closed with a code: a browser sees neither body nor status of a
    refused handshake. Only a foreign origin gets one: it is neither the installation's nor the caller's tenant's.
    """

    parameters: ClassVar[frozenset[str]] = frozenset()

    async def connect(self) -> None:
        """Let the caller in, and begin."""
        self.following: asyncio.Task[None] | None = None
        self.cursor: str | None = None
        send_buffer_of(self.scope).allow_slow_goodbyes()
        try:
            stream = await sync_to_async(self._open)()
        except LlmteamError as error:
            await self._refuse(error)
            return
        except (OperationalError, InterfaceError):
            await self._refuse(DatabaseSilent())
            return
        if not _is_allowed(self.scope, stream.caller.tenant.allowed_origins):
            await self.close()
        else:
            await self.accept()
            self.following = asyncio.create_task(self._follow(stream), name="websocket stream")
            self.following.add_done_callback(self._report)

    async def disconnect(self, code: int) -> None:
        """Let go of everything."""
        if self.following is not None:
            await end_tasks([self.following])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Refuse what the caller sends: there is nothing it could change."""
        if self.following is not None:
            self.following.cancel()
        await self._end(MessagesRefused(), CODE_MESSAGE)

    def open(self, caller: Caller, parameters: Mapping[str, str]) -> Stream:
        """Open what the address names."""
        raise NotImplementedError  # each consumer below says what its address names

    def _open(self) -> Stream:
        pairs = parse_qsl(self.scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
        parameters = dict(pairs)
        if len(parameters) < len(pairs) or not parameters.keys() <= self.parameters | {"ticket"}:
            raise UnknownParameter
        ticket = parameters.pop("ticket", None)
        caller = _key_holder(self.scope) if ticket is None else use_ticket(text=ticket)
        become_stream()
        send_buffer_of(self.scope).owner = f"tenant {caller.tenant.id}"
        return self.open(caller, parameters)

    async def _follow(self, stream: Stream) -> None:
        send_buffer = send_buffer_of(self.scope)
        try:
            async with contextlib.aclosing(follow(stream, send_buffer)) as found:
                async for pieces in found:
                    await self._send_pieces(pieces)
            await self.close(1000)
        except KeyRefused as error:
            await self._end(error, CODES[error.status])
        except ProcessStops as error:
            await self._end(error, CODE_STOPS)
        except ConsumerTooSlow:
            send_buffer.end_soon()
            await self._end(TooSlow(), CODE_SLOW)

    def _report(self, task: asyncio.Task[None]) -> None:
        """Say what nobody foresaw; the caller may come again with its cursor."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a stream ended", exc_info=error)
            self.closing = asyncio.create_task(self.close(1011))

    async def _send_pieces(self, pieces: list[StreamPiece]) -> None:
        if not pieces:
            ping = {"event_type": "ping", "timestamp": utc_now(), "cursor": self.cursor}
            await self.send(text_data=orjson.dumps(ping, option=orjson.OPT_UTC_Z).decode())
        for piece in pieces:
            if piece.cursor is None:
                await self.send(text_data=piece.records[0].text.decode())
                continue
            self.cursor = piece.cursor
            *others, last = piece.records
            for record in others:
                await self.send(text_data=_with_cursor(record.text, b"null"))
            await self.send(text_data=_with_cursor(last.text, orjson.dumps(piece.cursor)))

    async def _refuse(self, error: LlmteamError) -> None:
        if not _is_allowed(self.scope):
            await self.close()
            return
        await self.accept()
        await self._end(error, CODES.get(error.status, 1011))

    async def _end(self, error: LlmteamError, close_code: int) -> None:
        message = {"event_type": "stream.closed", "code": error.code, "detail": error.detail, "cursor": self.cursor}
        await self.send(text_data=orjson.dumps(message).decode())
        await self.close(close_code)


class RunConsumer(StreamConsumer):
    """The journal of one run; closed with 1000 after its last event."""

    parameters = frozenset({"after"})

    def open(self, caller: Caller, parameters: Mapping[str, str]) -> Stream:
        """Open a run's journal."""
        run_id: str = self.scope["url_route"]["kwargs"]["run_id"]
        return open_run(caller=caller, run_id=run_id, after=parameters.get("after", ""))


class TenantConsumer(StreamConsumer):
    """The journals of all runs of a tenant; never over."""

    parameters = frozenset({"cursor", "event_type", "segment", "run"})

    def open(self, caller: Caller, parameters: Mapping[str, str]) -> Stream:
        """Open a tenant's journals."""
        wanted = {name: text for name, text in parameters.items() if name != "cursor"}
        return open_tenant(caller=caller, cursor=parameters.get("cursor", ""), wanted=read_filter(**wanted))


class UnknownAddressConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Every address no stream is at."""

    async def connect(self) -> None:
        """Refuse the handshake."""
        await self.close()


def _with_cursor(record: bytes, cursor: bytes) -> str:
    """Add a member to a record that is written already."""
    return (record[:-1] + b',"cursor":' + cursor + b"}").decode()


def _key_holder(scope: Mapping[str, Any]) -> Caller:
    headers = dict(scope["headers"])
    key: bytes | None = headers.get(b"x-api-key")
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        key = token.strip()
    if not key:
        raise KeyMissing
    return find_caller(key_text=key.decode("latin-1"))


def _is_allowed(scope: Mapping[str, Any], of_tenant: Collection[str] = ()) -> bool:
    """Tell whether a page of this origin may connect. Programs, which are no pages, send none."""
    origin = dict(scope["headers"]).get(b"origin")
    if origin is None:
        return True
    text = origin.decode("latin-1")
    if text in settings.WEBSOCKET_ORIGINS or text in of_tenant:
        return True
    return validate_host(urlsplit(text).hostname or "", settings.ALLOWED_HOSTS)
