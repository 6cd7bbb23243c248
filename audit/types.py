"""Objects that entries tell of, and the facts of the request being served."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from uuid import UUID

PERSON: Final = "(member|user|key):[0-9A-Za-z_-]+"
"""Pattern of a person's name, as entries name who acts."""


@dataclass(frozen=True, slots=True)
class AuditObject:
    """Object of an audit entry; ``tenant_id`` is None for what belongs to the installation."""

    type: str
    id: str
    tenant_id: UUID | None


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The request being served; empty outside of one (a command, a worker).

    ``traceparent`` is what the request's work belongs to: the caller's span, or ours where the trace began here.
    ``began_at`` is by the steady clock.
    """

    request_id: str = ""
    source_address: str | None = None
    trace_id: str = ""
    traceparent: str = ""
    began_at: float = 0.0


_NO_REQUEST: Final = RequestContext()
REQUEST: Final[ContextVar[RequestContext]] = ContextVar("request", default=_NO_REQUEST)
"""Set by the API's middleware; follows the request into threads."""
