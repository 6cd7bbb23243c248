"""One call: through the gates, guarded, journalled before and behind; its answer, or why there is none."""

import time
from collections.abc import Collection

import httpx

from kernel.egress import BodyTooLarge, BodyUnreadable, ConnectionFailed, DeadlineExceeded, EgressBlocked, HeaderRefused
from kernel.values import Json
from runs.steps.base import Defer, StepCall, StepFailed
from runs.steps.http.answer import Answer
from runs.steps.http.request import OutgoingRequest


async def exchange(
    call: StepCall, request: OutgoingRequest, *, accepted: Collection[int] = (), patient: bool = False
) -> Answer:
    """Send a request and take its answer. The journal gets no query, header or body.

    Each call has an idempotency key of its own, the same in every attempt, unless the request brings one. ``patient``
    as for ``StepCall.outside``.

    Raises:
        StepFailed: No answer (retryable), a status that is an error, or a request the policy blocks.
        Defer: A gate is closed for now; nothing was sent.
    """
    headers = dict(request.headers)
    key = headers.setdefault("idempotency-key", call.next_key())
    started = time.monotonic()
    told = False

    def tell_start() -> None:
        nonlocal told, started
        told, started = True, time.monotonic()
        call.record("action.started", {"method": request.method, "url": request.place, "idempotency_key": key})

    try:
        async with call.outside(request.endpoint, patient=patient):
            tell_start()
            answer = await _answer(call, request, headers)
            await answer.read(call.context.tenant_id)
            answer.check(accepted)
    except Defer:
        raise
    except StepFailed as failure:
        if told:
            outcome: dict[str, Json] = {"code": failure.code, "duration_ms": _milliseconds_since(started)}
            if "status" in failure.details:
                outcome["status"] = failure.details["status"]
            call.record("action.failed", outcome)
        raise
    call.record("action.completed", {"status": answer.status, "duration_ms": _milliseconds_since(started)})
    return answer


async def _answer(call: StepCall, request: OutgoingRequest, headers: dict[str, str]) -> Answer:
    """Send; once more with fresh credentials where the host does not take those that were kept."""
    response = await _send(call, request, headers)
    if response.status_code == httpx.codes.UNAUTHORIZED and request.client is not None and request.client.renew():
        response = await _send(call, request, headers)
    return Answer.of(response, request.client.secrets() if request.client is not None else ())


async def _send(call: StepCall, request: OutgoingRequest, headers: dict[str, str]) -> httpx.Response:
    client = await call.context.http_client()
    try:
        built = client.build_request(
            request.method, request.url, headers=headers, content=request.content, timeout=_time_left(call, request)
        )
        if request.client is not None:
            await request.client.authorise(built)
        response: httpx.Response = await client.send(built)
    except (ConnectionFailed, DeadlineExceeded) as error:
        raise StepFailed(error.code, error.detail, retryable=True, host_failed=True) from error
    except (EgressBlocked, HeaderRefused, BodyTooLarge, BodyUnreadable) as error:
        raise StepFailed(error.code, error.detail) from error
    return response


def _time_left(call: StepCall, request: OutgoingRequest) -> float:
    left = float("inf") if call.deadline is None else call.deadline - time.monotonic()
    return max(0.001, min(request.timeout_seconds, left))


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
