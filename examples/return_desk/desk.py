"""The caller's side of the return desk: one segment, one run a cancellation, by the public API only."""

import json
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from examples.return_desk.client import JsonClient, Reply

SEGMENT = Path(__file__).with_name("segment.json")
API = "/api/v1"
OVER = frozenset(("completed", "failed", "cancelled", "timed_out", "stalled"))
LOOK_SECONDS = 0.1
LOOKS_AT_ONCE = 25


class CallRefused(RuntimeError):
    """The platform did not do what it was asked; the text is its own sentence."""


class RunsTookTooLong(RuntimeError):
    """Some runs were not over in time; the text names them and what they wait for."""


class Desk:
    """Runs the return desk's segment for one shop. Each desk is a new day: its keys repeat no other desk's.

    Args:
        client: Calls the platform as one tenant.
        shop_url: Where the runs find the shop.
        meanwhile: Called often while waiting.
    """

    def __init__(self, client: JsonClient, *, shop_url: str, meanwhile: Callable[[], None]) -> None:
        self._client = client
        self._shop_url = shop_url
        self._meanwhile = meanwhile
        self._day = uuid.uuid4().hex
        self._segment = json.loads(SEGMENT.read_text())

    def save_segment(self) -> None:
        """Save the segment; saving the same again changes nothing."""
        _accepted(self._client.call("PUT", f"{API}/segments/{self._segment['segment_id']}", content=self._segment))

    def connect(self, ref: str, connection: dict[str, Any]) -> None:
        """Say whom the segment's language model steps ask."""
        _accepted(self._client.call("PUT", f"{API}/connections/{ref}", content=connection))

    def usage(self) -> dict[str, Decimal]:
        """Read what the tenant has taken of language models so far: calls, tokens, and dollars."""
        totals = _accepted(self._client.call("GET", f"{API}/tenant/usage"))["totals"]
        return {
            "calls": Decimal(totals["calls"]),
            "tokens": Decimal(totals["input_tokens"] + totals["output_tokens"]),
            "cost": Decimal(totals["cost"]),
        }

    def listen(self, run_id: str) -> str:
        """Follow a run to its end; give what its model was heard to say meanwhile."""
        return self._client.heard(f"{API}/runs/{run_id}/events?after=0")

    def start(self, invoice_no: str) -> str:
        """Start the run of a cancellation; give its id. Starting it again with this desk gives the same run."""
        reply = self._client.call(
            "POST",
            f"{API}/segments/{self._segment['segment_id']}/runs",
            content={
                "input": {"shop_url": self._shop_url, "invoice_no": invoice_no},
                "client_reference": invoice_no,
            },
            headers={"Idempotency-Key": f"return-desk/{self._day}/{invoice_no}"},
        )
        return str(_accepted(reply)["run_id"])

    def wait(
        self, runs: dict[str, str], *, timeout_seconds: float, on_over: Callable[[str, dict[str, Any]], None]
    ) -> None:
        """Wait until runs are over.

        Args:
            runs: Run ids by cancellation.
            timeout_seconds: How long that may take.
            on_over: Told of each run that ends, with its cancellation.

        Raises:
            RunsTookTooLong: Some are not over in time.
        """
        waiting = dict(runs)
        latest: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + timeout_seconds
        while waiting:
            self._meanwhile()
            for invoice_no in list(waiting)[:LOOKS_AT_ONCE]:
                run = latest[invoice_no] = _accepted(self._client.call("GET", f"{API}/runs/{waiting[invoice_no]}"))
                if run["status"] in OVER:
                    del waiting[invoice_no]
                    on_over(invoice_no, run)
            if waiting and time.monotonic() > deadline:
                raise RunsTookTooLong(_not_over(timeout_seconds, waiting, latest))
            if waiting:
                time.sleep(LOOK_SECONDS)


def _accepted(reply: Reply) -> dict[str, Any]:
    if reply.status >= 300:
        reasons = [
            reply.content.get("detail", ""),
            *(error.get("detail", "") for error in reply.content.get("errors", ())),
        ]
        raise CallRefused(f"the platform answered {reply.status}: {' '.join(filter(None, reasons))}")
    return reply.content


def _not_over(timeout_seconds: float, waiting: dict[str, str], latest: dict[str, dict[str, Any]]) -> str:
    states = [
        f"{number} ({run_id}) is {latest[number]['status']}" if number in latest else f"{number} ({run_id})"
        for number, run_id in list(waiting.items())[:5]
    ]
    return f"{len(waiting)} runs were not over after {timeout_seconds:g} s: {', '.join(states)}"
