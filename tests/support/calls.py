"""Runs that wait for a call, and those who call."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from rest_framework.response import Response
from rest_framework.test import APIClient

from tests.support.engine import events_of, get_run, wait_for
from tests.support.segments import segment, step


def waits_for_call(step_id: str = "hold", **call: Any) -> dict[str, Any]:
    """A step."""
    return step(step_id, "wait", call=call)


def told_before(**call: Any) -> dict[str, Any]:
    """A segment in which a step before the wait knows the link, and one behind it the answer."""
    return segment(
        step("told", "transform", expression="steps.hold.resume_url"),
        waits_for_call(**call),
        step("after", "transform", expression="{'told': steps.told.output, 'answer': input}"),
    )


def links_of(run_id: UUID, count: int = 1) -> list[str]:
    """The links the run waits for, once there are so many."""
    wait_for(lambda: sum(event.type == "step.waiting" for event in events_of(run_id)) >= count)
    return [event.payload["resume_url"] for event in events_of(run_id) if event.type == "step.waiting"]


def parked(run_id: UUID) -> None:
    """Wait until nobody owns the run any more."""
    wait_for(lambda: get_run(run_id).status == "waiting")


def post(link: str, body: Any = None) -> Response:
    """Call a link as a stranger does."""
    return APIClient().post(urlsplit(link).path, body, format="json")  # type: ignore[return-value]  # it has no types


def get(link: str) -> Response:
    """Open a link in a browser."""
    return APIClient().get(urlsplit(link).path)  # type: ignore[return-value]  # it has no types


def problem(answer: Any) -> Mapping[str, Any]:
    """The status and code of a refusal."""
    return {"status": answer.status_code, "code": answer.json()["code"]}
