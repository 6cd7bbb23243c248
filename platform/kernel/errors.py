"""The root of all our errors and the kinds the API knows.

Each app's `errors.py` subclasses a kind, names the fact and sets a stable `code`; one translator
turns any of them into `application/problem+json`. The tree:

    LlmteamError                 500  INTERNAL_ERROR
    |-- Malformed                400  MALFORMED            the request cannot be read
    |-- NotAuthenticated         401  NOT_AUTHENTICATED    no valid key or session
    |-- Refused                  403  REFUSED              a valid caller without the right
    |-- NotFound                 404  NOT_FOUND            absent, or another tenant's
    |-- Conflict                 409  CONFLICT             what the present state forbids
    |-- TooLarge                 413  TOO_LARGE            a body over its bound
    |-- Invalid                  422  INVALID              readable, but its content is wrong
    |-- LimitReached             429  LIMIT_REACHED        slow down (a subclass may say 402: plan used up)
    `-- Unavailable              503  UNAVAILABLE          maintenance, or something we depend on is away
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from kernel.types import Json

PROBLEM: Final = "application/problem+json"
PROBLEM_TYPE_ROOT: Final = "urn:llmteam:problem:"


def sentences(*parts: str) -> str:
    """Put sentences one behind the other; what has no full stop yet, as titles have none, gets one."""
    stripped = [part.strip() for part in parts]
    return " ".join(part if part[-1] in ".!?:…" else f"{part}." for part in stripped if part)


@dataclass(frozen=True, slots=True)
class ErrorItem:
    """One finding inside an error: what is wrong, where, and what would help.

    Attributes:
        code: Stable, upper snake case.
        detail: A sentence for people; never contains a secret or a value from a run.
        pointer: JSON pointer (RFC 6901) into what the caller sent.
        step_id: The segment's step the finding is about.
        hint: What to do instead.
    """

    code: str
    detail: str
    pointer: str | None = None
    step_id: str | None = None
    hint: str | None = None


class LlmteamError(Exception):
    """Root of every error the platform raises on purpose.

    Class attributes are the contract with callers and never change for a released class; the
    instance says what happened this time.

    Attributes:
        code: Stable name of the fact, upper snake case.
        status: HTTP status the API answers with.
        title: Short sentence, the same for every occurrence.
        detail: The sentence about this occurrence.
        errors: Single findings, in the order they were found.
        extra: Further plain JSON members for the answer (present state, limit, reset);
            `retry_after` (whole seconds) becomes the `Retry-After` header too.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Iterable[ErrorItem] = (),
        extra: "Mapping[str, Json] | None" = None,
    ) -> None:
        """Keep what happened; `detail` falls back to the class's title."""
        self.detail: str = self.title if detail is None else detail
        super().__init__(self.detail)
        self.errors: tuple[ErrorItem, ...] = tuple(errors)
        self.extra: Mapping[str, Json] = dict(extra or {})


class Malformed(LlmteamError):
    """The request cannot be read at all."""

    code = "MALFORMED"
    status = 400
    title = "The request cannot be read"


class NotAuthenticated(LlmteamError):
    """The caller showed no valid key or session."""

    code = "NOT_AUTHENTICATED"
    status = 401
    title = "A valid API key or session is needed"


class Refused(LlmteamError):
    """The caller is known but has not the right."""

    code = "REFUSED"
    status = 403
    title = "This caller may not do that"


class NotFound(LlmteamError):
    """The object is absent, or belongs to another tenant, which is the same."""

    code = "NOT_FOUND"
    status = 404
    title = "There is no such object"


class Conflict(LlmteamError):
    """The present state forbids the request; `extra` names the state."""

    code = "CONFLICT"
    status = 409
    title = "The current state does not allow that"


class TooLarge(LlmteamError):
    """The request is larger than its bound."""

    code = "TOO_LARGE"
    status = 413
    title = "The content is too large"


class Invalid(LlmteamError):
    """The request was read, but its content is wrong."""

    code = "INVALID"
    status = 422
    title = "The content is not valid"


class LimitReached(LlmteamError):
    """A limit is reached; `extra` says which, its value, its cap and when it resets."""

    code = "LIMIT_REACHED"
    status = 429
    title = "A limit is reached"


RAISED_BY: Final = "The operator of the installation: a limit on the tenant's page, or a licence."


def limit_facts(
    limit: str, *, unit: str, used: int, cap: int, resets_at: datetime | None = None, raised_by: str = RAISED_BY
) -> "dict[str, Json]":
    """Say how somebody stands with a limit, for `extra` of a `LimitReached`.

    Args:
        limit: Its name.
        unit: What is counted.
        used: What is used, or was asked for.
        cap: The limit.
        resets_at: When there is room again by itself.
        raised_by: Who can raise it.
    """
    return {
        "limit": limit,
        "used": used,
        "cap": cap,
        "unit": unit,
        "resets_at": None if resets_at is None else resets_at.isoformat().replace("+00:00", "Z"),
        "raised_by": raised_by,
    }


class Unavailable(LlmteamError):
    """Something needed is away for now; asking again later can help."""

    code = "UNAVAILABLE"
    status = 503
    title = "The service is not available right now"
