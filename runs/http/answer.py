"""A host's answer as a value of a run: parsed by its type, its secrets cut out."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin
from uuid import UUID

import httpx

from kernel.compute.errors import ComputeLimit
from kernel.egress import IS_UNPACKED
from kernel.errors import LlmteamError, sentences
from kernel.json_text import JsonOrText
from kernel.redaction import redact
from kernel.types import Json
from runs.connections.digest import why_not_answered
from runs.http.links import LinkUnreadable, next_links
from runs.http.parts import why_not_wanted
from runs.http.reading import MAX_BYTES_IN_PLACE, ResponseAs, UnreadableAnswer, excerpt, read_content, read_large
from runs.http.unknown_outcomes import is_outcome_unknown
from runs.step_api.base import StepFailed
from runs.step_api.retry_after import seconds_to_wait

MAX_ERROR_BODY_BYTES: Final = 4096
MAX_SHOWN: Final = 2_000
"""Characters of a longer one."""
_RETRYABLE_STATUSES: Final = frozenset((408, 425, 429))
_OF_THE_HOST: Final = range(500, 600)
_STATUSES_OF_RIGHTS: Final = frozenset((401, 403))
_STATUSES_OF_LIMITS: Final = frozenset((403, 408, 425, 429, *_OF_THE_HOST))


@dataclass(frozen=True, slots=True)
class _Found:
    """Parsed content."""

    value: JsonOrText = None
    failure: UnreadableAnswer | None = None


@dataclass(slots=True)
class HttpAnswer:
    """One answer. ``value`` and ``headers`` have no secret of the connection any more.

    ``remark`` is what we have to say of its status; ``is_repeatable`` whether the call may be made again; ``url`` where
    it came from, behind redirects; ``reason`` what its first line says beside the status; ``is_unpacked`` whether its
    content was compressed.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    response_as: ResponseAs = "auto"
    remark: str | None = None
    is_repeatable: bool = True
    url: str = field(default="", repr=False)
    reason: bytes = field(default=b"", repr=False)
    is_unpacked: bool = field(default=False, repr=False)
    _found: _Found | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(
        cls, response: httpx.Response, content: bytes, secrets: tuple[str, ...], response_as: ResponseAs = "auto"
    ) -> "HttpAnswer":
        """Take a response, and cut out what the host should not have sent back."""
        headers = {name: str(redact(value, secrets)) for name, value in _headers_of(response)}
        answer = cls(response.status_code, headers, content, secrets, response_as, why_not_answered(response))
        answer.url = str(response.url)
        answer.is_unpacked = response.extensions.get(IS_UNPACKED, False)
        answer.reason = response.extensions.get("reason_phrase", b"")
        return answer

    @property
    def next_link(self) -> str | None:
        """The next page, as the header ``Link`` names it from where the answer came (RFC 8288, 3.2).

        Raises:
            LinkUnreadable: It cannot be told which it is.
        """
        links = next_links(self.headers.get("link", ""))
        found = {urljoin(self.url, link.replace(" ", "%20")) for link in links}
        if len(found) > 1:
            raise LinkUnreadable
        return next(iter(found), None)

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether nobody knows behind its status if the call was done."""
        return is_outcome_unknown(self.status, self.headers, self.content, self.reason)

    async def read(self, tenant: UUID) -> None:
        """Read the content, so that ``value`` is there at once; of a large one without holding the event loop.

        Raises:
            StepFailed: COMPUTE_LIMIT: reading it takes too much; COMPUTE_BUSY or COMPUTE_AWAY, which pass.
        """
        if len(self.content) > MAX_BYTES_IN_PLACE and self._found is None:
            try:
                self._found = _Found(
                    await read_large(tenant, self.content, self._content_type, self.secrets, self.response_as)
                )
            except UnreadableAnswer as error:
                self._found = _Found(failure=error)
            except LlmteamError as error:
                retryable = not isinstance(error, ComputeLimit)
                raise StepFailed(error.code, error.detail, retryable=retryable) from error

    @property
    def value(self) -> JsonOrText:
        """The content, parsed by its type; a large one that was ``read`` is still a text.

        Raises:
            StepFailed: RESPONSE_BINARY, or a value no run can hold.
        """
        if self._found is None:
            try:
                self._found = _Found(read_content(self.content, self._content_type, self.secrets, self.response_as))
            except UnreadableAnswer as error:
                self._found = _Found(failure=error)
        failure = self._found.failure
        if failure is not None:
            came = self.what_came(is_text=failure.code != "RESPONSE_BINARY")
            raise StepFailed(failure.code, failure.message, details={**failure.details, **came})
        return self._found.value

    def what_came(self, *, is_text: bool = True) -> dict[str, Json]:
        """Tell of an answer that the step cannot give: its status, and how it begins where it is text."""
        text = excerpt(self.content, self._content_type, self.secrets, MAX_SHOWN) if is_text and self.content else None
        return {"status": self.status} | ({} if text is None else {"response": text})

    @property
    def _content_type(self) -> str:
        return self.headers.get("content-type", "")

    def check_status(self, accepted: Collection[int], *, asked_part: str | None = None) -> None:
        """Refuse a status that is an error.

        A refusal by 403 that says how long to wait is one for too many calls, and passes.

        So is a part of the content (206) that is not what was wanted: all of it, or what the call's ``Range`` asks for.

        Raises:
            StepFailed: HTTP_STATUS, with what the host says about it, or the beginning of that.
        """
        lacking = self._lacking(asked_part)
        if (200 <= self.status < 300 and lacking is None) or self.status in accepted:
            return
        seconds = None
        if self.status in _STATUSES_OF_LIMITS:
            seconds = seconds_to_wait(self.headers, is_limit=self.status == httpx.codes.TOO_MANY_REQUESTS)
        is_limit = self.status == httpx.codes.FORBIDDEN and seconds is not None
        details: dict[str, Json] = {"status": self.status}
        if lacking is not None:
            self.remark = sentences(self.remark or "", lacking)
        if (shown := self._error_body()) is None and self.status in _STATUSES_OF_RIGHTS:
            shown = self.headers.get("www-authenticate", "")[:MAX_SHOWN] or None
        if shown is not None:
            details["response"] = shown
        raise StepFailed(
            "HTTP_STATUS",
            " ".join(filter(None, (f"The host answered with status {self.status}.", self.remark))),
            retryable=is_limit or self.status in _RETRYABLE_STATUSES or self.status in _OF_THE_HOST,
            retry_after_seconds=seconds,
            host_failed=self.status in _OF_THE_HOST,
            details=details,
        )

    def _lacking(self, asked: str | None) -> str | None:
        """Say why a part is not what was wanted; what was unpacked or left unread has another length than was sent."""
        if self.status != httpx.codes.PARTIAL_CONTENT:
            return None
        is_as_sent = self.response_as != "none" and not self.is_unpacked
        return why_not_wanted(asked, self.headers.get("content-range", ""), len(self.content) if is_as_sent else None)

    def _error_body(self) -> Json:
        """Give what the host says about its status: read where that is short, else its beginning as text."""
        if len(self.content) <= MAX_ERROR_BODY_BYTES:
            with suppress(UnreadableAnswer):
                return read_content(self.content, self._content_type, self.secrets)
        return excerpt(self.content, self._content_type, self.secrets, MAX_SHOWN)


def _headers_of(response: httpx.Response) -> Iterator[tuple[str, str]]:
    """Give the headers, names in lower case; each is UTF-8 or else Latin-1, whatever the others are.

    One that came several times is one with commas between its values.
    """
    values: dict[str, list[str]] = {}
    for name, value in response.headers.raw:
        values.setdefault(name.decode("latin-1").lower(), []).append(_header_text(value))
    for spelled, texts in values.items():
        yield spelled, ", ".join(texts)


def _header_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
