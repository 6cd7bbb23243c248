"""The platform as its callers meet it: a real API server and a real worker process on the test's database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from tests.support.process_ends import eventually
from tests.support.server import running_server
from tests.support.worker import running_worker

WAIT_SECONDS = 30


@dataclass(frozen=True)
class Platform:
    """Calls the API with a tenant's key."""

    caller: httpx.Client

    def run(self, segment: dict[str, Any], run_input: Any = None) -> dict[str, Any]:
        """Start a run of an inline segment and wait until it is over."""
        body = {"segment": segment, "input": run_input}
        answer = self.caller.post(f"/api/v1/runs?wait={WAIT_SECONDS}&until=over", json=body)
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()
        return run

    def start(self, segment: dict[str, Any], run_input: Any = None) -> dict[str, Any]:
        """Start a run of an inline segment."""
        answer = self.caller.post("/api/v1/runs", json={"segment": segment, "input": run_input})
        assert answer.status_code == 202, answer.text
        run: dict[str, Any] = answer.json()
        return run

    def look(self, run: dict[str, Any]) -> dict[str, Any]:
        """The run as it is now."""
        return dict(self.caller.get(run["links"]["self"]).json())

    def over(self, run: dict[str, Any]) -> dict[str, Any]:
        """Wait until a run is over."""
        answer = self.caller.get(f"/api/v1/runs/{run['run_id']}?wait={WAIT_SECONDS}&until=over").json()
        assert answer["status"] in {"completed", "failed", "cancelled", "timed_out"}, answer
        return dict(answer)

    def task(self, run: dict[str, Any]) -> dict[str, Any]:
        """The one open task of a run, once it is there."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            page = self.caller.get("/api/v1/human-tasks", params={"run": run["run_id"], "status": "open"})
            found[:] = page.json()["data"]
            return bool(found)

        assert eventually(look, seconds=WAIT_SECONDS), "no task was opened"
        (task,) = found
        return task

    def complete(self, task: dict[str, Any], decision: str, **more: Any) -> dict[str, Any]:
        """Decide a task with the tenant's key."""
        answer = self.caller.post(
            f"/api/v1/human-tasks/{task['task_id']}/complete", json={"decision": decision, **more}
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def output(self, segment: dict[str, Any], run_input: Any = None) -> Any:
        """Run a segment that is expected to complete, and give its output."""
        run = self.run(segment, run_input)
        assert run["status"] == "completed", run["error"]
        return run["output"]

    def steps(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        """The run's activations in the order they were started."""
        return self._all(run["links"]["steps"])

    def events(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        """The run's journal."""
        return self._all(run["links"]["events"])

    def validate(self, segment: dict[str, Any]) -> dict[str, Any]:
        """What the API says of a segment."""
        answer = self.caller.post("/api/v1/segments/validate", json=segment)
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    def connect(self, ref: str, connection: dict[str, Any]) -> None:
        """Save a connection."""
        answer = self.caller.put(f"/api/v1/connections/{ref}", json=connection)
        assert answer.status_code in {200, 201}, answer.text

    def _all(self, url: str | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while url is not None:
            page = self.caller.get(url).json()
            found += page["data"]
            url = page["next_url"]
        return found


@contextmanager
def running_platform(key: str, **environment: str) -> Iterator[Platform]:
    """Start a server and a worker with the same environment; both end with the block."""
    with (
        running_worker(**environment),
        running_server(**environment) as server,
        server.caller(key) as caller,
    ):
        yield Platform(caller)


def seconds_between(first: dict[str, Any], last: dict[str, Any]) -> float:
    """The time between two events of a journal, by the journal's own clock."""
    begin, end = (datetime.fromisoformat(event["timestamp"]) for event in (first, last))
    return (end - begin).total_seconds()
