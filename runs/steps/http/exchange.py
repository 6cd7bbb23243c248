"""One call: through the gates, guarded, journalled before and behind; its answer, or why there is none."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

import httpx

from kernel.egress import (
    OF_TRUST,
    BodyTooLarge,
    BodyUnreadable,
    ConnectionFailed,
    DeadlineExceeded,
    EgressBlocked,
    HeaderRefused,
)
from kernel.values import Json
from runs.steps.base import IN_DOUBT, StepCall, StepFailed
from runs.steps.http.answer import Answer
from runs.steps.http.request import OutgoingRequest
from runs.steps.http.sent import sent_over_http

NOT_REPEATED = (
    f"{IN_DOUBT} Where the server honours the header Idempotency-Key, say `honours_idempotency_key: true`: "
    "then it is tried again."
)


async def exchange(
    call: StepCall, request: OutgoingRequest, *, accepted: Collection[int] = (), patient: bool = False
) -> Answer:
    """Send a request and take its answer.

    The journal has what is sent before it is, redacted and bounded. Each call has an idempotency key of its own, the
    same in every attempt, unless the request brings one. ``patient`` as for ``StepCall.outside``.

    Raises:
        StepFailed: No answer (retryable, unless the call may have had an effect that would come twice), a status that
            is an error, or a request the policy blocks.
        Defer: A gate is closed for now; nothing was sent.
    """
    return await _Exchange(call, request, {**request.headers}).go(accepted, patient=patient)


@dataclass(slots=True)
class _Exchange:
    """One call of a step; ``started`` is when it was announced, by ``time.monotonic``."""

    call: StepCall
    request: OutgoingRequest
    headers: dict[str, str]
    started: float | None = field(default=None, init=False)

    async def go(self, accepted: Collection[int], *, patient: bool) -> Answer:
        """Do it; raises as ``exchange``."""
        self.headers.setdefault("idempotency-key", self.call.next_key())
        try:
            async with self.call.outside(self.request.endpoint, patient=patient):
                answer = await self._answer()
                await answer.read(self.call.context.tenant_id)
                answer.check(accepted)
        except StepFailed as failure:
            self._tell("action.failed", {"code": failure.code, "status": failure.details.get("status")})
            raise
        self._tell("action.completed", {"status": answer.status})
        return answer

    def _tell(self, event_type: str, told: dict[str, Json]) -> None:
        if self.started is not None:
            known = {name: value for name, value in told.items() if value is not None}
            self.call.record(event_type, {**known, "duration_ms": round((time.monotonic() - self.started) * 1000)})

    async def _answer(self) -> Answer:
        """Send; once more with fresh credentials where the host does not take those that were kept."""
        client = self.request.client
        await self._announce()
        response = await self._send()
        if response.status_code == httpx.codes.UNAUTHORIZED and client is not None and client.renew():
            response = await self._send()
        return Answer.of(response, client.secrets() if client is not None else ())

    async def _send(self) -> httpx.Response:
        call, request = self.call, self.request
        client = await call.context.http_client()
        try:
            built = client.build_request(
                request.method, request.url, headers=self.headers, content=request.content, timeout=self._time_left()
            )
            if request.client is not None:
                await request.client.authorise(built)
            call.is_in_doubt = not request.is_repeatable
            response: httpx.Response = await client.send(built)
        except (ConnectionFailed, DeadlineExceeded) as error:
            raise self._unanswered(error) from error
        except (EgressBlocked, HeaderRefused, BodyTooLarge, BodyUnreadable) as error:
            raise StepFailed(error.code, error.detail) from error
        call.is_in_doubt = False
        return response

    async def _announce(self) -> None:
        """Have the journal hold what is sent; of what the connection adds it has the connection's name only."""
        await self.call.announce(sent_over_http(self.request, self.headers))
        self.started = time.monotonic()

    def _unanswered(self, error: ConnectionFailed | DeadlineExceeded) -> StepFailed:
        """Say that no answer came. What may have had its effect is not tried again, unless that does no harm."""
        of_trust = isinstance(error, ConnectionFailed) and error.reason in OF_TRUST
        is_in_doubt = error.sent and not self.request.is_repeatable
        self.call.is_in_doubt = is_in_doubt
        return StepFailed(
            error.code,
            f"{error.detail} {NOT_REPEATED}" if is_in_doubt else error.detail,
            retryable=not (of_trust or is_in_doubt),
            host_failed=not of_trust,
            details={**error.extra, "sent": error.sent},
        )

    def _time_left(self) -> float:
        left = float("inf") if self.call.deadline is None else self.call.deadline - time.monotonic()
        return max(0.001, min(self.request.timeout_seconds, left))
