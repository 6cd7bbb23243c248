"""Rule about calls that are not repeated automatically."""

from segments.catalog import ConnectionRef, StepType
from segments.definition.config_refs import config_refs
from segments.definition.model import Step
from segments.plan.compilation import retry_policy
from segments.validation.context import Context


def check_calls_are_repeated(context: Context) -> None:
    """NOT_REPEATED (info): a step that may be tried again makes a call that is not, once its answer did not come."""
    for place, step in context.placed_steps:
        step_type = context.catalog.get(step.type)
        if step_type is None or retry_policy(context.segment, step, step_type).max_attempts == 1:
            continue
        for remark in step_type.unrepeated(step.config):
            if not _honours_keys(context, step_type, step, remark.path[:-1]):
                context.findings.info(remark.code, remark.message, place.at("config", *remark.path), hint=remark.hint)


def _honours_keys(context: Context, step_type: StepType, step: Step, below: tuple[str | int, ...]) -> bool:
    """Whether the connection named there in a step's config says that its server honours idempotency keys."""
    return any(
        isinstance(mark, ConnectionRef) and path[: len(below)] == below and ref in context.known.honouring_keys
        for path, mark, ref in config_refs(step_type, step.config)
    )
