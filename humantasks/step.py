"""The human_task step: its config, its card, its handler."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from django.db import Error, connection
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from foundation.platform_faults import platform_fault
from humantasks.forms import default_form
from humantasks.lifecycle import who_is_asked
from humantasks.models import HumanTask
from humantasks.opening import TaskSpec, act_on_deadlines, open_task, withdraw_task
from humantasks.schedule import ESCALATE, FAIL, next_look_at
from humantasks.types import MAX_NAME, Priority, TaskType
from kernel.types import Json
from kernel.values import shortened
from runs.step_api.base import Emit, StepCall, StepFailed, StepHandler, Wait
from segments.catalog import AssigneeRef, Port, PortRef, Remark, StepConfig, StepType
from segments.definition.config import FILLED
from segments.definition.foreign_schemas import ignored_keywords, usable

log = logging.getLogger(__name__)

MAX_CHAIN_LENGTH: Final = 20
MAX_CHOICES: Final = 200
MAX_TITLE: Final = 300
MAX_DESCRIPTION: Final = 20_000
MAX_HOURS: Final = 24 * 366 * 5
AGAIN_SECONDS: Final = 0.5
THREADS: Final = 2
Answer = TypeVar("Answer")


class Quorum(BaseModel):
    """Number of approvals needed, out of the number of voters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approvals: int = Field(ge=1, le=100, description="Number of approvals needed")
    of: int | None = Field(
        None, ge=1, le=100, description="Number of people who may decide; by default as many as approvals"
    )

    @model_validator(mode="after")
    def _check_reachable(self) -> Self:
        if self.of is not None and self.of < self.approvals:
            raise ValueError("`of` must be at least `approvals`")
        return self


class Choice(BaseModel):
    """One value that may be chosen, and how people read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str = Field(min_length=1, max_length=MAX_NAME)
    label: str | None = Field(None, max_length=MAX_NAME)


def _cut_to(most: int) -> AfterValidator:
    """Cut a text that data has made longer than its author foresaw: no run is lost to that."""

    def cut(text: str | None, info: ValidationInfo) -> str | None:
        if text is None or info.context != FILLED:
            return text
        return shortened(text, most)

    return AfterValidator(cut)


def _check_name(name: str | None) -> str | None:
    """Refuse a name that is nobody's; not by the card, whose texts canvases know without bounds."""
    if len(name or "") > MAX_NAME:
        raise ValueError(f"a name has at most {MAX_NAME} characters")
    return name


NameOfAsked = Annotated[str, AssigneeRef(), AfterValidator(_check_name)]


class HumanTaskConfig(StepConfig, json_schema_extra={"required": ["task_type"]}):
    """Config of the step: the question, the people, the deadline."""

    task_type: Literal["approval", "input", "review", "choice"] = Field("approval", description="What is asked")
    title: Annotated[str | None, _cut_to(MAX_TITLE)] = Field(
        None, description=f"Shown in the inbox, its first {MAX_TITLE} characters"
    )
    description: Annotated[str | None, _cut_to(MAX_DESCRIPTION)] = Field(
        None, description=f"Description for the person, its first {MAX_DESCRIPTION} characters"
    )
    assignee_ref: Annotated[str | None, AssigneeRef(), AfterValidator(_check_name)] = Field(
        None, description="Person or group asked: a group, an e-mail or a member"
    )
    timeout_hours: float = Field(24, description="Hours for each person or group asked")
    escalation_chain: list[NameOfAsked] | None = Field(
        None, description="Escalation: the people or groups asked next, in order, when nobody answers"
    )
    choices: list[Annotated[str, Field(max_length=MAX_NAME)] | Choice] | None = Field(
        None, min_length=1, max_length=MAX_CHOICES, description="Choices offered"
    )
    form: Annotated[dict[str, Any], AfterValidator(usable)] | None = Field(
        None, description="JSON Schema of the answer's data"
    )
    candidate_groups: list[NameOfAsked] | None = Field(None, description="Groups whose members may answer")
    quorum: Quorum | None = Field(None, description="Number of answers needed")
    four_eyes: bool | None = Field(None, description="The person who started the run may not answer")
    priority: Literal["low", "normal", "high", "urgent"] | None = Field(None, description="Priority in the inbox")
    reminder_hours: float | None = Field(None, gt=0, le=MAX_HOURS, description="Hours between reminders")
    on_timeout: Annotated[str | None, PortRef((ESCALATE, FAIL))] = Field(
        None, description="After the last deadline: escalate, fail, or an output port"
    )

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if not 0 < self.timeout_hours <= MAX_HOURS:
            raise ValueError(f"`timeout_hours` is more than 0 and at most {MAX_HOURS}")
        for name, text, most in (("title", self.title, MAX_TITLE), ("description", self.description, MAX_DESCRIPTION)):
            if len(text or "") > most:
                raise ValueError(f"`{name}` has at most {most} characters")
        if len(self.escalation_chain or ()) > MAX_CHAIN_LENGTH:
            raise ValueError(f"an `escalation_chain` has at most {MAX_CHAIN_LENGTH} entries")
        return self

    @model_validator(mode="after")
    def _check_type(self) -> Self:
        if self.task_type == "choice" and not self.choices:
            raise ValueError("a choice needs `choices`")
        if self.task_type != "choice" and self.choices:
            raise ValueError("only a choice has `choices`")
        if self.form is not None and self.task_type not in {TaskType.REVIEW, TaskType.INPUT}:
            raise ValueError("only a review and an input have a `form`")
        if self.quorum is not None and self.task_type not in {TaskType.APPROVAL, TaskType.REVIEW}:
            raise ValueError("only an approval and a review have a `quorum`")
        if self.on_timeout == ESCALATE and not self.escalation_chain:
            raise ValueError("to escalate it needs an `escalation_chain`")
        return self

    @property
    def shown_choices(self) -> list[Json]:
        """The choices with their labels."""
        choices = [Choice(value=one, label=None) if isinstance(one, str) else one for one in self.choices or ()]
        return [{"value": one.value, "label": one.label or one.value} for one in choices]


def choice_ports(config: Mapping[str, Json]) -> tuple[str, ...]:
    """Name the ports a choice may leave by: one of each value, where the step declares or uses it."""
    choices = config.get("choices")
    if config.get("task_type") != TaskType.CHOICE or not isinstance(choices, list):
        return ()
    values = [choice.get("value") if isinstance(choice, dict) else choice for choice in choices]
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))


def _remarks(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Say what of a form has no effect."""
    found = ignored_keywords(config.get("form"))
    return tuple(Remark(one.code, one.message, ("form", *one.path), one.hint) for one in found)


class HumanTaskHandler(StepHandler):
    """Opens a task and waits for its end, which comes through the run's inbox.

    What it does in the database it does in threads of its own, again while the database is away. A thread that has
    nothing more to do gives its connection back.
    """

    step_type = StepType(
        type_id="human_task",
        display_name="Human Task",
        description="Request human input or approval",
        category="human",
        icon="user",
        color="#FF6B6B",
        config=HumanTaskConfig,
        input_ports=(Port("data", "object", "What the person decides about", takes_any=True),),
        output_ports=(
            Port("approved", "object", "The decision, when it is yes"),
            Port("rejected", "object", "The decision, when it is no"),
            Port("modified", "object", "The decision, with what the person changed"),
            Port("timeout", "object", "When nobody answered in time", required=False),
        ),
        emits_one_port=True,
        config_ports=choice_ports,
        remarks=_remarks,
    )

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="human-task")
        self._lock = threading.Lock()
        self._queued = 0
        self._opening: dict[tuple[Any, ...], asyncio.Future[Any]] = {}

    async def run(self, call: StepCall) -> Emit | Wait:
        """Open the task of this activation, or find the one it has."""
        place = _place(call)
        opening = self._opening[tuple(place.values())] = asyncio.ensure_future(self._try(_open, call=call, place=place))
        opening.add_done_callback(lambda _: self._opening.pop(tuple(place.values()), None))
        # A thread cannot be stopped: whoever cancels this takes the task back once it is there.
        task = await asyncio.shield(opening)
        details = {
            "url": f"/inbox/tasks/{task.id}/",
            "task_type": task.task_type,
            "title": task.title,
            "priority": task.priority_name,
            "due_at": task.due_at.isoformat(),
            **who_is_asked(task),
        }
        return Wait("human", next_look_at(task.due_at, task.remind_at), str(task.id), details)

    async def look(self, call: StepCall) -> datetime | None:
        """Remind, escalate, or end the task without an answer, as its time asks for."""
        return await self._do(act_on_deadlines, **_place(call))

    async def abandon(self, call: StepCall) -> None:
        """Close the task, if it is there and open."""
        place = _place(call)
        opening = self._opening.get(tuple(place.values()))
        if opening is not None:
            await asyncio.wait([opening])
        await self._do(withdraw_task, **place)

    async def _do(self, work: Callable[..., Answer], **arguments: Any) -> Answer:
        """Do something of a task, again and again while the database is away: nobody else would."""
        while True:
            try:
                return await self._try(work, **arguments)
            except Error as error:
                if platform_fault(error) is None:
                    raise
                log.warning("the database does not answer about a human task, asking again: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _try(self, work: Callable[..., Answer], **arguments: Any) -> Answer:
        with self._lock:
            self._queued += 1
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(self._in_thread, partial(work, **arguments))
        )

    def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        with self._lock:
            self._queued -= 1
        try:
            return work()
        except Error:
            connection.close()
            raise
        finally:
            if not self._queued:
                connection.close()


def _place(call: StepCall) -> dict[str, Any]:
    return {
        "tenant_id": call.context.tenant_id,
        "run_id": call.run_id,
        "step_id": call.step_id,
        "activation": call.activation,
    }


def _open(*, call: StepCall, place: Mapping[str, Any]) -> HumanTask:
    return open_task(spec=_wish(call), **place)


def _wish(call: StepCall) -> TaskSpec:
    """Read what is asked out of the config, its templates filled in."""
    config = call.config
    if not isinstance(config, HumanTaskConfig):
        raise TypeError("the call has this type's config")
    if config.on_timeout not in {None, ESCALATE, FAIL} and config.on_timeout not in call.output_ports:
        raise StepFailed("CONFIG_INVALID", "`on_timeout` names a port by which no edge leaves.")
    quorum = config.quorum or Quorum(approvals=1, of=None)
    return TaskSpec(
        task_type=config.task_type,
        title=config.title or f"{TaskType(config.task_type).label}: {call.step_id.replace('_', ' ')}",
        description=config.description or "",
        data=call.input,
        form=config.form if config.form is not None else default_form(config.task_type, call.input),
        choices=config.shown_choices,
        ports=call.output_ports,
        assignee_ref=config.assignee_ref or None,
        candidate_groups=config.candidate_groups or (),
        needed=quorum.approvals,
        voters=quorum.of or quorum.approvals,
        four_eyes=bool(config.four_eyes),
        priority=Priority[(config.priority or "normal").upper()],
        timeout_seconds=config.timeout_hours * 3600,
        reminder_seconds=None if config.reminder_hours is None else config.reminder_hours * 3600,
        chain=config.escalation_chain or (),
        on_timeout=config.on_timeout or "",
    )
