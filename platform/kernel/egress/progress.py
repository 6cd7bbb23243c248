"""Progress of a request: decides whether it may be sent again."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

PROGRESS: Final = "llmteam.progress"
"""Name of a request's extension that holds its progress."""


@dataclass(slots=True)
class RequestProgress:
    """Progress of one request.

    Attributes:
        sent: Bytes of it have gone out; the other side may have acted on it.
        answered: Bytes of the answer have come.
        status: What its head says, once so much of that has come.
    """

    sent: bool = False
    answered: bool = False
    status: int | None = None


current: ContextVar[RequestProgress | None] = ContextVar("egress_progress", default=None)
"""Progress of the request that this task is sending, for the network below it."""
