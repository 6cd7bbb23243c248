"""A stand-in for n8n's Wait node: workflows on loopback whose clock a test moves."""

import threading
import time
from collections.abc import Iterable

from tests.support.http_server import Answer, CountingServer, RecordedRequest

HOOKS = "/webhook-waiting"


class Workflow:
    """One execution: it starts, runs to its Wait, is resumed there, and runs to the next Wait or its end.

    Answers as n8n 2 does: 404 while the execution is not known yet, 409 while it runs or has ended, 404 to a method
    that the Wait does not take. `resumed_by` has the `webhook-id` of each call that resumed it.
    """

    def __init__(
        self, *, known_at: float = 0, waits_at: float = 0, waits: int = 1, busy_seconds: float = 0, takes: str = "POST"
    ) -> None:
        self.takes = takes
        self.resumed_by: list[str] = []
        self._known_at, self._free_at = known_at, max(known_at, waits_at)
        self._waits, self._busy_seconds = waits, busy_seconds

    def call(self, request: RecordedRequest, now: float) -> Answer:
        """Answer a call of its resume URL, in seconds since it was started."""
        if now < self._known_at:
            return Answer(404, body={"message": "The execution does not exist."})
        if now < self._free_at or len(self.resumed_by) == self._waits:
            return Answer(409, body={"message": "The execution is running or has finished already."})
        if request.method != self.takes:
            return Answer(404, body={"message": f"This webhook is not registered for {request.method} requests."})
        self.resumed_by.append(request.headers["webhook-id"])
        self._free_at = now + self._busy_seconds
        return Answer(200, body={"message": "Workflow was started"})


class WaitNode:
    """An n8n with workflows that wait; use as a context manager.

    Its clock stands at the real one's pace, and `advance` moves it on.
    """

    def __init__(self) -> None:
        self._server = CountingServer()
        self._lock = threading.Lock()
        self._began, self._skipped = time.monotonic(), 0.0
        self._away: list[tuple[float, float]] = []

    def __enter__(self) -> "WaitNode":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def now(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._began + self._skipped

    @property
    def calls(self) -> list[RecordedRequest]:
        return self._server.calls

    def add(self, workflow: Workflow, name: str) -> str:
        """Serve a workflow and return its resume URL."""

        def serve(request: RecordedRequest) -> Answer:
            with self._lock:
                if any(start <= self.now < end for start, end in self._away):
                    return Answer(raw=b"")
                return workflow.call(request, self.now)

        for method in ("GET", "POST"):
            self._server.route(method, f"{HOOKS}/{name}", serve)
        return f"{self._server.url}{HOOKS}/{name}?signature=9c%2Fd~e"

    def advance(self, seconds: float) -> None:
        """Move its clock on."""
        with self._lock:
            self._skipped += seconds

    def restart(self, *, at: float, seconds: float) -> None:
        """Be away for a while: calls are cut off without an answer."""
        self._away.append((at, at + seconds))


def retry_on_fail(answers: Iterable[tuple[int, object]], *, tries: int = 3) -> int:
    """Call as a node with "Retry On Fail" does and return how many calls it made.

    It takes a refusal, and a body that has the key `error`, for a failure; it sends no idempotency key of its own.
    """
    for count, (status, body) in enumerate(answers, start=1):
        failed = status >= 400 or (isinstance(body, dict) and "error" in body)
        if not failed or count == tries:
            return count
    raise AssertionError("there were too few answers")
