"""What a host answered, as a value of a run: parsed by its type, its secrets cut out."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import httpx

from kernel.errors import LlmteamError
from kernel.values import Json, normalise, parse_json
from runs.connections.redaction import redact
from runs.steps.base import StepFailed
from runs.steps.http.request import media_type
from runs.steps.retry_after import retry_after_seconds

MAX_ERROR_BODY_BYTES: Final = 4096
_RETRYABLE_STATUSES: Final = frozenset((408, 425, 429))
_BINARY: Final = re.compile(r"(image(?!/svg)|audio|video|font)/.*|application/(pdf|zip|gzip|x-tar|wasm|vnd\..*)")
_NEXT: Final = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?(?:[^",;]*\s)?next(?:\s[^",;]*)?"?(?=[\s,;]|$)', re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """One answer. ``value`` and ``headers`` have no secret of the connection any more."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    charset: str = "utf-8"
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, response: httpx.Response, secrets: tuple[str, ...]) -> "Answer":
        """Take a response that was read to its end, and cut out what the host should not have sent back."""
        headers = {name.lower(): str(redact(value, secrets)) for name, value in response.headers.items()}
        charset = response.charset_encoding or "utf-8"
        return cls(response.status_code, headers, response.content, charset, secrets)

    @property
    def next_link(self) -> str | None:
        """The next page, as the header ``Link`` names it (RFC 8288)."""
        found = _NEXT.search(self.headers.get("link", ""))
        return found[1] if found else None

    @cached_property
    def value(self) -> Json:
        """Parse JSON, decode other text; an empty answer is null.

        Raises:
            StepFailed: RESPONSE_BINARY, RESPONSE_UNREADABLE, or a value no run can hold.
        """
        if not self.content:
            return None
        kind = media_type(self.headers.get("content-type", ""))
        try:
            if kind == "application/json" or kind.endswith("+json"):
                return redact(parse_json(self.content, big_integers="text"), self.secrets)
            if _BINARY.fullmatch(kind) or b"\0" in self.content:
                raise _binary(kind)
            return redact(normalise(self.content.decode(self.charset)), self.secrets)
        except UnicodeDecodeError:
            raise _binary(kind) from None
        except LookupError as error:
            raise StepFailed("RESPONSE_UNREADABLE", "The answer names an encoding nobody knows.") from error
        except LlmteamError as error:
            items: list[Json] = [{"code": item.code, "detail": item.detail} for item in error.errors]
            raise StepFailed(error.code, error.detail, details={"errors": items}) from error

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


def _binary(kind: str) -> StepFailed:
    what = kind[:100] or "of no named type"
    message = f"The answer is binary ({what}); a step takes JSON and text only."
    return StepFailed("RESPONSE_BINARY", message, details={"content_type": kind[:100]})
