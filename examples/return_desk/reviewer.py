"""The person at the return desk: decides what the segment asks, by the public API, as a member of the tenant."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from examples.return_desk.client import JsonClient, Reply

API = "/api/v1"
HIGHEST_RATE = 0.2
LETTERS_RETURNED = 2
NOTE = "Please offer an exchange as well."


class DecisionRefused(RuntimeError):
    """The platform did not take a decision; the text is its own sentence."""


@dataclass
class Reviewer:
    """Agrees to large refunds, declines those of customers who return too much, and has two letters written anew.

    Args:
        client: Calls the platform as this person.
    """

    client: JsonClient
    decisions: Counter[str] = field(default_factory=Counter)

    def look(self) -> None:
        """Decide everything that is open now."""
        page = _accepted(self.client.call("GET", f"{API}/human-tasks?box=groups&limit=250"))
        for task in page["data"]:
            self._decide(task)

    def _decide(self, task: dict[str, Any]) -> None:
        answer = self._answer(task["data"])
        content = {**answer, "content_hash": task["content_hash"]}
        _accepted(self.client.call("POST", f"{API}/human-tasks/{task['task_id']}/complete", content=content))
        self.decisions[answer["decision"]] += 1

    def _answer(self, case: dict[str, Any]) -> dict[str, Any]:
        if case["return_rate"] > HIGHEST_RATE:
            return {"decision": "rejected", "comment": case["reason"]}
        if self.decisions["modified"] < LETTERS_RETURNED:
            return {"decision": "modified", "data": {**case, "note": NOTE}}
        return {"decision": "approved", "comment": "A good customer."}


def _accepted(reply: Reply) -> dict[str, Any]:
    if reply.status >= 300:
        raise DecisionRefused(f"the platform answered {reply.status}: {reply.content.get('detail', '')}")
    return reply.content
