"""Failed runs as problems, for callers who take every 200 for a success."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from audit.types import REQUEST
from kernel.errors import PROBLEM_TYPE_ROOT
from kernel.types import Json
from runs.models import Run, RunStatus

TIMED_OUT: Final = frozenset({"RUN_TIMED_OUT", "STEP_TIMED_OUT", "REQUEST_TIMED_OUT"})
OURS: Final = frozenset({"ENGINE_ERROR", "STEP_CRASHED", "INTERNAL_ERROR", "OWNER_LOST"})
OF_OTHER_SERVERS: Final = (
    "CONNECTION_FAILED",
    "HTTP_",
    "LLM_",
    "OAUTH",
    "PAGE_",
    "PAGINATION_",
    "RESPONSE_",
    "MALFORMED_JSON",
)


def failed_run_problem(run: Run, body: Any) -> dict[str, Any]:
    """Write a run that is over and did not complete as RFC 9457 has it, the run itself in ``run``.

    The status is 409 of a cancelled run, 504 where time was over, 502 where another server did not do its part, 503
    while its circuit is open, 402 where a budget is used up, 500 for faults of the platform; any other failure, an
    author's own among them, is the segment's or its input's: 422.
    """
    error = run.error or {}
    code = "RUN_CANCELLED" if run.status == RunStatus.CANCELLED else str(error.get("code", "RUN_FAILED"))
    message = "The run was cancelled." if run.status == RunStatus.CANCELLED else str(error.get("message", ""))
    return {
        "type": PROBLEM_TYPE_ROOT + code,
        "title": "The run did not complete",
        "status": int(_status(run, error)),
        "detail": message,
        "code": code,
        "errors": [{"pointer": None, "step_id": error.get("step_id"), "code": code, "detail": message, "hint": None}],
        "request_id": REQUEST.get().request_id,
        "run": body,
    }


def _status(run: Run, error: Mapping[str, Json]) -> HTTPStatus:
    if run.status == RunStatus.CANCELLED:
        return HTTPStatus.CONFLICT
    code = _first_code(error)
    if code in TIMED_OUT:
        return HTTPStatus.GATEWAY_TIMEOUT
    if code in OURS:
        return HTTPStatus.INTERNAL_SERVER_ERROR
    if code.startswith("CIRCUIT_"):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if code.startswith("BUDGET_"):
        return HTTPStatus.PAYMENT_REQUIRED
    return HTTPStatus.BAD_GATEWAY if code.startswith(OF_OTHER_SERVERS) else HTTPStatus.UNPROCESSABLE_ENTITY


def _first_code(error: Mapping[str, Json]) -> str:
    """Return the code of what failed first: of branches, not of the join behind them."""
    details = error.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    first = causes[0] if isinstance(causes, list) and causes else error
    return str(first.get("code", "")) if isinstance(first, dict) else ""
