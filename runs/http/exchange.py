"""One HTTP exchange: gates, the call, journal records before and after; its answer, or the reason there is none."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from kernel.egress import (
    ANSWERS,
    COOKIES,
    IS_CUT,
    OF_TRUST,
    REDIRECTS,
    BodyTooLarge,
    BodyUnreadable,
    ConnectionFailed,
    CookieStore,
    DeadlineExceeded,
    EgressBlocked,
    HeaderRefused,
    Redirect,
)
from kernel.errors import sentences
from kernel.redaction import hidden_texts
from kernel.types import Json
from runs.http.answer import HttpAnswer
from runs.http.request import IDEMPOTENT, OutgoingRequest, options_of
from runs.http.shown_request import sent_over_http, shown_address
from runs.runtime import host_of
from runs.step_api.base import IN_DOUBT, StepCall, StepFailed
from runs.step_api.cookies import COOKIES as COOKIES_TOLD
from runs.step_api.retry_after import asked_wait

READ_AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0)
UNREAD = "With `response_as: none` it is not read."
CUT = "The host sent more than its `Content-Length` says: the rest is left out."
MADE = "The {method} was answered with status {status}, so it is not repeated: check whether it had its effect."
DONE_ALREADY = {
    "DELETE": (404, 409, 410, 412),
    "PUT": (409, 412),
    **dict.fromkeys(("POST", "PATCH"), (400, 409, 412, 422)),
}
"""Statuses by which a host answers that it has done already, or does under the same key, what it is asked again."""
DONE_BEFORE = "An earlier attempt may have done it, if its answer was lost: see its `calls`."
NOT_REPEATED = (
    f"{IN_DOUBT} Where the server honours the header Idempotency-Key, say `honours_idempotency_key: true`: "
    "then it is tried again."
)


class CallNotes(Protocol):
    """Further journal facts of a call."""

    def of_start(self) -> Mapping[str, Json]:
        """Give members of ``action.started``."""

    def of_end(self, outcome: HttpAnswer | StepFailed, *, was_made: bool) -> Mapping[str, Json]:
        """Give members of ``action.completed`` or ``action.failed``.

        Args:
            outcome: What came of it.
            was_made: Whether it may have had its effect: it got to the other side, and was not refused there.
        """


async def exchange(
    call: StepCall,
    request: OutgoingRequest,
    *,
    accepted: Collection[int] = (),
    patient: bool = False,
    notes: CallNotes | None = None,
) -> HttpAnswer:
    """Send a request and take its answer.

    The journal has what is sent before it is, redacted and bounded. Each call has an idempotency key of its own, the
    same in every attempt, unless the request brings one. ``patient`` as for ``StepCall.through_gates``; ``notes`` add
    to what the journal has.

    Raises:
        StepFailed: No answer, or a status that says as little of what was done (both retryable, unless the call may
            have had an effect that would come twice), another status that is an error, or a request the policy blocks.
        Defer: A gate is closed for now; nothing was sent.
    """
    return await _Exchange(call, request, {**request.headers}, notes).go(accepted, patient=patient)


@dataclass(slots=True)
class _Exchange:
    """One call of a step.

    ``started`` is when it was announced, by ``time.monotonic``; ``arrived`` whether it got to the other side;
    ``redirects`` are those that were followed; ``cookies`` are the connection's, if it keeps them; ``is_cut``: more
    came than the answer's length says.
    """

    call: StepCall
    request: OutgoingRequest
    headers: dict[str, str]
    notes: CallNotes | None = None
    arrived: bool = field(default=False, init=False)
    started: float | None = field(default=None, init=False)
    redirects: list[Redirect] = field(default_factory=list, init=False)
    cookies: CookieStore | None = field(default=None, init=False)
    is_cut: bool = field(default=False, init=False)

    async def go(self, accepted: Collection[int], *, patient: bool) -> HttpAnswer:
        """Do it; raises as ``exchange``."""
        if "idempotency-key" not in self.headers:
            self.headers["idempotency-key"] = self.call.next_key()
        client = self.request.client
        if client is not None and options_of(client).keeps_cookies:
            self.cookies = self.call.cookies.of(client.ref)
        try:
            async with self.call.through_gates(self.request.endpoint, patient=patient):
                with self._behind_redirects():
                    answer = await self._answer(accepted)
                    self._check_status(answer, accepted)
                    await self._read(answer)
        except StepFailed as failure:
            failure.hide(self._secrets())
            self._record("action.failed", {"code": failure.code, "status": failure.details.get("status")}, failure)
            raise
        self._record("action.completed", {"status": answer.status}, answer)
        return answer

    def _check_status(self, answer: HttpAnswer, accepted: Collection[int]) -> None:
        """Refuse a status that is an error; one that leaves open what was done counts as no answer."""
        try:
            answer.check_status(accepted, asked_part=self.headers.get("range"))
        except StepFailed as failure:
            if self.call.attempt > 1 and answer.status in DONE_ALREADY.get(self.request.method, ()):
                failure.message = sentences(failure.message, DONE_BEFORE)
                if self._may_be_in_progress(answer.status):
                    failure.retryable, failure.retry_after_seconds = True, asked_wait(answer.headers)
            if not self.request.is_repeatable and self._made() is None and answer.is_outcome_unknown:
                self.call.is_in_doubt = True
                failure.retryable = False
                failure.message = sentences(failure.message, NOT_REPEATED)
                failure.details["sent"] = True
            raise

    def _may_be_in_progress(self, status: int) -> bool:
        """Whether the host may be at it still under the key: what came of it is to be had a moment later then."""
        is_by_key = self.request.is_repeatable and self.request.method not in IDEMPOTENT
        return status == httpx.codes.CONFLICT and is_by_key

    def _record(self, event_type: str, facts: dict[str, Json], outcome: HttpAnswer | StepFailed) -> None:
        if self.started is not None:
            known = {name: value for name, value in facts.items() if value is not None} | self._detour()
            if self.cookies is not None and self.request.client is not None:
                news = self.call.cookies.news(self.request.client.ref)
                known |= {} if news is None else {COOKIES_TOLD: news}
            if self.notes is not None:
                known |= self.notes.of_end(outcome, was_made=self._was_made(outcome))
            self.call.record(event_type, {**known, "duration_ms": round((time.monotonic() - self.started) * 1000)})

    def _was_made(self, outcome: HttpAnswer | StepFailed) -> bool:
        was_refused = isinstance(outcome, StepFailed) and outcome.code == "HTTP_STATUS" and not self.call.is_in_doubt
        return self._made() is not None or (self.arrived and not was_refused)

    def _detour(self) -> dict[str, Json]:
        """Tell where redirects led, what of the request went with them, and what of the answer is left out."""
        secrets = self._secrets() if self.redirects else ()
        hops: list[Json] = [
            {"status": hop.status, "method": hop.method, "url": shown_address(hop.url, secrets)}
            for hop in self.redirects
        ]
        remark = self._remark()
        return ({"redirects": hops} if hops else {}) | ({} if remark is None else {"remark": remark})

    def _remark(self) -> str | None:
        """Say so where a redirect took the method and the body away, as browsers have it, or where an answer is cut."""
        last = self.redirects[-1].method if self.redirects else self.request.method
        if last == self.request.method:
            return CUT if self.is_cut else None
        status = next(hop.status for hop in self.redirects if hop.method != self.request.method)
        return (
            f"The host redirected the {self.request.method} with {status}: it was followed by {last}, without its body."
        )

    @contextmanager
    def _behind_redirects(self) -> Iterator[None]:
        """Judge a failure behind a redirect: who is to blame, and whether what was asked for was done before it."""
        try:
            yield
        except StepFailed as failure:
            if self.redirects and host_of(place := self.redirects[-1].url) != host_of(self.request.url):
                failure.details = {**failure.details, "redirected_to": shown_address(place, self._secrets())}
                failure.host_failed = False
            if (made := self._made()) is not None:
                remark = MADE.format(method=self.request.method, status=made)
                failure.message = sentences(failure.message, remark)
                failure.retryable = self.call.is_in_doubt = False
            raise

    def _made(self) -> int | None:
        """Give the status that answered what may not be sent again; what was sent behind it was a GET."""
        if self.request.is_repeatable:
            return None
        return next((hop.status for hop in self.redirects if hop.method != self.request.method), None)

    async def _answer(self, accepted: Collection[int]) -> HttpAnswer:
        """Send; once more with fresh credentials where the host does not take those that were kept."""
        client = self.request.client
        await self._announce()
        response, content = await self._send(accepted)
        is_refused = response.status_code == httpx.codes.UNAUTHORIZED and self._made() is None
        if is_refused and client is not None and client.renew():
            response, content = await self._send(accepted)
        answer = HttpAnswer.of(response, content, self._secrets(), self.request.response_as)
        answer.remark = answer.remark or self._remark()
        answer.is_repeatable = self.request.is_repeatable
        return answer

    def _secrets(self) -> tuple[str, ...]:
        """Give what the host should not send back: the connection's secrets, and cookies that nobody else is to see."""
        secrets = [] if self.request.client is None else [*self.request.client.secrets()]
        for value in [] if self.cookies is None else self.cookies.hidden_values():
            secrets += hidden_texts(value)
        return tuple(sorted(secrets, key=len, reverse=True))

    async def _read(self, answer: HttpAnswer) -> None:
        """Have the answer read. Where reading has to wait, the call is not made again for that, if it may not be."""
        tenant_id = self.call.context.tenant_id
        for seconds in (*READ_AGAIN_SECONDS, None):
            try:
                await answer.read(tenant_id)
            except StepFailed as failure:
                if not failure.retryable or self.request.is_repeatable:
                    raise
                if seconds is None:
                    raise StepFailed(failure.code, sentences(failure.message, IN_DOUBT)) from failure
                await asyncio.sleep(seconds)
            else:
                break
        _ = answer.value

    async def _send(self, accepted: Collection[int]) -> tuple[httpx.Response, bytes]:
        call, request = self.call, self.request
        client = await call.context.http_client()
        response: httpx.Response | None = None
        self.redirects.clear()
        try:
            built = client.build_request(
                request.method, request.url, headers=self.headers, content=request.content, timeout=self._time_left()
            )
            if request.client is not None:
                await request.client.authorise(built)
            if self.cookies is not None:
                built.extensions[COOKIES] = self.cookies
            built.extensions |= {REDIRECTS: self.redirects, ANSWERS: accepted}
            call.is_in_doubt = not request.is_repeatable
            response = await client.send(built, stream=True, auth=getattr(request.client, "http_auth", None))
            self.arrived = True
            content = await self._content(response)
        except (ConnectionFailed, DeadlineExceeded, BodyUnreadable) as error:
            if response is None and (status := self._decisive_status(error)) is not None:
                self.arrived, call.is_in_doubt = True, False
                return httpx.Response(status, request=httpx.Request(self.request.method, self.request.url)), b""
            if isinstance(error, BodyUnreadable):
                raise self._unread(error, response) from error
            raise self._unanswered(error, response) from error
        except (EgressBlocked, HeaderRefused, BodyTooLarge) as error:
            raise self._unread(error, response) from error
        call.is_in_doubt = False
        return response, content

    def _decisive_status(self, error: ConnectionFailed | DeadlineExceeded | BodyUnreadable) -> int | None:
        """Give a status behind which nothing could be read, where it tells enough: a refusal, or all that is wanted."""
        status = error.answered_with
        if status is None:
            return None
        is_wanted = self.request.response_as == "none" and httpx.codes.is_success(status)
        return status if is_wanted or httpx.codes.is_error(status) else None

    def _unread(
        self, error: EgressBlocked | HeaderRefused | BodyTooLarge | BodyUnreadable, response: httpx.Response | None
    ) -> StepFailed:
        """Say that nothing was sent, or that what came cannot be read."""
        message = error.explanation if isinstance(error, EgressBlocked) else error.detail
        details = self._status(error, response)
        if response is not None or (details and isinstance(error, BodyUnreadable)):
            message = sentences(message, UNREAD)
        self.arrived = bool(details) or isinstance(error, BodyUnreadable)
        return StepFailed(error.code, message, details=details)

    async def _content(self, response: httpx.Response) -> bytes:
        """Read the body, unless nobody wants it; an error's status counts whatever its body is like."""
        is_error = response.status_code >= httpx.codes.BAD_REQUEST
        content = bytearray()
        try:
            if self.request.response_as != "none" or is_error:
                async for piece in response.aiter_bytes():
                    content += piece
        except (BodyTooLarge, BodyUnreadable, ConnectionFailed, DeadlineExceeded):
            if not is_error:
                raise
        else:
            connection = response.extensions.get("network_stream")
            self.is_cut = bool(content) and connection is not None and connection.get_extra_info(IS_CUT) is True
        finally:
            await response.aclose()
        return bytes(content)

    async def _announce(self) -> None:
        """Have the journal hold what is sent; of what the connection adds it has the connection's name only."""
        sent = sent_over_http(self.request, self.headers)
        if self.cookies is not None and (names := self.cookies.names_for(self.request.url)):
            sent["cookies"] = [*names]
        await self.call.announce(sent if self.notes is None else {**sent, **self.notes.of_start()})
        self.started = time.monotonic()

    def _status(self, error: Exception, response: httpx.Response | None = None) -> dict[str, Json]:
        """Tell the last status that came, if any: of the answer, of what can be read of it, or of a redirect."""
        status = getattr(error, "answered_with", None)
        if response is not None:
            status = response.status_code
        elif status is None and self.redirects:
            status = self.redirects[-1].status
        return {} if status is None else {"status": status}

    def _unanswered(self, error: ConnectionFailed | DeadlineExceeded, response: httpx.Response | None) -> StepFailed:
        """Say that no answer came, or not all of it.

        What may have had its effect is not tried again, unless that does no harm.
        """
        of_trust = isinstance(error, ConnectionFailed) and error.reason in OF_TRUST
        self.arrived = self.arrived or error.sent
        is_in_doubt = error.sent and not self.request.is_repeatable
        self.call.is_in_doubt = is_in_doubt
        message, details = sentences(error.detail), {**error.extra, "sent": error.sent, **self._status(error, response)}
        if response is not None:
            message = f"The host answered with status {response.status_code}, but its answer was cut off."
        return StepFailed(
            error.code,
            sentences(message, NOT_REPEATED) if is_in_doubt else message,
            retryable=not (of_trust or is_in_doubt),
            host_failed=not of_trust,
            details=details,
        )

    def _time_left(self) -> float:
        left = float("inf") if self.call.deadline is None else self.call.deadline - time.monotonic()
        return max(0.001, min(self.request.timeout_seconds, left))
