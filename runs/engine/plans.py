"""Compiled revisions, with the handlers of their steps, kept between runs."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from kernel.bounded_cache import BoundedCache
from kernel.turns.work_pace import WorkPace
from kernel.types import Json
from kernel.values import parse_json
from runs.engine.middleware import wrap
from runs.engine.store import journals
from runs.engine.store.connection import Database
from runs.step_api.answer_checks import check_answer
from runs.step_api.base import Middleware, Next, StepHandler
from runs.steps.registry import installed_registry
from segments.catalog import ERROR_PORT
from segments.definition import read_segment
from segments.definition.config import has_templates
from segments.plan import SEMANTICS, Plan, PlanStep
from segments.plan.compilation import compile_plan

MAX_KEPT_CHARACTERS = 4 * 1024 * 1024
"""Of revisions whose plans are kept; a character takes 8 to 45 bytes there."""
MAX_SPARED = 31
SMALL_CHARACTERS = 4_000
"""Texts of revisions up to this length are compiled in the event loop, in some milliseconds; others in a thread."""


class PlanUnavailable(Exception):
    """This host cannot execute the revision; the text says why, for people."""


class InlineBackoff:
    """Backoff of a step from pure work in the event loop, by kind of work.

    Each time in a row it is too large for that, more of the next attempts are spared the try, up to ``MAX_SPARED``.
    """

    __slots__ = ("_left", "_spared")

    def __init__(self) -> None:
        self._left = self._spared = 0

    def is_tried(self) -> bool:
        """Whether the next attempt tries; asked once by each."""
        if not self._left:
            return True
        self._left -= 1
        return False

    def fitted(self) -> None:
        """Note that the work was done in the event loop."""
        self._spared = 0

    def was_too_large(self) -> None:
        """Note that it was begun there in vain."""
        self._left = self._spared = min(2 * self._spared + 1, MAX_SPARED)


@dataclass(frozen=True, slots=True)
class ReadyStep:
    """A step of a plan, with what executes it; ``output_ports`` are those with an edge, in the order of the edges.

    ``run`` is the handler's, with the middleware chain around it. ``has_templates``: its config has to be filled in;
    ``has_conditions``: some of its edges have conditions; ``routes_errors``: some leave by its error port;
    ``emits`` has the ports its handler may emit by, its card's left out where no edge leaves by them; ``cleans_up``:
    the handler has an ``abandon`` of its own; ``inline``: by function of ``runs.work.functions``.
    """

    plan_step: PlanStep
    handler: StepHandler
    run: Next
    output_ports: tuple[str, ...]
    has_templates: bool
    has_conditions: bool
    routes_errors: bool
    emits: frozenset[str]
    cleans_up: bool
    inline: Mapping[str, InlineBackoff] = field(default_factory=lambda: defaultdict(InlineBackoff))

    def check_answer(self, answer: object) -> None:
        """Refuse an answer of the handler that no run can go on with; raises as ``check_answer``."""
        check_answer(self.handler, answer, ports=self.emits)


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """A plan that can be executed here. What its runs give is held against ``output_schema``."""

    plan: Plan
    steps: dict[str, ReadyStep]
    output_schema: Mapping[str, Json] | None = None


class Plans:
    """Loads and compiles each revision once, for the runs that were executed last.

    Large ones are compiled one at a time, and rest in between: a worker's runs are executed meanwhile.
    """

    def __init__(
        self,
        ask: Callable[[Callable[[Database], str]], Awaitable[str]],
        middleware: Sequence[Middleware],
    ) -> None:
        self._ask = ask
        self._middleware = middleware
        self._large = asyncio.Lock()
        self._pace = WorkPace(share=1 / 3, burst_seconds=0.25)
        self._kept: BoundedCache[tuple[UUID, int], ReadyPlan] = BoundedCache(MAX_KEPT_CHARACTERS)
        self._loading: dict[tuple[UUID, int], asyncio.Task[ReadyPlan]] = {}

    async def get(self, revision_id: UUID, semantics: int) -> ReadyPlan:
        """Return the plan of a revision by these rules; runs that ask at the same time share the work.

        Raises:
            PlanUnavailable: It names a step type that is not installed here, or cannot be read.
        """
        key = revision_id, semantics
        if (known := self._kept.get(key)) is not None:
            return known
        if key not in self._loading:
            self._loading[key] = asyncio.create_task(self._load(revision_id, semantics))
        return await asyncio.shield(self._loading[key])

    async def _load(self, revision_id: UUID, semantics: int) -> ReadyPlan:
        try:
            text = await self._ask(lambda connection: journals.read_definition(connection, revision_id))
            plan = await self._prepare(text, semantics)
        finally:
            del self._loading[revision_id, semantics]
        self._kept.put((revision_id, semantics), plan, weight=len(text))
        return plan

    async def _prepare(self, text: str, semantics: int) -> ReadyPlan:
        if len(text) <= SMALL_CHARACTERS:
            return prepare(text, self._middleware, semantics)
        async with self._large:
            return await asyncio.to_thread(self._prepare_large, text, semantics)

    def _prepare_large(self, text: str, semantics: int) -> ReadyPlan:
        with self._pace.kept():
            return prepare(text, self._middleware, semantics)


def prepare(text: str, middleware: Sequence[Middleware] = (), semantics: int = SEMANTICS) -> ReadyPlan:
    """Compile the text of a revision.

    Raises:
        PlanUnavailable: As for ``Plans.get``.
    """
    segment = read_segment(parse_json(text)).segment
    if segment is None:
        raise PlanUnavailable("The revision cannot be read any more.")
    known = installed_registry()
    missing = sorted({step.type for step in segment.steps if step.type not in known.catalog})
    if missing:
        raise PlanUnavailable(f"No worker here has the step type {', '.join(missing)}.")
    plan = compile_plan(segment, known.catalog, semantics=semantics)
    return ReadyPlan(
        plan,
        {step_id: _ready(step, known.handler(step.type_id), middleware) for step_id, step in plan.steps.items()},
        segment.output_schema,
    )


def _ready(step: PlanStep, handler: StepHandler, middleware: Sequence[Middleware]) -> ReadyStep:
    output_ports = _output_ports(step)
    return ReadyStep(
        step,
        handler,
        wrap(handler.run, middleware, handler.step_type),
        output_ports,
        has_templates(handler.step_type, step.config),
        any(edge.condition is not None for edge in step.edges),
        any(ERROR_PORT in edge.source_ports for edge in step.edges),
        frozenset({*output_ports, *step.key_ports, *handler.step_type.config_ports(step.config)}),
        type(handler).abandon is not StepHandler.abandon,
    )


def _output_ports(step: PlanStep) -> tuple[str, ...]:
    ports = (port for edge in step.edges for port in edge.source_ports if port != ERROR_PORT)
    return tuple(dict.fromkeys(ports))
