"""Inbox WebSocket consumer: count of waiting tasks, sent at each change."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, parse_cookie

from foundation.scope import reading_scope
from humantasks import selectors
from humantasks.people import person_of
from kernel.admission import TooManyStreams, become_stream
from kernel.tasks import end_tasks
from runs.events.hub import current_hub
from tenants.members.session_store import SessionStore
from tenants.members.sessions import member_of_session
from tenants.models import Membership

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 4.0
"""The longest a member who is signed out, or deactivated, is told anything."""
PACE_SECONDS: Final = 1.0
"""The least time between two looks: whatever a tenant's runs do, one member's page costs three counts a second."""
RECOUNT_SECONDS: Final = 8.0
"""Longest time counts are taken as they are while no run of the tenant advances: time alone makes tasks late."""
SIGNED_OUT: Final = 4401
NO_MESSAGES: Final = 4400
PROCESS_STOPS: Final = 4503
TOO_MANY: Final = 4429

Counts = dict[str, int]


class InboxConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One open page of a member. Known by the session's cookie, so only pages of this site are let in."""

    async def connect(self) -> None:
        """Let a member in, and begin."""
        self.following: asyncio.Task[None] | None = None
        if not is_from_here(self.scope):
            await self.close()
            return
        await self.accept()
        self.following = asyncio.create_task(self._follow(), name="inbox counts")
        self.following.add_done_callback(_report)

    async def disconnect(self, code: int) -> None:
        """Let go of everything."""
        if self.following is not None:
            await end_tasks([self.following])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Refuse what the page sends: there is nothing it could ask for."""
        await self.close(NO_MESSAGES)

    async def _follow(self) -> None:
        """Tell the counts at once and whenever they change; end when the member is not signed in any more."""
        member = await sync_to_async(member_of)(self.scope)
        if member is not None and not _has_room():
            await self.close(TOO_MANY)
            return
        counts: Counts | None = None
        counted_at = 0.0
        if member is not None:
            hub = current_hub()
            with hub.watching(("tenant", member.tenant_id)) as watch:
                while await self._is_still(member):
                    if hub.is_closing:
                        await self.close(PROCESS_STOPS)
                        return
                    if watch.changed.is_set() or time.monotonic() - counted_at >= RECOUNT_SECONDS:
                        watch.changed.clear()
                        counted_at = time.monotonic()
                        counts = await self._count(member, counts)
                    await asyncio.sleep(PACE_SECONDS)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS - PACE_SECONDS):
                            await watch.changed.wait()
        await self.close(SIGNED_OUT)

    async def _is_still(self, member: Membership) -> bool:
        """Whether the page's session is still this member's; should the database be away, it is for now."""
        try:
            found = await sync_to_async(member_of)(self.scope)
        except (OperationalError, InterfaceError):
            return True
        return found is not None and found.id == member.id

    async def _count(self, member: Membership, before: Counts | None) -> Counts | None:
        """Count, and tell what has changed."""
        try:
            counts = await sync_to_async(counts_of)(member)
        except (OperationalError, InterfaceError):
            return before
        if counts != before:
            shown = {name: selectors.shown_count(count) for name, count in counts.items()}
            await self.send(text_data=orjson.dumps({"counts": shown}).decode())
        return counts


def _has_room() -> bool:
    """Whether the tenant may have one more stream open; then this page is one."""
    try:
        become_stream()
    except TooManyStreams:
        return False
    return True


def counts_of(member: Membership) -> Counts:
    """Count what waits for a member."""
    with reading_scope(member.tenant_id):
        return selectors.count_tasks(tenant=member.tenant, person=person_of(member))


def member_of(scope: Mapping[str, Any]) -> Membership | None:
    """Find who is signed in, as the pages do."""
    cookies = parse_cookie(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))
    request = HttpRequest()
    request.session = SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    return member_of_session(request)


def is_from_here(scope: Mapping[str, Any]) -> bool:
    """Whether a page of this very site connects: a browser would send the cookie along from any."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1")
    return bool(origin) and (urlsplit(origin).netloc == host or origin in settings.WEBSOCKET_ORIGINS)


def _report(task: asyncio.Task[None]) -> None:
    """Say what nobody foresaw; the page comes again by itself."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("live counts ended", exc_info=error)
