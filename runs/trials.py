"""Trial of one step type: a run of one step, marked as a test."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from foundation.idempotency import IdempotentRequest
from foundation.requests import NotAvailable
from kernel.errors import ErrorItem
from kernel.types import Json
from runs.errors import TrialInputsInvalid
from runs.idempotency import StartedRun
from runs.services import StartRequest, start_run
from segments.catalog import Role, StepType
from segments.errors import SegmentInvalid, StepTypeNotFound
from segments.selectors import catalog
from tenants.models import ApiKey, Tenant

STEP_ID: Final = "step"
_CONFIG: Final = "/segment/steps/0/config"


def try_step_type(
    *,
    tenant: Tenant,
    api_key: ApiKey | None,
    actor: str,
    type_id: str,
    config: Mapping[str, Json],
    inputs: Mapping[str, Json],
    once: IdempotentRequest | None = None,
) -> StartedRun:
    """Start a run of one step, under the tenant's limits; its usage is marked as a test.

    Args:
        tenant: Owner.
        api_key: Whose key starts it, if any.
        actor: Who starts it.
        type_id: The step type.
        config: The step's config.
        inputs: Values by input port; one at most.
        once: Names the start for 24 hours.

    Raises:
        StepTypeNotFound: The catalog has no such type.
        NotAvailable: The type cannot stand alone.
        TrialInputsInvalid: More than one input.
        SegmentInvalid: The config has errors; pointers lead into ``/config``.
        IdempotencyKeyReused: As for ``start_run``; ``StartInProgress`` as well.
    """
    step_type = catalog().get(type_id)
    if step_type is None:
        raise StepTypeNotFound
    _check_alone(step_type)
    if len(inputs) > 1:
        raise TrialInputsInvalid
    port, value = next(iter(inputs.items()), (step_type.input_ports[0].name, {}))
    spec = StartRequest(definition=_segment(step_type, config, port), input=value, is_test=True)
    try:
        return start_run(tenant=tenant, api_key=api_key, actor=actor, spec=spec, once=once)
    except SegmentInvalid as error:
        raise SegmentInvalid(errors=[_below_config(item) for item in error.errors]) from error


def _check_alone(step_type: StepType) -> None:
    if step_type.category == "human":
        raise NotAvailable(f"A {step_type.type_id} would ask real people: try it in a segment.")
    if step_type.role in {Role.SPLIT, Role.JOIN}:
        raise NotAvailable(f"A {step_type.type_id} does nothing alone: try it in a segment, with its branches.")


def _segment(step_type: StepType, config: Mapping[str, Json], port: str) -> dict[str, Any]:
    step = {
        "step_id": STEP_ID,
        "type": step_type.type_id,
        "name": step_type.display_name,
        "config": dict(config),
        "ports": {"input": [port], "output": [one.name for one in step_type.output_ports if one.name != "error"]},
    }
    return {
        "version": "1.0",
        "segment_id": f"test_of_{step_type.type_id}"[:64],
        "name": f"Test of {step_type.display_name}",
        "entrypoint": STEP_ID,
        "steps": [step],
        "edges": [],
    }


def _below_config(item: ErrorItem) -> ErrorItem:
    pointer = item.pointer or ""
    return replace(item, pointer=f"/config{pointer.removeprefix(_CONFIG)}" if pointer.startswith(_CONFIG) else "/")
