"""Connection trials: one small call, and its result in words."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any, Final, cast
from uuid import UUID

from asgiref.sync import async_to_sync

from audit.services import record
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.egress import DeadlineExceeded, EgressClient, open_client
from kernel.errors import LimitReached, LlmteamError, sentences
from kernel.ids import new_id
from kernel.redaction import redact
from kernel.types import Json
from runs.connections.directory import ConnectionDirectory
from runs.connections.facts import ConnectionFacts
from runs.engine.middleware import build_middleware, close_middleware
from runs.http.exchange import exchange
from runs.http.request import OutgoingRequest
from runs.runtime import Runtime
from runs.step_api.base import Defer, RuntimeContext, StepCall, StepConfig, StepFailed
from runs.step_api.language_models import CompletionRequest, Message
from tenants.connections.certificates import expires_at
from tenants.connections.egress_policy import egress_policy_of
from tenants.connections.selectors import get_connection
from tenants.models import Connection, Tenant

TRIAL_SECONDS: Final = 15.0
GRACE_SECONDS: Final = 1.0
"""Time after which several waits are cut off: each keeps the time by itself, and says more of it."""
MAX_TRIALS: Final = 2
DAYS_OF_WARNING: Final = 30
"""Days before a certificate expires from which on a trial says so."""
_REFUSED: Final = frozenset((401, 403))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_FINE: Final = frozenset(range(300, 500)) - _REFUSED - _REDIRECTS
"""Statuses beside 200 to 299 that say that the host is there and takes the secret; redirects are followed."""
_running = BoundedSemaphore(MAX_TRIALS)
log = logging.getLogger(__name__)


class TrialsUnderWay(LimitReached):
    """Too many connections are being tried in this process."""

    code = "TRIALS_UNDER_WAY"
    title = "Other connections are being tried; try again in a moment"


@dataclass(frozen=True, slots=True)
class _Owner:
    """Owner and client of a trial call: all that gates and calls read from a context."""

    tenant_id: UUID
    client: EgressClient

    async def http_client(self) -> EgressClient:
        return self.client


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of one call. ``status`` is the HTTP status, where there was an answer to an HTTP call."""

    ok: bool
    code: str
    detail: str
    duration_ms: int
    status: int | None = None


def try_connection(*, tenant: Tenant, actor: str, ref: str) -> Trial:
    """Make one small call through a connection, as a step would.

    An HTTP API is asked for its base address, as a step asks: any answer but 401, 403 and 5xx will do, once redirects
    have been followed. A language model is asked for a few tokens, in the way steps ask it. The call counts for limits
    and circuits, and is none while those are closed. Takes at most 16 s.

    Raises:
        ConnectionNotFound: The tenant has none of this name.
        TrialsUnderWay: As its class says.
    """
    row = get_connection(tenant=tenant, ref=ref)
    if not _running.acquire(blocking=False):
        raise TrialsUnderWay(extra={"retry_after": 1, "limit": MAX_TRIALS})
    try:
        trial = async_to_sync(_try)(facts_of(row), tenant)
    finally:
        _running.release()
    with tenant_scope(tenant.id):
        after: dict[str, Json] = {"ok": trial.ok, "code": trial.code}
        record("connection.tested", row, actor=actor, after=after)
    return trial


def facts_of(row: Connection) -> ConnectionFacts:
    """Write a row as the engine reads it."""
    names = [name for name in ConnectionFacts.__dataclass_fields__ if name != "sealed"]
    return ConnectionFacts(**{name: getattr(row, name) for name in names}, sealed=row.secret)


async def _try(facts: ConnectionFacts, tenant: Tenant) -> Trial:
    started = time.monotonic()
    links = build_middleware()
    try:
        async with open_client(egress_policy_of(tenant), timeout_seconds=TRIAL_SECONDS, owner=tenant.id) as client:
            async with asyncio.timeout(TRIAL_SECONDS + GRACE_SECONDS):
                return await _outcome(facts, _call(_Owner(tenant.id, client), links), client, started)
    except TimeoutError:
        return Trial(False, DeadlineExceeded.code, f"{DeadlineExceeded.title}.", _since(started))
    finally:
        await close_middleware(links)


async def _outcome(facts: ConnectionFacts, call: StepCall, client: EgressClient, started: float) -> Trial:
    directory = ConnectionDirectory(Runtime(), lambda: client)
    status: int | None = None
    try:
        if facts.kind == "llm":
            detail = await _ask_model(call, directory, facts)
        else:
            detail, status = await _get_base(call, directory, facts)
        return Trial(True, "OK", detail + _expiry(facts), _since(started), status)
    except Defer as closed:
        until = closed.until.isoformat(timespec="seconds")
        return Trial(False, closed.reason.upper(), f"The connection's own limit is reached until {until}.", 0)
    except StepFailed as failure:
        found = failure.details.get("status")
        status = found if isinstance(found, int) else None
        words = failure.details.get("provider_message")
        detail = failure.message if words is None else sentences(failure.message, f"It says: {words}")
        return Trial(False, failure.code, detail, _since(started), status)
    except LlmteamError as error:
        return Trial(False, error.code, error.detail, _since(started))


def _call(owner: _Owner, links: Sequence[Any]) -> StepCall:
    """Make an attempt that passes the gates as a step's does, and does not wait at a circuit that is open."""
    return StepCall(
        run_id=new_id(),
        step_id="test",
        activation=1,
        attempt=1,
        config=StepConfig(),
        inputs={},
        names={},
        context=cast("RuntimeContext", owner),
        next_key=lambda: new_id().hex,
        record=lambda _kind, _payload: None,
        log=logging.LoggerAdapter(log, {}),
        deadline=time.monotonic() + TRIAL_SECONDS,
        routes_errors=True,
        gates=[link.gate for link in links if hasattr(link, "gate")],
    )


async def _ask_model(call: StepCall, directory: ConnectionDirectory, facts: ConnectionFacts) -> str:
    model = directory.language_model(facts.ref, facts)
    if not model.model:
        raise StepFailed("LLM_MODEL_MISSING", "The connection names no model, so there is none to ask.")
    async with call.through_gates(replace(model.endpoint, model=model.model)):
        request = CompletionRequest(
            model=model.model, messages=[Message("user", "Say OK.")], max_tokens=16, timeout_seconds=TRIAL_SECONDS
        )
        try:
            reply = await model.provider.complete(request, on_delta=call.stream)
        except StepFailed as failure:
            failure.hide(model.secrets())
            raise
    return f"The model {redact(reply.model, model.secrets())} answered."


async def _get_base(call: StepCall, directory: ConnectionDirectory, facts: ConnectionFacts) -> tuple[str, int]:
    connected = directory.client(facts.ref, facts)
    seconds = min(connected.timeout_seconds or TRIAL_SECONDS, TRIAL_SECONDS)
    request = OutgoingRequest("GET", connected.base_url, {}, None, seconds, connected, response_as="none")
    answer = await exchange(call, request, accepted=_FINE)
    return f"The host answered with status {answer.status}.", answer.status


def _expiry(facts: ConnectionFacts) -> str:
    """Say when a certificate expires, if that is soon."""
    known = {"client certificate": expires_at(facts.tls_certificate), "CA certificate": expires_at(facts.tls_ca)}
    soon = utc_now() + timedelta(days=DAYS_OF_WARNING)
    warnings = [
        f" Its {what} expires on {end:%Y-%m-%d}." for what, end in known.items() if end is not None and end < soon
    ]
    return "".join(warnings)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
