"""Web processes and workers restarted in turn, as for a new version, while runs are started and followed."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from benchmarks.caller import Caller
from benchmarks.chaos import documents
from benchmarks.chaos.trial import Trial

STARTS_A_SECOND = 20
WAIT_SECONDS = 3
EVERY_SO_MANY_FOLLOWED = 10
CALL_SECONDS = 60.0
SETTLE_SECONDS = 3.0
END_SECONDS = 60.0


@dataclass(slots=True)
class Callers:
    """Callers who start, wait and follow, as behind a balancer: where nobody listens, they ask the other process.

    Attributes:
        outputs: What each started run is to end with.
        failed: Calls that were answered wrongly or broken off.
        moved: How often nobody listened, and the other was asked.
        resumed: How often a stream was cut by a farewell and went on elsewhere.
        gaps: Streams whose numbers are not all there, once and in order.
    """

    urls: tuple[str, ...]
    key: str
    outputs: dict[UUID, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    waited: int = 0
    moved: int = 0
    resumed: int = 0
    followed: int = 0
    gaps: list[str] = field(default_factory=list)
    is_over: bool = False

    async def go_on(self) -> None:
        """Start runs at an even pace until told that it is over."""
        async with asyncio.TaskGroup() as group:
            number = 0
            while not self.is_over:
                group.create_task(self._one(number))
                number += 1
                await asyncio.sleep(1 / STARTS_A_SECOND)

    async def _one(self, number: int) -> None:
        segment, _, output = documents.LOAD[number % len(documents.LOAD)]
        is_followed = number % EVERY_SO_MANY_FOLLOWED == 0
        wait = "" if is_followed else f"?wait={WAIT_SECONDS}"
        path = f"/api/v1/segments/{segment('')['segment_id']}/runs{wait}"
        try:
            async with asyncio.timeout(CALL_SECONDS):
                status, content = await self._call(number, path, {"input": {"n": number}})
                if status not in {200, 202}:
                    self.failed.append(f"{path}: {status} {content[:200]!r}")
                    return
                run_id = UUID(json.loads(content)["run_id"])
                self.outputs[run_id] = output(number)
                self.waited += status == 202 and not is_followed
                if is_followed:
                    await self._follow(number, run_id)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, httpx.TransportError) as error:
            self.failed.append(f"{path}: {error!r}")

    async def _call(self, number: int, path: str, body: object) -> tuple[int, bytes]:
        for turn in range(len(self.urls)):
            try:
                async with Caller(self.urls[(number + turn) % len(self.urls)], self.key) as caller:
                    return await caller.call("POST", path, body)
            except ConnectionRefusedError:
                self.moved += 1
        raise ConnectionRefusedError("no web process listens")

    async def _follow(self, number: int, run_id: UUID) -> None:
        """Read a run's events to its end, however often the process that serves them is another."""
        seen: list[int] = []
        self.followed += 1
        turn = number
        async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as client:  # noqa: TID251 - a caller of ours
            while True:
                headers = {"Authorization": f"Bearer {self.key}", "Accept": "text/event-stream"}
                if seen:
                    headers["Last-Event-ID"] = str(seen[-1])
                url = f"{self.urls[turn % len(self.urls)]}/api/v1/runs/{run_id}/events"
                try:
                    async with client.stream("GET", url, headers=headers) as response:
                        if response.status_code == 204:
                            break
                        lines = [line async for line in response.aiter_lines()]
                except httpx.ConnectError:
                    self.moved += 1
                    turn += 1
                    continue
                seen += [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]
                self.resumed += any("this process stops" in line for line in lines)
                turn += 1
        if seen != list(range(1, len(seen) + 1)) or not seen:
            self.gaps.append(f"{run_id}: {seen}")


def restart_in_turn(trial: Trial) -> None:
    """Two web processes and two workers, each stopped with SIGTERM and started again: nobody notices."""
    stack = trial.stack
    with stack.second_web() as second:
        callers = Callers((stack.base_url, second.url), stack.key)
        trial.start_load(SETTLE_SECONDS)
        calling = trial.begin(callers.go_on())
        trial.pause(SETTLE_SECONDS)
        stops = []
        for program, wait in (
            (stack.web, stack.wait_for_web),
            (second.program, second.wait),
            *((worker, stack.wait_for_workers) for worker in stack.workers),
        ):
            stops.append(round(program.ask_to_end(), 1))
            time.sleep(1.0)
            program.start()
            wait()
            trial.pause(SETTLE_SECONDS)
        callers.is_over = True
        trial.expect(trial.wait_for(calling.done, seconds=END_SECONDS), "the callers did not come to an end")
    trial.others |= dict.fromkeys(callers.outputs)
    trial.finish()
    ended = trial.outcomes(list(callers.outputs))
    lost = [run_id for run_id, output in callers.outputs.items() if ended.get(run_id) != ("completed", output)]
    trial.figures |= {
        "started": len(callers.outputs),
        "answered_before_the_end": callers.waited,
        "asked_the_other": callers.moved,
        "streams": callers.followed,
        "streams_resumed": callers.resumed,
        "stop_seconds": stops,
    }
    trial.expect(not callers.failed, f"{len(callers.failed)} requests failed: {callers.failed[:3]}")
    trial.expect(not lost, f"{len(lost)} runs are lost or wrong: {lost[:3]}")
    trial.expect(not callers.gaps, f"{len(callers.gaps)} streams have gaps: {callers.gaps[:3]}")
    trial.expect(callers.moved > 0, "nobody noticed that a web process was away")
    trial.expect(callers.resumed > 0, "no stream was cut off")
