"""Trying a connection: one small call, and what came of it in words."""

import time
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final

import httpx
from asgiref.sync import async_to_sync

from kernel.egress import EgressClient, open_client
from kernel.errors import LimitReached, LlmteamError
from kernel.values import Json
from runs.connections.directory import Directory
from runs.connections.facts import ConnectionFacts
from runs.providers.base import CompletionRequest, Message
from runs.runtime import Runtime
from runs.steps.base import StepFailed
from tenants.connections.selectors import get_connection
from tenants.connections.services import policy_of
from tenants.context import tenant_scope
from tenants.models import Connection, Tenant
from tenants.recording import record

TRIAL_SECONDS: Final = 15.0
MOST_TRIALS: Final = 2
_running = BoundedSemaphore(MOST_TRIALS)


class TrialsUnderWay(LimitReached):
    """Too many connections are being tried in this process."""

    code = "TRIALS_UNDER_WAY"
    title = "Other connections are being tried; try again in a moment"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one call. ``status`` is the HTTP status, where there was an answer to an HTTP call."""

    ok: bool
    code: str
    detail: str
    duration_ms: int
    status: int | None = None


def try_connection(*, tenant: Tenant, actor: str, ref: str) -> Trial:
    """Make one small call through a connection, as a step would.

    An HTTP API is asked for its base address: any answer but 401, 403 and 5xx will do. A language model is asked for a
    few tokens. Takes at most 15 s.

    Raises:
        ConnectionNotFound: The tenant has none of this name.
        TrialsUnderWay: As its class says.
    """
    row = get_connection(tenant=tenant, ref=ref)
    if not _running.acquire(blocking=False):
        raise TrialsUnderWay(extra={"retry_after": 1, "limit": MOST_TRIALS})
    try:
        trial = async_to_sync(_try)(facts_of(row), tenant)
    finally:
        _running.release()
    with tenant_scope(tenant.id):
        after: dict[str, Json] = {"ok": trial.ok, "code": trial.code}
        record(
            tenant=tenant, action="connection.tested", actor=actor, object_type="connection", object_id=ref, after=after
        )
    return trial


def facts_of(row: Connection) -> ConnectionFacts:
    """Write a row as the engine reads it."""
    names = [name for name in ConnectionFacts.__dataclass_fields__ if name != "sealed"]
    return ConnectionFacts(**{name: getattr(row, name) for name in names}, sealed=row.secret)


async def _try(facts: ConnectionFacts, tenant: Tenant) -> Trial:
    started = time.monotonic()
    status: int | None = None
    async with open_client(policy_of(tenant), timeout_seconds=TRIAL_SECONDS, owner=tenant.id) as client:
        directory = Directory(Runtime(), lambda: client)
        try:
            if facts.kind == "llm":
                detail = await _ask_model(directory, facts)
            else:
                detail, status = await _get_base(directory, facts, client)
            return Trial(True, "OK", detail, _since(started), status)
        except StepFailed as failure:
            found = failure.details.get("status")
            status = found if isinstance(found, int) else None
            return Trial(False, failure.code, failure.message, _since(started), status)
        except LlmteamError as error:
            return Trial(False, error.code, error.detail, _since(started))


async def _ask_model(directory: Directory, facts: ConnectionFacts) -> str:
    model = directory.language_model(facts.ref, facts)
    if not model.model:
        raise StepFailed("LLM_MODEL_MISSING", "The connection names no model, so there is none to ask.")
    reply = await model.provider.complete(
        CompletionRequest(
            model=model.model, messages=[Message("user", "Say OK.")], max_tokens=16, timeout_seconds=TRIAL_SECONDS
        )
    )
    return f"The model {reply.model} answered."


async def _get_base(directory: Directory, facts: ConnectionFacts, client: EgressClient) -> tuple[str, int]:
    connected = directory.client(facts.ref, facts)
    request = client.build_request("GET", connected.base_url)
    await connected.authorise(request)
    response = await client.send(request)
    status = response.status_code
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN} or status >= 500:
        message = f"The host answered with status {status}."
        raise StepFailed("HTTP_STATUS", message, details={"status": status})
    return f"The host answered with status {status}.", status


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
