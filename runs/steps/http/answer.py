"""What a host answered, as a value of a run: parsed by its type, its secrets cut out."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import httpx

from kernel.compute.errors import ComputeLimit
from kernel.errors import LlmteamError
from kernel.values import Json
from runs.connections.redaction import redact
from runs.steps.base import StepFailed
from runs.steps.http.reading import LARGEST_IN_PLACE, Unreadable, read_content, read_large
from runs.steps.retry_after import retry_after_seconds

MAX_ERROR_BODY_BYTES: Final = 4096
_RETRYABLE_STATUSES: Final = frozenset((408, 425, 429))
_NEXT: Final = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?(?:[^",;]*\s)?next(?:\s[^",;]*)?"?(?=[\s,;]|$)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read of a content."""

    value: Json = None
    failure: Unreadable | None = None


@dataclass(slots=True)
class Answer:
    """One answer. ``value`` and ``headers`` have no secret of the connection any more."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    _found: _Found | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, response: httpx.Response, secrets: tuple[str, ...]) -> "Answer":
        """Take a response that was read to its end, and cut out what the host should not have sent back."""
        headers = {name.lower(): str(redact(value, secrets)) for name, value in response.headers.items()}
        return cls(response.status_code, headers, response.content, secrets)

    @property
    def next_link(self) -> str | None:
        """The next page, as the header ``Link`` names it (RFC 8288)."""
        found = _NEXT.search(self.headers.get("link", ""))
        return found[1] if found else None

    async def read(self, tenant: UUID) -> None:
        """Read the content, so that ``value`` is there at once; of a large one without holding the event loop.

        Raises:
            StepFailed: COMPUTE_LIMIT: reading it takes too much; COMPUTE_BUSY or COMPUTE_AWAY, which pass.
        """
        if len(self.content) > LARGEST_IN_PLACE and self._found is None:
            try:
                self._found = _Found(await read_large(tenant, self.content, self._content_type, self.secrets))
            except Unreadable as error:
                self._found = _Found(failure=error)
            except LlmteamError as error:
                retryable = not isinstance(error, ComputeLimit)
                raise StepFailed(error.code, error.detail, retryable=retryable) from error

    @property
    def value(self) -> Json:
        """The content, parsed by its type.

        Raises:
            StepFailed: RESPONSE_BINARY, or a value no run can hold.
        """
        if self._found is None:
            try:
                self._found = _Found(read_content(self.content, self._content_type, self.secrets))
            except Unreadable as error:
                self._found = _Found(failure=error)
        failure = self._found.failure
        if failure is not None:
            raise StepFailed(failure.code, failure.message, details=failure.details)
        return self._found.value

    @property
    def _content_type(self) -> str:
        return self.headers.get("content-type", "")

    def check(self, accepted: Collection[int]) -> None:
        """Refuse a status that is an error, and an answer no run can hold.

        Raises:
            StepFailed: HTTP_STATUS, with what the host says about it where that is short and readable; or as
                ``value``.
        """
        if 200 <= self.status < 300 or self.status in accepted:
            _ = self.value
            return
        details: dict[str, Json] = {"status": self.status}
        if (said := self._said()) is not None:
            details["response"] = said
        raise StepFailed(
            "HTTP_STATUS",
            f"The host answered with status {self.status}.",
            retryable=self.status in _RETRYABLE_STATUSES or self.status >= 500,
            retry_after_seconds=retry_after_seconds(self.headers.get("retry-after")),
            host_failed=self.status >= 500,
            details=details,
        )

    def _said(self) -> Json:
        if len(self.content) > MAX_ERROR_BODY_BYTES:
            return None
        try:
            return self.value
        except StepFailed:
            return None
